"""Session affinity: which replica receives the further requests of a client, and for how long."""

from __future__ import annotations

from typing import Any

from rehearsal.host.desired_state import DesiredStore
from rehearsal.host.envoy.backends import Backend, attached, duration
from rehearsal.host.envoy.process import Resource, seconds, typed


def affinity(rule: dict[str, Any], store: DesiredStore, backend: Backend) -> Resource:
    """Return the affinity of a rule: a cookie that names the replica, or a hash of the client address.

    Declared by the rule itself, by GCPTrafficDistributionPolicy, by GCPBackendPolicy or by the Service.
    """
    session = rule.get("sessionPersistence")
    if session and session.get("type", "Cookie") == "Cookie":
        lasting = (session.get("cookieConfig") or {}).get("lifetimeType") == "Permanent"
        ttl = duration(session["absoluteTimeout"]) if lasting and session.get("absoluteTimeout") else 0.0
        return {"cookie": _cookie(session.get("sessionName") or "GCLB", ttl)}
    distribution = attached(store, "GCPTrafficDistributionPolicy", backend)
    policy = attached(store, "GCPBackendPolicy", backend)
    declared = distribution.get("sessionAffinity") or policy.get("sessionAffinity") or {}
    service = store.find("Service", backend.namespace, backend.service)
    if declared.get("type") in {"STRONG_COOKIE_AFFINITY", "HTTP_COOKIE"}:
        cookie = declared.get("cookie") or {}
        ttl = duration(str(cookie.get("ttl") or "0s"))
        return {"cookie": _cookie(cookie.get("name") or "GCLB", ttl, cookie.get("path") or "/")}
    if declared.get("type") == "GENERATED_COOKIE":
        return {"cookie": _cookie("GCLB", float(declared.get("cookieTtlSec") or 0))}
    by_address = service is not None and service.spec.get("sessionAffinity") == "ClientIP"
    if declared.get("type") == "CLIENT_IP" or by_address:
        return {"hash_policy": [{"connection_properties": {"source_ip": True}}]}
    return {}


def _cookie(name: str, ttl: float, path: str = "/") -> Resource:
    cookie: Resource = {
        "name": name,
        "path": path,
        "attributes": [{"name": "Secure"}, {"name": "HttpOnly"}, {"name": "SameSite", "value": "Lax"}],
    }
    if ttl:
        cookie["ttl"] = seconds(ttl)
    state = typed("envoy.extensions.http.stateful_session.cookie.v3.CookieBasedSessionState", cookie=cookie)
    return typed(
        "envoy.extensions.filters.http.stateful_session.v3.StatefulSessionPerRoute",
        stateful_session={
            "session_state": {"name": "envoy.http.stateful_session.cookie", "typed_config": state}
        },
    )
