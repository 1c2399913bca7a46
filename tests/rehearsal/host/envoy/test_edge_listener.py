"""The routes of the edge for what is not declared, and the tokens of session affinity."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from rehearsal.host.envoy import edge_listener, session_affinity


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


def tokens(ports: list[int], key: bytes) -> dict[str, str]:
    """The tokens of a route with a cookie, by address."""
    route: dict[str, Any] = session_affinity.route_options({"cookie": "replica", "attributes": "; Secure"})
    plain: dict[str, Any] = {"match": {"prefix": "/"}}
    session_affinity.add_replicas({"virtual_hosts": [{"routes": [route, plain]}]}, ports, key)
    assert plain == {"match": {"prefix": "/"}}
    (options,) = route["metadata"]["filter_metadata"].values()
    assert {token: address for address, token in options["addresses"].items()} == options["tokens"]
    return {base64.b64decode(address).decode(): token for address, token in options["addresses"].items()}


def test_a_token_is_stable_and_depends_on_the_key() -> None:
    found = tokens([18_001, 18_002], b"one")
    assert set(found) == {"127.0.0.1:18001", "127.0.0.1:18002"}
    assert len(set(found.values())) == 2
    assert tokens([18_002], b"one")["127.0.0.1:18002"] == found["127.0.0.1:18002"]
    assert set(tokens([18_001, 18_002], b"two").values()).isdisjoint(found.values())


def test_the_key_is_generated_once(tmp_path: Path) -> None:
    path = tmp_path / "key"
    key = session_affinity.token_key(path)
    assert len(key) == 32
    assert session_affinity.token_key(path) == key
    assert path.stat().st_mode & 0o077 == 0
