"""Translate a HealthCheckPolicy to an active health check of Envoy."""

from __future__ import annotations

from typing import Any

from rehearsal.host.envoy.process import Resource, seconds


def health_check(declared: dict[str, Any]) -> Resource:
    config = declared.get("config") or {}
    kind = str(config.get("type") or "HTTP")
    interval = seconds(float(declared.get("checkIntervalSec") or 5))
    check: Resource = {
        "timeout": seconds(float(declared.get("timeoutSec") or 5)),
        "interval": interval,
        # Without it, clusters without traffic are checked once a minute only.
        "no_traffic_interval": interval,
        "no_traffic_healthy_interval": interval,
        "healthy_threshold": int(declared.get("healthyThreshold") or 2),
        "unhealthy_threshold": int(declared.get("unhealthyThreshold") or 2),
        "interval_jitter": "0.1s",
    }
    if kind == "TCP":
        return {**check, "tcp_health_check": {}}
    body = (
        config.get({"HTTPS": "httpsHealthCheck", "HTTP2": "http2HealthCheck"}.get(kind, "httpHealthCheck"))
        or {}
    )
    return {
        **check,
        "http_health_check": {"path": body.get("requestPath") or "/", "host": body.get("host") or "gateway"},
    }
