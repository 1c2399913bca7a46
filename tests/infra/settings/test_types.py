"""Forms of the strings of a stack file, and the order of database tiers."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from infra.settings.sizing import ATLAS_CONNECTIONS
from infra.settings.types import (
    AtlasSize,
    Cidr,
    Digest,
    DnsLabel,
    Email,
    Hostname,
    LabelValue,
    ObjectId,
    Path,
    ZoneId,
)

VALID = {
    Cidr: ["10.0.0.0/8", "10.255.255.255/32", "0.0.0.0/9"],
    Hostname: ["localhost", "api.kingdom.studio", "a-b.example.org"],
    Email: ["page@kingdom.studio", "a+b@mail.example.com"],
    ObjectId: ["65f1c0de5ca1ab1e0ddba11a"],
    ZoneId: ["023e105f4ecef8ad9ca31a8372d0c353"],
    Digest: [f"sha256:{'0a' * 32}"],
    LabelValue: ["prod", "a", "a_b-c", "a" * 63],
    DnsLabel: ["a", "api-2", "a" * 40],
    Path: ["/", "/v1/media/", "/openapi.json"],
}
INVALID = {
    Cidr: ["10.0.0.0", "10.0.0.256/20", "10.0.0.0/7", "10.0.0.0/33", "2001:db8::/32", "10.0.0.0/20 "],
    Hostname: ["", "kingdom", "-a.example.org", "a-.example.org", "https://a.example.org", "A.example.org"],
    Email: ["page", "page@kingdom", "a b@kingdom.studio", "a@b@kingdom.studio"],
    ObjectId: ["65f1c0de5ca1ab1e0ddba11", "65F1C0DE5CA1AB1E0DDBA11A"],
    ZoneId: ["023e105f4ecef8ad9ca31a8372d0c35", "example"],
    Digest: ["0a" * 32, f"sha256:{'0a' * 31}", "latest", f"sha256:{'0A' * 32}"],
    LabelValue: ["", "Prod", "-a", "a-", "a" * 64],
    DnsLabel: ["", "2a", "a-", "A", "a.b", "a" * 41],
    Path: ["v1/", "/v1?a=1", '/v1"', "/v1 "],
}


def cases(listed: dict[Any, list[str]]) -> list[Any]:
    return [(kind, value) for kind, values in listed.items() for value in values]


@pytest.mark.parametrize(("kind", "value"), cases(VALID))
def test_a_well_formed_value_is_accepted(kind: Any, value: str) -> None:
    assert TypeAdapter(kind).validate_python(value) == value


@pytest.mark.parametrize(("kind", "value"), cases(INVALID))
def test_a_malformed_value_is_refused(kind: Any, value: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(value)


def test_tiers_are_ordered_by_size() -> None:
    assert [size.rank for size in AtlasSize] == list(range(len(AtlasSize)))
    assert AtlasSize.M40.rank < AtlasSize.M80.rank < AtlasSize.M200.rank
    accepted = [ATLAS_CONNECTIONS[size] for size in AtlasSize]
    assert accepted == sorted(accepted), "a larger tier accepts no fewer connections"
