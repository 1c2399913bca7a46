"""Health checks of Envoy from a HealthCheckPolicy."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.host.envoy.health_checks import health_check


def test_defaults_are_those_of_gke() -> None:
    found = health_check({})
    assert found["interval"] == found["no_traffic_interval"] == found["timeout"]
    assert (found["healthy_threshold"], found["unhealthy_threshold"]) == (2, 2)
    assert found["http_health_check"] == {"path": "/", "host": "gateway"}


@pytest.mark.parametrize(
    ("config", "check"),
    [
        ({"type": "TCP"}, ("tcp_health_check", {})),
        (
            {"type": "HTTP", "httpHealthCheck": {"requestPath": "/readyz", "host": "a"}},
            ("http_health_check", {"path": "/readyz", "host": "a"}),
        ),
        (
            {
                "type": "HTTPS",
                "httpsHealthCheck": {"requestPath": "/s"},
                "httpHealthCheck": {"requestPath": "/p"},
            },
            ("http_health_check", {"path": "/s", "host": "gateway"}),
        ),
        (
            {"type": "HTTP2", "http2HealthCheck": {"requestPath": "/2"}},
            ("http_health_check", {"path": "/2", "host": "gateway"}),
        ),
    ],
)
def test_check_is_that_of_its_type(config: dict[str, Any], check: tuple[str, Any]) -> None:
    name, body = check
    assert health_check({"config": config})[name] == body


def test_declared_numbers_are_used() -> None:
    found = health_check(
        {"checkIntervalSec": 2, "timeoutSec": 1, "healthyThreshold": 3, "unhealthyThreshold": 4}
    )
    assert found["interval"] != found["timeout"]
    assert (found["healthy_threshold"], found["unhealthy_threshold"]) == (3, 4)
