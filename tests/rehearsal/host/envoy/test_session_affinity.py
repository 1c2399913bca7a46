"""Session affinity: cookies, hashes of addresses, and tokens of replicas."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from rehearsal.host.desired_state import Desired
from rehearsal.host.envoy import session_affinity
from rehearsal.host.envoy.backends import Backend
from tests.rehearsal.host.kubernetes.objects import NAMESPACE, declared, store_of


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


BACKEND = Backend(NAMESPACE, "api", 80)


def policy(kind: str, default: dict[str, Any]) -> Desired:
    target = {"kind": "Service", "name": "api"}
    return declared(kind, {"targetRef": target, "default": default}, "p", api="networking.gke.io/v1")


def cookie_of(tmp_path: Path, *objects: Desired, **rule: Any) -> dict[str, Any]:
    return session_affinity.affinity(rule, store_of(tmp_path, *objects), BACKEND)


@pytest.mark.parametrize(
    ("session", "attributes"),
    [
        ({"sessionName": "own"}, "; Path=/; Secure; HttpOnly; SameSite=Lax"),
        (
            {"sessionName": "own", "absoluteTimeout": "1h", "cookieConfig": {"lifetimeType": "Permanent"}},
            "; Path=/; Max-Age=3600; Secure; HttpOnly; SameSite=Lax",
        ),
        ({"sessionName": "own", "absoluteTimeout": "1h"}, "; Path=/; Secure; HttpOnly; SameSite=Lax"),
    ],
)
def test_cookie_of_a_rule(tmp_path: Path, session: dict[str, Any], attributes: str) -> None:
    assert cookie_of(tmp_path, sessionPersistence=session) == {
        "cookie": {"cookie": "own", "attributes": attributes}
    }


def test_distribution_policy_precedes_the_backend_policy(tmp_path: Path) -> None:
    cookie = {"name": "a", "ttl": "90s", "path": "/v1"}
    strong = {"sessionAffinity": {"type": "STRONG_COOKIE_AFFINITY", "cookie": cookie}}
    generated = {"sessionAffinity": {"type": "GENERATED_COOKIE", "cookieTtlSec": 60}}
    backend = policy("GCPBackendPolicy", generated)
    found = cookie_of(tmp_path, backend)
    assert found["cookie"]["cookie"] == "GCLB"
    assert "Max-Age=60" in found["cookie"]["attributes"]
    found = cookie_of(tmp_path, backend, policy("GCPTrafficDistributionPolicy", strong))
    assert found["cookie"]["attributes"].startswith("; Path=/v1; Max-Age=90;")


def test_address_of_the_client_is_hashed(tmp_path: Path) -> None:
    by_address = {"hash_policy": [{"connection_properties": {"source_ip": True}}]}
    service = declared("Service", {"sessionAffinity": "ClientIP"}, "api")
    assert cookie_of(tmp_path, service) == by_address
    backend = policy("GCPBackendPolicy", {"sessionAffinity": {"type": "CLIENT_IP"}})
    assert cookie_of(tmp_path / "b", backend) == by_address
    assert cookie_of(tmp_path / "c") == {}
