"""Business metrics: accounts, content, events and revenue (MON3)."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

contents_published: Final = Counter("kingdom_contents_published_total", "Content items published.")
contents_viewed: Final = Counter("kingdom_contents_viewed_total", "Views of published content items.")
orders_placed: Final = Counter("kingdom_orders_total", "Orders placed.", ("product",))
revenue: Final = Counter(
    "kingdom_revenue_cents_total", "Revenue from orders in cents, by product.", ("product",)
)
payments: Final = Counter("kingdom_payments_cents_total", "Payments to account balances in cents.")
events_taken: Final = Counter(
    "kingdom_events_total", "Client events ingested, after deduplication.", ("name",)
)
client_seconds: Final = Histogram(
    "kingdom_client_seconds",
    "Durations that clients measured: time to interactive, time to render, time lost to dropped frames.",
    ("event",),
    buckets=(0.016, 0.033, 0.1, 0.3, 0.5, 1, 2, 3, 5, 10, 30),
)
# Exported by workers only; it covers the accounts of all pods.
active_accounts: Final = Gauge(
    "kingdom_active_accounts",
    "Accounts active within a day, a week and a month; estimate with a standard error of 0.81 %.",
    ("window",),
    registry=None,
)
