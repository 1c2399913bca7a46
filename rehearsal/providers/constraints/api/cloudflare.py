"""Rules of the Cloudflare API over several properties."""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from rehearsal.providers.constraints.api.base import Check, Found, at, items, number, one_of, text
from rehearsal.providers.constraints.names import mapped_type
from rehearsal.providers.constraints.values import listed
from rehearsal.providers.validation import suggestion
from rehearsal.pulumi.properties import UNKNOWN

_ON_OFF: Final = ("on", "off")
# https://developers.cloudflare.com/api/resources/zones/subresources/settings
ZONE_SETTINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "browser_cache_ttl": (
        "0", "30", "60", "120", "300", "1200", "1800", "3600", "7200", "10800", "14400", "18000",
        "28800", "43200", "57600", "72000", "86400", "172800", "259200", "345600", "432000",
        "691200", "1382400", "2073600", "2678400", "5356800", "16070400", "31536000",
    ),
    "cache_level": ("aggressive", "basic", "simplified"),
    "challenge_ttl": (
        "300", "900", "1800", "2700", "3600", "7200", "10800", "14400", "28800", "57600", "86400",
        "604800", "2592000", "31536000",
    ),
    "min_tls_version": ("1.0", "1.1", "1.2", "1.3"),
    "polish": ("off", "lossless", "lossy"),
    "pseudo_ipv4": ("off", "add_header", "overwrite_header"),
    "security_level": ("off", "essentially_off", "low", "medium", "high", "under_attack"),
    "ssl": ("off", "flexible", "full", "strict", "origin_pull"),
    "tls_1_3": ("on", "off", "zrt"),
} | dict.fromkeys(
    (
        "0rtt", "always_online", "always_use_https", "automatic_https_rewrites", "brotli", "browser_check",
        "development_mode", "early_hints", "email_obfuscation", "hotlink_protection", "http2", "http3",
        "ip_geolocation", "ipv6", "mirage", "opportunistic_encryption", "opportunistic_onion",
        "origin_error_page_pass_thru", "prefetch_preload", "privacy_pass", "response_buffering",
        "rocket_loader", "server_side_exclude", "sort_query_string_for_cache", "tls_client_auth",
        "true_client_ip_header", "waf", "webp", "websockets",
    ),
    _ON_OFF,
)  # fmt: skip
# Settings whose value is an object, with its properties.
_OBJECT_SETTINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "nel": ("enabled",),
    "security_header": ("strict_transport_security",),
}
_HSTS_FLAGS: Final = ("enabled", "include_subdomains", "nosniff", "preload")
# Similarity (`difflib` ratio) from which an unknown setting counts as a misspelled known one.
_MISSPELLED: Final = 0.88
# https://developers.cloudflare.com/api/resources/dns/subresources/records
_STRUCTURED_RECORDS: Final = frozenset(
    {
        "CAA", "CERT", "DNSKEY", "DS", "HTTPS", "LOC", "NAPTR", "SMIMEA", "SRV", "SSHFP", "SVCB", "TLSA",
        "URI",
    }
)  # fmt: skip
_PROXIED_RECORDS: Final = frozenset({"A", "AAAA", "CNAME"})
# Phases that accept an action: https://developers.cloudflare.com/ruleset-engine/reference/phases-list
_PHASES_OF_ACTION: Final[Mapping[str, tuple[str, ...]]] = {
    "compress_response": ("http_response_compression",),
    "redirect": ("http_request_dynamic_redirect", "http_request_redirect"),
    "rewrite": ("http_request_transform", "http_request_late_transform", "http_response_headers_transform"),
    "route": ("http_request_origin",),
    "serve_error": ("http_custom_errors",),
    "set_cache_settings": ("http_request_cache_settings",),
    "set_config": ("http_config_settings",),
}
# Actions in the phase http_ratelimit that need no `ratelimit` object, since they count no requests.
_NOT_LIMITING: Final = ("execute", "skip")
# Minimum and maximum of `sessionAffinityTtl` in seconds, by kind of affinity.
_AFFINITY_TTL: Final[Mapping[str, tuple[int, int]]] = {
    "cookie": (1800, 604_800),
    "header": (30, 3600),
    "ip_cookie": (1800, 604_800),
}


def checks_of(token: str) -> tuple[Check, ...]:
    """Return the checks of a type."""
    return (*_scope(token), *_CHECKS.get(token, ()))


@cache
def _scope(token: str) -> tuple[Check, ...]:
    """Return the check that exactly one of account and zone is set, for a type that has both."""
    mapped = mapped_type(token)
    named = [mapped.attributes.get(name) for name in ("accountId", "zoneId")] if mapped else []
    rules = {"exactly_one_of", "required"}  # of the provider
    optional = [attribute for attribute in named if attribute and not rules & attribute.facts.keys()]
    return (one_of("accountId", "zoneId"),) if len(optional) == 2 else ()


def _access_rule(inputs: Mapping[str, Any]) -> Found:
    """https://developers.cloudflare.com/waf/tools/ip-access-rules/parameters."""
    target = text(at(inputs, "configuration", "target"))
    value = text(at(inputs, "configuration", "value"))
    fits = _ACCESS_TARGETS.get(target or "")
    if fits is not None and value is not None and not fits(value):
        yield ("configuration", "value"), f"{value!r} is not a value of the target {target}"


def _is_network(value: str) -> bool:
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        return False
    return "/" in value


_ACCESS_TARGETS: Final[Mapping[str, Callable[[str], bool]]] = {
    "asn": lambda value: re.fullmatch(r"(?i)AS\d+", value) is not None,
    "country": lambda value: re.fullmatch(r"[A-Z][A-Z0-9]", value) is not None,
    "ip": lambda value: _version(value) == 4,
    "ip6": lambda value: _version(value) == 6,
    "ip_range": _is_network,
}


def _waiting_room(inputs: Mapping[str, Any]) -> Found:
    rate, total = number(inputs.get("newUsersPerMinute")), number(inputs.get("totalActiveUsers"))
    if rate is not None and total is not None and rate > total:
        yield ("newUsersPerMinute",), f"{rate:g} is more than totalActiveUsers ({total:g})"


def _dns_record(inputs: Mapping[str, Any]) -> Found:
    kind, value = text(inputs.get("type")), inputs.get("content")
    if kind is None:
        return
    kind, content = kind.upper(), text(value)
    if kind in _STRUCTURED_RECORDS:
        if inputs.get("data") is None:
            yield ("data",), f"required for a record of type {kind}"
    elif value is None:
        yield ("content",), f"required for a record of type {kind}"
    version = {"A": 4, "AAAA": 6}.get(kind)
    if content is not None and version is not None and _version(content) != version:
        yield ("content",), f"{content!r} is not an IPv{version} address, which a record of type {kind} holds"
    if content is not None and kind == "CNAME" and _version(content) is not None:
        yield ("content",), f"{content!r} is an address; a record of type CNAME holds a name"
    flags = number(at(inputs, "data", "flags"))
    if kind == "CAA" and flags is not None and not 0 <= flags <= 255:
        yield ("data", "flags"), f"{flags:g} is out of range: 0 to 255"
    if kind == "MX" and inputs.get("priority") is None:
        yield ("priority",), "required for a record of type MX"
    if inputs.get("proxied") is True and kind not in _PROXIED_RECORDS:
        yield ("proxied",), f"a record of type {kind} cannot be proxied"


def _version(value: str) -> int | None:
    try:
        return ipaddress.ip_address(value).version
    except ValueError:
        return None


def _zone_setting(inputs: Mapping[str, Any]) -> Found:
    setting, value = text(inputs.get("settingId")), inputs.get("value")
    if setting is None or value is None or value is UNKNOWN:
        return
    if setting in _OBJECT_SETTINGS:
        yield from _object_setting(setting, value)
        return
    if setting == "ciphers":
        if not isinstance(value, list):
            yield ("value",), "must be a list of names for the setting ciphers"
        return
    allowed = ZONE_SETTINGS.get(setting)
    if allowed is None:
        if near := difflib.get_close_matches(setting, ZONE_SETTINGS, 1, _MISSPELLED):
            yield ("settingId",), f'{setting!r} is not a setting (did you mean "{near[0]}"?)'
        return
    if isinstance(value, (dict, list)):
        yield ("value",), f"must be one of {listed(allowed)} for the setting {setting}"
        return
    shown = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    if shown not in allowed:
        reason = f"{shown!r} is not a value of the setting {setting}: {listed(allowed)}"
        yield ("value",), reason + suggestion(shown, allowed)


def _object_setting(setting: str, value: Any) -> Found:
    if not isinstance(value, Mapping):
        yield ("value",), f"of the setting {setting} is an object with {', '.join(_OBJECT_SETTINGS[setting])}"
        return
    if setting == "nel" and not isinstance(value.get("enabled"), bool):
        yield ("value", "enabled"), "is true or false"
    header = value.get("strict_transport_security")
    if setting != "security_header" or header is UNKNOWN:
        return
    if not isinstance(header, Mapping):
        yield ("value", "strict_transport_security"), "is an object with enabled, max_age and others"
        return
    for name in _HSTS_FLAGS:
        if header.get(name) not in (None, UNKNOWN, True, False):
            yield ("value", "strict_transport_security", name), "is true or false"
    if header.get("max_age") is not None and header.get("max_age") is not UNKNOWN:
        seconds = number(header["max_age"])
        if seconds is None or seconds < 0:
            yield ("value", "strict_transport_security", "max_age"), "is a number of seconds"


def _ruleset(inputs: Mapping[str, Any]) -> Found:
    phase = text(inputs.get("phase"))
    kind, names = text(inputs.get("kind")), list[str]()
    if kind == "zone" and inputs.get("accountId") is not None and inputs.get("zoneId") is None:
        yield ("kind",), "is zone for the rules of a zone; those of an account are custom, managed or root"
    for position, rule in items(inputs.get("rules")):
        name = text(rule.get("ref"))
        if name and name in names:
            yield ("rules", position, "ref"), f"{name!r} is the ref of another rule too"
        names += [name] if name else []
        action, limits = text(rule.get("action")), rule.get("ratelimit")
        phases = _PHASES_OF_ACTION.get(action or "")
        if phases is not None and phase is not None and phase not in phases:
            yield ("rules", position, "action"), f"{action} is for the phase {' or '.join(phases)} only"
        limiting = action not in (None, *_NOT_LIMITING)
        if phase == "http_ratelimit" and limits is None and limiting:
            yield ("rules", position, "ratelimit"), "required in the phase http_ratelimit"
        if phase not in (None, "http_ratelimit") and isinstance(limits, Mapping):
            yield ("rules", position, "ratelimit"), "may be set only in the phase http_ratelimit"
        characteristics = at(limits, "characteristics")
        counted = isinstance(characteristics, list) and UNKNOWN not in characteristics
        if counted and inputs.get("zoneId") is not None and "cf.colo.id" not in characteristics:
            path = ("rules", position, "ratelimit", "characteristics")
            yield path, "must contain cf.colo.id: requests are counted in each data center"
        ttl = at(rule, "actionParameters", "edgeTtl")
        if at(ttl, "mode") == "override_origin" and at(ttl, "default") is None:
            path = ("rules", position, "actionParameters", "edgeTtl", "default")
            yield path, "required where mode is override_origin"


def _load_balancer(inputs: Mapping[str, Any]) -> Found:
    seconds, bounds = (
        number(inputs.get("sessionAffinityTtl")),
        _AFFINITY_TTL.get(text(inputs.get("sessionAffinity")) or ""),
    )
    if seconds is not None and bounds is not None and not bounds[0] <= seconds <= bounds[1]:
        reason = f"{seconds:g} is out of range for this affinity: {bounds[0]} to {bounds[1]}"
        yield ("sessionAffinityTtl",), reason


def _pool(inputs: Mapping[str, Any]) -> Found:
    given = [name for name in ("latitude", "longitude") if inputs.get(name) is not None]
    if len(given) == 1:
        other = "longitude" if given == ["latitude"] else "latitude"
        yield (given[0],), f"requires {other} to be set too"
    names = [text(origin.get("name")) for _, origin in items(inputs.get("origins"))]
    for position, name in enumerate(names):
        if name is not None and name in names[:position]:
            yield ("origins", position, "name"), f"{name!r} is the name of another origin too"


_CHECKS: Final[Mapping[str, tuple[Check, ...]]] = {
    "cloudflare:index/accessRule:AccessRule": (_access_rule,),
    "cloudflare:index/dnsRecord:DnsRecord": (_dns_record,),
    "cloudflare:index/loadBalancer:LoadBalancer": (_load_balancer,),
    "cloudflare:index/loadBalancerPool:LoadBalancerPool": (_pool,),
    "cloudflare:index/ruleset:Ruleset": (_ruleset,),
    "cloudflare:index/waitingRoom:WaitingRoom": (_waiting_room,),
    "cloudflare:index/zoneSetting:ZoneSetting": (_zone_setting,),
}
