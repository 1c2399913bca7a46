"""Formats of text values: times, durations, networks, labels, principals of a policy."""

from __future__ import annotations

import base64
import ipaddress
import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import datetime
from itertools import pairwise
from typing import Any, Final
from urllib.parse import urlsplit

from policies.api import parse_schedule

_RFC3339: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})")
_GO_DURATION: Final = re.compile(r"[+-]?(0|((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)")
_SECONDS: Final = re.compile(r"(\d+(\.\d+)?)s")
_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_HOUR: Final = re.compile(r"([01]\d|2[0-3]):00")
# `validateIAMMember` of the Google provider, which accepts members of any kind.
_MEMBER: Final = re.compile(
    r"(?!deleted)(?s:.*?)(.+:.+|projectOwners|projectReaders|projectWriters|allUsers|allAuthenticatedUsers)"
)
_BUCKET_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_PRIVATE: Final = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
_ONE_DAY: Final = 86_400
_FRACTION: Final = 10  # a dot and at most nine digits (`validateKmsCryptoKeyRotationPeriod`)
_LABEL_LENGTH: Final = 63


def fault(name: str, value: Any) -> str | None:
    """Return why `value` is not in the format `name`; None where it is, or where the format is not known."""
    found = _FORMATS.get(name)
    if found is None:
        return None
    fits, example = found
    return None if fits(value) else f"{_quoted(value)} is not {example}"


def label_fault(key: str, value: Any) -> str | None:
    """Return why Google's APIs refuse a label; an unknown value is accepted.

    https://cloud.google.com/resource-manager/docs/labels-overview#requirements. The provider sends labels
    unchecked (hashicorp/terraform-provider-google#22246).
    """
    if not (0 < len(key) <= _LABEL_LENGTH and _label_letter(key[0]) and all(map(_label_character, key))):
        allowed = f"at most {_LABEL_LENGTH} lowercase letters, digits, '_' and '-', a letter first"
        return f"the label key {_quoted(key)} is not allowed: {allowed}"
    if isinstance(value, str) and not (len(value) <= _LABEL_LENGTH and all(map(_label_character, value))):
        allowed = f"at most {_LABEL_LENGTH} lowercase letters, digits, '_' and '-'"
        return f"the label value {_quoted(value)} is not allowed: {allowed}"
    return None


def _label_letter(character: str) -> bool:
    return unicodedata.category(character) in ("Ll", "Lo")


def _label_character(character: str) -> bool:
    return character in "_-" or _label_letter(character) or unicodedata.category(character)[0] == "N"


def _quoted(value: Any) -> str:
    return repr(value[:60]) if isinstance(value, str) else "the list"


def _rfc3339(value: str) -> bool:
    if _RFC3339.fullmatch(value) is None:
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _network(value: str) -> bool:
    if "/" not in value:
        return False
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        return False
    return True


def _strict_network(value: str, first: int = 0, last: int = 32) -> bool:
    """`validation.IsCIDRNetwork` of Terraform's plugin SDK: no bits of a host, a prefix within bounds."""
    try:
        network = ipaddress.ip_network(value)
    except ValueError:
        return False
    return "/" in value and first <= network.prefixlen <= last


def _private_network(value: str) -> bool:
    """`ValidateRFC1918Network` of the Google provider, for prefixes from 8 to 32."""
    if not _strict_network(value, 8):
        return False
    network = ipaddress.ip_network(value)
    return any(network.network_address in private for private in _PRIVATE)


def _cron(value: str) -> bool:
    try:
        parse_schedule(value)
    except ValueError:
        return False
    return True


def _bucket_name(value: str) -> bool:
    """https://cloud.google.com/storage/docs/buckets#naming."""
    return (
        _BUCKET_NAME.fullmatch(value) is not None
        and all(0 < len(part) <= _LABEL_LENGTH for part in value.split("."))
        and not _address(value)
    )


def _address(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def _normalized_address(value: str) -> bool:
    """`listIPValidator` of the Cloudflare provider; texts that are neither address nor range are accepted."""
    try:
        if "/" not in value:
            return value == str(ipaddress.ip_address(value))
        network = ipaddress.ip_network(value, strict=False)
    except ValueError:
        return True
    return network.prefixlen < network.max_prefixlen and value == str(network)


def _access_rule_address(value: str) -> bool:
    """`accessRuleIPv6Validator` and `accessRuleCIDRValidator` of the Cloudflare provider."""
    try:
        if "/" not in value:
            address = ipaddress.ip_address(value)
            return address.version == 4 or value == address.exploded
        network = ipaddress.ip_network(value, strict=False)
    except ValueError:
        return True
    return network.prefixlen in ((16, 24) if network.version == 4 else (32, 48, 64))


def _url_with_path(value: str) -> bool:
    """`SourceUrlValidator` of the Cloudflare provider."""
    url = value if value.startswith(("http://", "https://")) else f"https://{value}"
    try:
        return value.isprintable() and urlsplit(url).path != ""
    except ValueError:
        return False


def _json(value: str) -> bool:
    try:
        json.loads(value)
    except ValueError:
        return False
    return True


def _json_array(value: str) -> bool:
    """Whether a text is null or a JSON array without null (`validateBigQueryTableSchema`)."""
    try:
        items = json.loads(value)
    except ValueError:
        return False
    return items is None or (isinstance(items, list) and None not in items)


def _policy(value: str) -> bool:
    try:
        return value == "" or isinstance(json.loads(value), dict)
    except ValueError:
        return False


def _member(value: str) -> bool:
    return _MEMBER.match(value) is not None


def _base64(value: str) -> bool:
    """The standard encoding, with line breaks, as Go decodes it."""
    try:
        base64.b64decode(value.replace("\r", "").replace("\n", ""), validate=True)
    except ValueError:
        return False
    return True


def _a_day(value: str) -> bool:
    found = _SECONDS.fullmatch(value)
    return found is not None and float(found[1]) >= _ONE_DAY and len(found[2] or "") <= _FRACTION


def _descending(value: Any) -> bool:
    """`RegionSpecPriorityOrderDecreasingValidator`: regions without electable nodes share the priority 0."""
    order = [
        item["priority"]
        for item in value
        if isinstance(item, Mapping) and isinstance(item.get("priority"), (int, float))
    ]
    return all(first >= second for first, second in pairwise(order))


_FORMATS: Final[dict[str, tuple[Callable[[Any], bool], str]]] = {
    "rfc3339": (_rfc3339, 'a time in RFC 3339, such as "2026-01-03T02:00:00Z"'),
    "cidr": (_network, 'an address range, such as "10.0.0.0/20"'),
    "network": (_strict_network, 'a network without bits of a host, such as "10.0.0.0/20"'),
    "network /28": (
        lambda value: _strict_network(value, 28, 28),
        'a network of 16 addresses, such as "172.16.0.0/28"',
    ),
    "private network": (_private_network, 'a private network, such as "10.4.0.0/14"'),
    "bucket-name": (
        _bucket_name,
        "the name of a bucket: lowercase letters, digits, '-', '_' and '.', no address, no part over 63",
    ),
    "cron": (_cron, 'a schedule of cron, such as "0 3 * * *"'),
    "ip-or-cidr": (
        lambda value: _network(value) or _address(value),
        'an IP address or an address range, such as "10.0.0.0/20"',
    ),
    "ip": (_address, 'an IP address, such as "10.0.0.1"'),
    "go-duration": (lambda value: _GO_DURATION.fullmatch(value) is not None, 'a duration, such as "1h30m"'),
    "seconds-duration at least 86400s": (_a_day, 'a duration of a day or more in seconds, such as "86400s"'),
    "hh:mm": (lambda value: _CLOCK.fullmatch(value) is not None, 'a time of day, such as "03:30"'),
    "hh:00": (lambda value: _HOUR.fullmatch(value) is not None, 'a full hour, such as "03:00"'),
    "json": (_json, "JSON"),
    "json array": (_json_array, "a JSON array without null"),
    "iam-policy-json": (_policy, "a policy in JSON"),
    "iam-member": (
        _member,
        'a member with its kind, such as "serviceAccount:name@project.iam.gserviceaccount.com"',
    ),
    "trailing-dot": (
        lambda value: value.endswith("."),
        'a name with a dot at its end, such as "example.com."',
    ),
    "non-empty": (lambda value: value != "", "allowed to be empty"),
    "base64": (_base64, "base64"),
    "normalized address": (
        _normalized_address,
        'an address or range in its shortest form, without "/32" or "/128", such as "10.0.0.0/20"',
    ),
    "address of an access rule": (
        _access_rule_address,
        "a full IPv6 address, or a range with the prefix 16 or 24 (IPv6: 32, 48 or 64)",
    ),
    "url with a path": (_url_with_path, 'a URL with a path, such as "example.com/"'),
    "descending-priority": (_descending, "in descending order of priority"),
}
