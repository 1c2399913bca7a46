"""What the business is asked about: people, what they make and look at, and what they pay (MON3)."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge

contents_published: Final = Counter("kingdom_contents_published_total", "Pieces of content published.")
contents_viewed: Final = Counter("kingdom_contents_viewed_total", "Published pieces read one by one.")
orders_placed: Final = Counter("kingdom_orders_total", "Orders placed.", ("product",))
revenue: Final = Counter("kingdom_revenue_cents_total", "What orders brought in, in cents.", ("product",))
payments: Final = Counter("kingdom_payments_cents_total", "What was paid into balances, in cents.")
events_taken: Final = Counter("kingdom_events_total", "Events that apps told of, each once.", ("name",))
# Only a worker shows it, which counts all pods' accounts together.
active_accounts: Final = Gauge(
    "kingdom_active_accounts",
    "Accounts that were active within a day, a week and a month; 0.81 % standard error.",
    ("window",),
    registry=None,
)
