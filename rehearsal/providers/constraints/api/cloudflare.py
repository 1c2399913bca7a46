"""Rules of the Cloudflare API over several properties."""

from __future__ import annotations

import difflib
import ipaddress
from collections.abc import Mapping
from typing import Any, Final

from rehearsal.providers.constraints.api.base import Check, Found, at, items, number, text
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
    return _CHECKS.get(token, ())


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
    for position, rule in items(inputs.get("rules")):
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


_CHECKS: Final[Mapping[str, tuple[Check, ...]]] = {
    "cloudflare:index/dnsRecord:DnsRecord": (_dns_record,),
    "cloudflare:index/loadBalancer:LoadBalancer": (_load_balancer,),
    "cloudflare:index/loadBalancerPool:LoadBalancerPool": (_pool,),
    "cloudflare:index/ruleset:Ruleset": (_ruleset,),
    "cloudflare:index/zoneSetting:ZoneSetting": (_zone_setting,),
}
