"""Refusals of an API over several properties, of values that its provider sends unchecked.

Sources: the reference documentation of each API, November 2026. Rules about one value are data
(``<package>_api.jsonl``).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from rehearsal.providers.constraints.values import listed
from rehearsal.providers.validation import Problem, problem, suggestion
from rehearsal.pulumi.properties import UNKNOWN, Path, unwrap

Found = Iterator[tuple[Path, str]]
_ON_OFF: Final = ("on", "off")
# https://developers.cloudflare.com/api/resources/zones/subresources/settings
_ZONE_SETTINGS: Final[Mapping[str, tuple[str, ...]]] = {
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


def refused_by_api(token: str, inputs: Mapping[str, Any], api: str) -> Iterator[Problem]:
    """Yield what an API refuses in known `inputs`; each reason ends with the name of the API."""
    plain = unwrap(dict(inputs))
    checks = [*((_zones,) if token.startswith("gcp:") else ()), *_CHECKS.get(token, ())]
    for check in checks:
        for path, reason in check(plain):
            yield problem(path, f"{reason} (the {api} validates this)")


def _zones(inputs: Mapping[str, Any]) -> Found:
    """A zone's name starts with its region's."""
    region = next(
        (inputs[name] for name in ("region", "location") if isinstance(inputs.get(name), str)), None
    )
    if region is None or region is UNKNOWN or region.count("-") != 1 or not region[-1].isdigit():
        return  # a zone, a multi-region, or "global"
    for name in ("zone", "locationId", "alternativeLocationId"):
        value = inputs.get(name)
        if isinstance(value, str) and value is not UNKNOWN and _outside(value, region):
            yield (name,), f"the zone {value} is not in the region {region}"
    for name in ("nodeLocations", "replicaZones", "distributionPolicyZones"):
        values = inputs.get(name)
        for number, value in enumerate(values if isinstance(values, list) else ()):
            if isinstance(value, str) and value is not UNKNOWN and _outside(value, region):
                yield (name, number), f"the zone {value} is not in the region {region}"


def _outside(zone: str, region: str) -> bool:
    name = zone.rsplit("/", 1)[-1]
    return name.count("-") == 2 and not name.startswith(f"{region}-")


def _health_check(inputs: Mapping[str, Any]) -> Found:
    interval, timeout = inputs.get("checkIntervalSec", 5), inputs.get("timeoutSec", 5)
    if isinstance(interval, int) and isinstance(timeout, int) and timeout > interval:
        yield ("timeoutSec",), f"{timeout} is longer than checkIntervalSec ({interval})"


def _node_pool(inputs: Mapping[str, Any]) -> Found:
    scaling = inputs.get("autoscaling")
    if not isinstance(scaling, Mapping):
        return
    zonal = [name for name in ("minNodeCount", "maxNodeCount") if scaling.get(name)]
    total = [name for name in ("totalMinNodeCount", "totalMaxNodeCount") if scaling.get(name)]
    if zonal and total:
        yield ("autoscaling", total[0]), f"conflicts with {zonal[0]}: limits are per zone or in total"
    for low, high in (("minNodeCount", "maxNodeCount"), ("totalMinNodeCount", "totalMaxNodeCount")):
        first, last = scaling.get(low), scaling.get(high)
        if isinstance(first, int) and isinstance(last, int) and first > last:
            yield ("autoscaling", low), f"{first} is more than {high} ({last})"


def _secret(inputs: Mapping[str, Any]) -> Found:
    rotation = inputs.get("rotation")
    if (
        isinstance(rotation, Mapping)
        and rotation.get("rotationPeriod")
        and not rotation.get("nextRotationTime")
    ):
        yield ("rotation", "nextRotationTime"), "required where rotationPeriod is set"
    if inputs.get("ttl") and inputs.get("expireTime"):
        yield ("ttl",), "conflicts with expireTime: set only one of them"


def _one_of(*names: str) -> Callable[[Mapping[str, Any]], Found]:
    def check(inputs: Mapping[str, Any]) -> Found:
        given = [name for name in names if inputs.get(name) is not None]
        if len(given) > 1:
            for name in given:
                yield (name,), f"only one of {', '.join(names)} may be set; {', '.join(given)} are"
        elif not given:
            yield (names[0],), f"one of {', '.join(names)} must be set"

    return check


def _dns_record(inputs: Mapping[str, Any]) -> Found:
    kind, content = inputs.get("type"), inputs.get("content")
    if kind not in ("A", "AAAA") or not isinstance(content, str) or content is UNKNOWN:
        return
    version = 4 if kind == "A" else 6
    try:
        matches = ipaddress.ip_address(content).version == version
    except ValueError:
        matches = False
    if not matches:
        yield ("content",), f"{content!r} is not an IPv{version} address, which a record of type {kind} holds"


def _zone_setting(inputs: Mapping[str, Any]) -> Found:
    setting, value = inputs.get("settingId"), inputs.get("value")
    allowed = _ZONE_SETTINGS.get(setting) if isinstance(setting, str) else None
    if allowed is None or value is None or value is UNKNOWN or isinstance(value, (dict, list)):
        return
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    if text not in allowed:
        yield (
            ("value",),
            f"{text!r} is not a value of the setting {setting}: {listed(allowed)}{suggestion(text, allowed)}",
        )


_CHECKS: Final[Mapping[str, tuple[Callable[[Mapping[str, Any]], Found], ...]]] = {
    "cloudflare:index/dnsRecord:DnsRecord": (_dns_record,),
    "cloudflare:index/zoneSetting:ZoneSetting": (_zone_setting,),
    "gcp:compute/healthCheck:HealthCheck": (_health_check,),
    "gcp:compute/regionHealthCheck:RegionHealthCheck": (_health_check,),
    "gcp:container/nodePool:NodePool": (_node_pool,),
    "gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig": (
        _one_of("httpCheck", "tcpCheck", "syntheticMonitor"),
    ),
    "gcp:secretmanager/secret:Secret": (_secret,),
    "mongodbatlas:index/projectIpAccessList:ProjectIpAccessList": (
        _one_of("awsSecurityGroup", "cidrBlock", "ipAddress"),
    ),
}
