"""The routes of the edge for what is not declared, and the tokens of session affinity."""

from __future__ import annotations

from typing import Any

from rehearsal.host.envoy import edge_listener


def test_the_web_app_comes_before_declared_routes_and_without_the_firewall() -> None:
    declared: dict[str, Any] = {"match": {"prefix": "/"}}
    routes: dict[str, Any] = {"virtual_hosts": [{"name": "edge", "routes": [declared]}]}
    edge_listener.add_web_app(routes, "/app", "web-app")
    (host,) = routes["virtual_hosts"]
    first, second = host["routes"]
    assert second is declared
    assert first["match"] == {"path_separated_prefix": "/app"}
    assert first["route"]["cluster"] == edge_listener.local_cluster("web-app", 1234)["name"]
    assert first["typed_per_filter_config"]["firewall"]["disabled"] is True
