"""Session affinity: further requests of a client reach the same replica, for a limited time.

Envoy's own cookie contains the address of the replica in Base64. Here the cookie is an opaque token: a Lua
filter translates it to and from the header that Envoy's session filter reads and writes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from rehearsal.host.desired_state import DesiredStore
from rehearsal.host.envoy.backends import Backend, attached, duration
from rehearsal.host.envoy.process import Resource, typed
from rehearsal.host.processes.atomic_files import write_atomic
from rehearsal.host.processes.ports import LOOPBACK

_FILTER: Final = "affinity"
_SESSION: Final = "stateful_session"
_TOKEN_CHARACTERS: Final = 16
# Inside the gateway only: clients neither send nor receive it.
_HEADER: Final = "x-replica-address"
_LUA: Final = f"""
function envoy_on_request(handle)
  local headers, affinity = handle:headers(), handle:metadata()
  headers:remove("{_HEADER}")
  local name, tokens, cookies = affinity:get("cookie"), affinity:get("tokens"), headers:get("cookie")
  if name == nil or tokens == nil or cookies == nil then return end
  for key, value in cookies:gmatch("([^;=%s]+)=([^;%s]*)") do
    if key == name and tokens[value] ~= nil then
      headers:replace("{_HEADER}", tokens[value])
      return
    end
  end
end

function envoy_on_response(handle)
  local headers, affinity = handle:headers(), handle:metadata()
  local address, addresses = headers:get("{_HEADER}"), affinity:get("addresses")
  if address == nil then return end
  headers:remove("{_HEADER}")
  local token = addresses ~= nil and addresses[address] or nil
  if token ~= nil then
    headers:add("set-cookie", affinity:get("cookie") .. "=" .. token .. affinity:get("attributes"))
  end
end
"""


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


def filters() -> list[Resource]:
    """Return the HTTP filters of the gateway that affinity needs, in their order."""
    config = typed("envoy.extensions.filters.http.lua.v3.Lua", default_source_code={"inline_string": _LUA})
    session = typed("envoy.extensions.filters.http.stateful_session.v3.StatefulSession")
    return [{"name": _FILTER, "typed_config": config}, {"name": _SESSION, "typed_config": session}]


def route_options(cookie: Resource) -> Resource:
    """Return the options of a route with an :func:`affinity` cookie; :func:`add_replicas` completes them."""
    state = typed("envoy.extensions.http.stateful_session.header.v3.HeaderBasedSessionState", name=_HEADER)
    session = typed(
        "envoy.extensions.filters.http.stateful_session.v3.StatefulSessionPerRoute",
        stateful_session={
            "session_state": {"name": "envoy.http.stateful_session.header", "typed_config": state}
        },
    )
    return {
        "typed_per_filter_config": {_SESSION: session},
        "metadata": {"filter_metadata": {_FILTER: dict(cookie)}},
    }


def add_replicas(routes: Resource, ports: Iterable[int], key: bytes) -> None:
    """Add the tokens of the replicas on these ports to every route with a cookie."""
    tokens = {}
    for port in sorted(set(ports)):
        address = f"{LOOPBACK}:{port}".encode()
        token = hmac.new(key, address, hashlib.sha256).hexdigest()[:_TOKEN_CHARACTERS]
        tokens[token] = base64.b64encode(address).decode()
    for host in routes["virtual_hosts"]:
        for route in host["routes"]:
            options = ((route.get("metadata") or {}).get("filter_metadata") or {}).get(_FILTER)
            if options is not None:
                options["tokens"] = tokens
                options["addresses"] = {address: token for token, address in tokens.items()}


def token_key(path: Path) -> bytes:
    """Return the key of the tokens, created on the first call and stored in `path`."""
    if not path.exists():
        write_atomic(path, secrets.token_bytes(32))
    return path.read_bytes()


def _cookie(name: str, ttl: float, path: str = "/") -> Resource:
    lifetime = f"; Max-Age={ttl:.0f}" if ttl else ""
    return {"cookie": name, "attributes": f"; Path={path}{lifetime}; Secure; HttpOnly; SameSite=Lax"}
