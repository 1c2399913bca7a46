"""Refusals of Cloudflare's provider over several properties, as its validators decide them."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.providers.constraints.plans.plan_checks import refused_plans
from rehearsal.pulumi.properties import UNKNOWN

LIST = "cloudflare:index/list:List"
EXCLUDED = "items[0].hostname.excludeExactHostname"


@pytest.mark.parametrize(
    ("kind", "item", "path"),
    [
        ("ip", {"ip": "10.0.0.1"}, None),
        ("ip", {"ip": UNKNOWN}, None),
        ("ip", {"asn": 1}, "items[0].ip"),
        ("asn", {"comment": "a"}, "items[0].asn"),
        (UNKNOWN, {"comment": "a"}, None),
        ("hostname", {"hostname": {"urlHostname": "a.example.com"}}, None),
        ("hostname", {"hostname": {"urlHostname": "*.example.com", "excludeExactHostname": False}}, None),
        ("hostname", {"hostname": {"urlHostname": "*.example.com"}}, EXCLUDED),
        ("hostname", {"hostname": {"urlHostname": "example.com", "excludeExactHostname": True}}, EXCLUDED),
        ("hostname", {"hostname": {"urlHostname": UNKNOWN, "excludeExactHostname": True}}, None),
    ],
)
def test_items_of_a_list_are_of_its_kind(kind: Any, item: dict[str, Any], path: str | None) -> None:
    found = refused_plans(LIST, {"kind": kind, "items": [item]}, {}, "provider")
    assert {one.path for one in found} == ({path} if path else set())
