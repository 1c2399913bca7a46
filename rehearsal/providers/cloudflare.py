"""Cloudflare.

Which properties only a new resource can change is measured from the provider: see
`rehearsal/providers/constraints`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

from rehearsal.providers import diff, fake_values
from rehearsal.providers.base import Cloud, Function
from rehearsal.providers.outputs import Place
from rehearsal.providers.validation import Problem, problem

# Properties whose change replaces a resource, for types that are newer than the measured facts.
_IDENTITY: Final = diff.patterns("zoneId", "accountId")
# A zone has one resource of each of these types, whose id is the zone's.
_ONE_A_ZONE: Final = frozenset(
    {
        "ArgoSmartRouting", "ArgoTieredCaching", "AuthenticatedOriginPullsSettings", "BotManagement",
        "ManagedTransforms", "RegionalTieredCache", "TieredCache", "TotalTls", "UniversalSslSetting",
        "UrlNormalizationSettings", "ZoneCacheReserve", "ZoneCacheVariants", "ZoneDnssec",
    }
)  # fmt: skip
# https://www.cloudflare.com/ips/
_IPV4: Final = (
    "173.245.48.0/20", "103.21.244.0/22", "103.22.200.0/22", "103.31.4.0/22", "141.101.64.0/18",
    "108.162.192.0/18", "190.93.240.0/20", "188.114.96.0/20", "197.234.240.0/22", "198.41.128.0/17",
    "162.158.0.0/15", "104.16.0.0/13", "104.24.0.0/14", "172.64.0.0/13", "131.0.72.0/22",
)  # fmt: skip
_IPV6: Final = (
    "2400:cb00::/32", "2606:4700::/32", "2803:f800::/32", "2405:b500::/32", "2405:8100::/32",
    "2a06:98c0::/29", "2c0f:f248::/32",
)  # fmt: skip


class Cloudflare(Cloud):
    package: ClassVar[str] = "cloudflare"

    def fixed(self, token: str) -> frozenset[diff.Pattern]:
        return _IDENTITY

    def problems(self, token: str, inputs: Mapping[str, Any]) -> Iterator[Problem]:
        for name in ("zoneId", "accountId"):
            value = inputs.get(name)
            if isinstance(value, str) and not _is_id(value):
                reason = f"{value!r} is not a Cloudflare id: 32 hexadecimal digits"
                yield problem((name,), f"{reason} (the Cloudflare API validates this)")

    def identify(self, urn: str, token: str, inputs: Mapping[str, Any]) -> str:
        kind = _kind(token)
        if kind == "ZoneSetting":
            return str(inputs.get("settingId"))
        if kind in _ONE_A_ZONE:
            return str(inputs.get("zoneId"))
        return fake_values.hexadecimal(32, self.seed(urn, token, inputs))

    def curated(self, token: str, id_: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        match _kind(token):
            case "DnsRecord":
                proxiable = inputs.get("type") in ("A", "AAAA", "CNAME")
                return {"proxiable": proxiable, "meta": "{}", "commentModifiedOn": ""}
            case "Ruleset":
                return {"version": "1", "lastUpdated": fake_values.moment(id_)}
            case "ZoneSetting" | "TieredCache":
                return {"editable": True}
            case "Zone":
                names = [f"{fake_values.hexadecimal(5, id_, at)}.ns.cloudflare.com" for at in ("a", "b")]
                return {"nameServers": names, "status": "active"}
            case "OriginCaCertificate":
                return {"certificate": fake_values.CERTIFICATE, "expiresOn": "2040-12-31T00:00:00Z"}
            case _:
                return {}

    functions: ClassVar[Mapping[str, Function]] = {
        "cloudflare:index/getAccount:getAccount": lambda args, place: _account(args, place),
        "cloudflare:index/getIpRanges:getIpRanges": lambda args, place: {
            "id": "ip_ranges",
            "etag": fake_values.hexadecimal(32, "ip_ranges"),
            "ipv4Cidrs": list(_IPV4),
            "ipv6Cidrs": list(_IPV6),
            "jdcloudCidrs": [],
        },
        "cloudflare:index/getZone:getZone": lambda args, place: _zone(args, place),
    }


def _kind(token: str) -> str:
    return token.rsplit(":", 1)[-1]


def _is_id(value: str) -> bool:
    return len(value) == 32 and all(digit in "0123456789abcdef" for digit in value)


def _account(args: dict[str, Any], place: Place) -> dict[str, Any]:
    id_ = str(args.get("accountId") or fake_values.hexadecimal(32, "account"))
    return {
        "id": id_,
        "accountId": id_,
        "name": "Kingdom Studios",
        "type": "standard",
        "createdOn": fake_values.moment(id_),
        "settings": {"abuseContactEmail": "", "enforceTwofactor": True},
    }


def _zone(args: dict[str, Any], place: Place) -> dict[str, Any]:
    name = str((args.get("filter") or {}).get("name") or "kingdom.studio")
    id_ = str(args.get("zoneId") or fake_values.hexadecimal(32, "zone", name))
    return {
        "id": id_,
        "zoneId": id_,
        "name": name,
        "account": {"id": fake_values.hexadecimal(32, "account"), "name": "Kingdom Studios"},
        "nameServers": [f"{fake_values.hexadecimal(5, id_, at)}.ns.cloudflare.com" for at in ("a", "b")],
        "status": "active",
        "type": "full",
        "paused": False,
        "createdOn": fake_values.moment(id_),
        "modifiedOn": fake_values.moment(id_),
        "activatedOn": fake_values.moment(id_),
        "filter": args.get("filter"),
    }
