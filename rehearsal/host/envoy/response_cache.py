"""The cache of the zone: copies of responses in files, bounded by their size and number.

A copy is stored under scheme, host, path and query string. Clients choose all of them, so the host is
normalized before the lookup, and the least recently used files are deleted above the bounds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from rehearsal.host.envoy.process import Resource, typed

MAX_BYTES: Final = 256 * 1024 * 1024
MAX_ENTRIES: Final = 10_000

_CACHE: Final = "cache"
_HOSTS: Final = "cached_hosts"
_RULES: Final = "lua"  # also the name under which routes have the settings of their cache rule
_VARY: Final = ("accept", "accept-encoding", "accept-language", "origin")

# Spellings of one host name share a copy: host names have no case, and virtual hosts ignore the port.
_NORMALIZE_HOST: Final = """
function envoy_on_request(handle)
  local headers = handle:headers()
  local host = string.lower(headers:get(":authority") or "")
  headers:replace(":authority", (string.gsub(host, ":[^:%]]*$", "")))
end
"""

# As in Cloudflare, a cache rule applies to responses with a cacheable status and removes their cookies.
_APPLY_RULE: Final = """
local cacheable = {["200"]=true, ["203"]=true, ["204"]=true, ["206"]=true, ["300"]=true, ["301"]=true,
                   ["308"]=true, ["404"]=true, ["410"]=true}
function envoy_on_response(handle)
  local rule = handle:metadata():get("cache")
  if rule == nil then return end
  local headers = handle:headers()
  if not cacheable[headers:get(":status")] then return end
  local directives = headers:get("cache-control") or ""
  if rule["edge"] == nil then
    if directives == "" or directives:find("private") or directives:find("no%-store") then return end
  else
    local browser = rule["browser"] or rule["edge"]
    headers:replace("cache-control", "public, max-age=" .. browser .. ", s-maxage=" .. rule["edge"])
    headers:remove("expires")
    headers:remove("pragma")
  end
  headers:remove("set-cookie")
end
"""


def filters(folder: Path) -> list[Resource]:
    """Return the filters of the cache, whose files are in `folder`: without that folder nothing is cached."""
    store = typed(
        "envoy.extensions.http.cache.file_system_http_cache.v3.FileSystemHttpCacheConfig",
        # Envoy's other cache is in memory and has no bound.
        manager_config={"thread_pool": {"thread_count": 1}},
        cache_path=str(folder),
        max_cache_size_bytes=MAX_BYTES,
        max_cache_entry_count=MAX_ENTRIES,
    )
    cache = typed(
        "envoy.extensions.filters.http.cache.v3.CacheConfig",
        typed_config=store,
        # The service sends `Origin`, and names of headers are compared with case otherwise.
        allowed_vary_headers=[{"exact": name, "ignore_case": True} for name in _VARY],
    )
    return [
        _lua(_HOSTS, _NORMALIZE_HOST),
        {"name": _CACHE, "typed_config": cache},
        # Responses pass the filters in reverse order: the rule is applied before a response is stored.
        _lua(_RULES, _APPLY_RULE),
    ]


def enabled(times: Resource | None = None) -> Resource:
    """Return the fields of a route whose responses are cached; `times` are the TTLs of its rule."""
    return {"metadata": {"filter_metadata": {_RULES: {"cache": {"on": True, **(times or {})}}}}}


def disabled() -> Resource:
    """Return the per-filter configuration of a route whose responses are not cached.

    Also for routes without a cluster, to which the cache filter would respond with 404.
    """
    off = typed("envoy.config.route.v3.FilterConfig", disabled=True)
    return dict.fromkeys((_HOSTS, _CACHE, _RULES), off)


def _lua(name: str, code: str) -> Resource:
    config = typed("envoy.extensions.filters.http.lua.v3.Lua", default_source_code={"inline_string": code})
    return {"name": name, "typed_config": config}
