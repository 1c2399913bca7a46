"""Dashboard panels: titles, units and PromQL. The metric names are those of `app/telemetry/metrics.py`."""

from __future__ import annotations

from dataclasses import dataclass

from infra.observability.alert_queries import quantile, signals
from infra.observability.slos import REQUESTS
from infra.settings.service import Threshold, ThresholdSettings


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart: its title, its unit (UCUM), its queries, and where it turns yellow and red.

    A query under `by …` gives many lines, distinguished by their labels; any other is one line of that name.
    """

    title: str
    unit: str
    lines: dict[str, str]
    threshold: Threshold | None = None


def system(namespace: str, thresholds: ThresholdSettings) -> list[Panel]:
    """MON1: what the machines do."""
    watched = signals(namespace, thresholds)
    pods = f'monitored_resource="k8s_container", namespace_name="{namespace}"'
    pod = f'monitored_resource="k8s_pod", namespace_name="{namespace}"'
    node = 'monitored_resource="k8s_node"'
    scaler = f'namespace="{namespace}"'
    redis = "redis_googleapis_com:stats"
    return [
        Panel("CPU of the limit", "%", {"highest": watched["alr1"].query}, thresholds.cpu_percent),
        Panel("Memory of the limit", "%", {"highest": watched["alr2"].query}, thresholds.memory_percent),
        Panel(
            "Replicas",
            "1",
            {
                "by role now": (f"kube_horizontalpodautoscaler_status_current_replicas{{{scaler}}}"),
                "by role at most": (f"kube_horizontalpodautoscaler_spec_max_replicas{{{scaler}}}"),
            },
        ),
        Panel(
            "Containers restarted",
            "1",
            {"by pod_name": f"increase(kubernetes_io:container_restart_count{{{pods}}}[5m])"},
        ),
        Panel(
            "Network of pods",
            "By/s",
            {
                "in": f"sum(rate(kubernetes_io:pod_network_received_bytes_count{{{pod}}}[5m]))",
                "out": f"sum(rate(kubernetes_io:pod_network_sent_bytes_count{{{pod}}}[5m]))",
            },
        ),
        Panel(
            "Disk of nodes",
            "%",
            {
                "by node_name": (
                    f"100 * kubernetes_io:node_ephemeral_storage_used_bytes{{{node}}}"
                    f" / kubernetes_io:node_ephemeral_storage_total_bytes{{{node}}}"
                )
            },
        ),
        Panel(
            "CPU of nodes, of what pods may have",
            "%",
            {"by node_name": f"100 * kubernetes_io:node_cpu_allocatable_utilization{{{node}}}"},
        ),
        Panel(
            "Redis: memory",
            "%",
            {"used": f"100 * max({redis}_memory_usage_ratio)"},
        ),
        Panel("Redis: connections", "1", {"by node_id": "redis_googleapis_com:clients_connected"}),
        Panel(
            "NAT: connections dropped",
            "1/s",
            {
                "by reason": (
                    "sum by (reason) (rate(router_googleapis_com:nat_dropped_sent_packets_count[5m]))"
                )
            },
        ),
    ]


def application(namespace: str, thresholds: ThresholdSettings) -> list[Panel]:
    """MON2: what the service does."""
    watched = signals(namespace, thresholds)
    reads = "sum by (cache) (rate(kingdom_cache_reads_total{}[5m]))".format
    return [
        Panel("Requests", "1/s", {"by status": f"sum by (status) (rate({REQUESTS}_count[5m]))"}),
        Panel(
            "Response time",
            "s",
            {"p50": quantile(0.5), "p95": quantile(0.95), "p99": quantile(0.99)},
            thresholds.response_seconds,
        ),
        Panel("Requests that fail", "%", {"failed": watched["alr4"].query}, thresholds.error_percent),
        Panel(
            "Slowest routes, p95",
            "s",
            {
                "by route": (
                    f"topk(10, histogram_quantile(0.95, sum by (le, route) (rate({REQUESTS}_bucket[5m]))))"
                )
            },
        ),
        Panel(
            "Requests in flight, and the concurrency limit",
            "1",
            {
                "answered": "sum(kingdom_http_requests_in_flight)",
                "room": "sum(kingdom_concurrency_limit)",
            },
        ),
        Panel(
            "Requests refused",
            "1/s",
            {
                "rejected, by priority": "sum by (urgency) (rate(kingdom_overload_refusals_total[5m]))",
                "by limit": "sum by (limit) (rate(kingdom_limited_total[5m]))",
            },
        ),
        Panel(
            "Cache: share of reads by where the value came from",
            "%",
            {
                "by cache and outcome": (
                    "100 * sum by (cache, outcome) (rate(kingdom_cache_reads_total[5m]))"
                    f" / on (cache) group_left {reads('')}"
                )
            },
        ),
        Panel(
            "Cache: values pushed out",
            "1/s",
            {"by cache": "sum by (cache) (rate(kingdom_cache_evictions_total[5m]))"},
        ),
        Panel("Queue: jobs", "1", {"by state": "max by (state) (kingdom_queue_jobs)"}),
        Panel("Queue: age of the oldest job", "s", {"oldest": "max(kingdom_queue_oldest_seconds)"}),
        Panel(
            "Jobs, p95",
            "s",
            {
                "by kind": (
                    "histogram_quantile(0.95, sum by (le, kind) (rate(kingdom_job_seconds_bucket[5m])))"
                )
            },
        ),
        Panel(
            "Unexpected errors",
            "1/s",
            {"by place and error": "sum by (where, error) (rate(kingdom_errors_total[5m]))"},
        ),
    ]


def business() -> list[Panel]:
    """Return the panels of MON3: activity and revenue of users."""

    def hourly(counter: str, by: str = "") -> str:
        return f"sum{f' by ({by})' if by else ''} (increase({counter}[1h]))"

    return [
        Panel("Accounts made in an hour", "1", {"accounts": hourly("kingdom_accounts_created_total")}),
        Panel(
            "Content in an hour",
            "1",
            {
                "requested": hourly("kingdom_contents_created_total"),
                "by state": hourly("kingdom_contents_finished_total", "state"),
                "published": hourly("kingdom_contents_published_total"),
            },
        ),
        Panel("Content viewed in an hour", "1", {"views": hourly("kingdom_contents_viewed_total")}),
        # Every worker shows the same estimate of the whole.
        Panel("Active accounts", "1", {"within": "max by (window) (kingdom_active_accounts)"}),
        Panel("Events in an hour", "1", {"by name": hourly("kingdom_events_total", "name")}),
        Panel("Orders in an hour", "1", {"by product": hourly("kingdom_orders_total", "product")}),
        Panel(
            "Money in an hour, cents",
            "1",
            {
                "revenue": hourly("kingdom_revenue_cents_total"),
                "paid in": hourly("kingdom_payments_cents_total"),
            },
        ),
        Panel(
            "Sign-ins refused in an hour",
            "1",
            {
                "wrong password": hourly("kingdom_sign_ins_refused_total"),
                "stolen session": hourly("kingdom_refresh_reuse_total"),
            },
        ),
    ]
