"""Attributes of Atlas that can be set at creation only: a change is refused, as the provider refuses it."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.providers.constraints.create_only import refused_changes
from rehearsal.providers.constraints.names import mapped_type
from rehearsal.pulumi.properties import UNKNOWN, Secret
from tests.rehearsal.providers.calls import Calls, urn

FLEX = "mongodbatlas:index/flexCluster:FlexCluster"
PROJECT = "mongodbatlas:index/project:Project"
CLUSTER = "mongodbatlas:index/advancedCluster:AdvancedCluster"
ORGANIZATION = "mongodbatlas:index/organization:Organization"
ENDPOINT = "mongodbatlas:index/privateLinkEndpoint:PrivateLinkEndpoint"
AWS = {"backingProviderName": "AWS", "regionName": "US_EAST_1"}


def refused(token: str, new: dict[str, Any], old: dict[str, Any]) -> list[str]:
    mapped = mapped_type(token)
    assert mapped is not None
    return [found.path for found in refused_changes(mapped, new, old, "provider")]


@pytest.mark.parametrize(
    ("token", "old", "new", "path"),
    [
        (FLEX, {"name": "a"}, {"name": "b"}, "name"),
        (FLEX, {"projectId": "a"}, {"projectId": "b"}, "projectId"),
        (
            FLEX,
            {"providerSettings": AWS},
            {"providerSettings": AWS | {"regionName": "EU_WEST_1"}},
            "providerSettings.regionName",
        ),
        (FLEX, {}, {"deleteOnCreateTimeout": False}, "deleteOnCreateTimeout"),
        (CLUSTER, {"deleteOnCreateTimeout": False}, {"deleteOnCreateTimeout": True}, "deleteOnCreateTimeout"),
        (PROJECT, {"projectOwnerId": "a"}, {"projectOwnerId": "b"}, "projectOwnerId"),
        (PROJECT, {"projectOwnerId": "a"}, {}, "projectOwnerId"),
        (PROJECT, {}, {"withDefaultAlertsSettings": False}, "withDefaultAlertsSettings"),
        (ORGANIZATION, {"roleNames": ["ORG_OWNER"]}, {"roleNames": ["ORG_MEMBER"]}, "roleNames"),
        (ENDPOINT, {}, {"portMappingEnabled": True}, "portMappingEnabled"),
        (PROJECT, {"projectOwnerId": Secret("a")}, {"projectOwnerId": Secret("b")}, "projectOwnerId"),
    ],
)
def test_change_of_a_value_that_is_set_at_creation_only_is_refused(
    token: str, old: dict[str, Any], new: dict[str, Any], path: str
) -> None:
    assert refused(token, new, old) == [path]


@pytest.mark.parametrize(
    ("token", "old", "new"),
    [
        (FLEX, {"name": "a", "tags": {"a": "b"}}, {"name": "a", "tags": {}}),
        (FLEX, {"name": "a"}, {"name": UNKNOWN}),
        (FLEX, {"deleteOnCreateTimeout": False}, {}),
        (FLEX, {}, {"deleteOnCreateTimeout": True}),
        (PROJECT, {}, {"projectOwnerId": "a"}),
        (PROJECT, {"withDefaultAlertsSettings": False}, {}),
        (ENDPOINT, {}, {"portMappingEnabled": False}),
        (ORGANIZATION, {"roleNames": ["A", "B"]}, {"roleNames": ["B", "A"]}),
    ],
)
def test_other_changes_are_accepted(token: str, old: dict[str, Any], new: dict[str, Any]) -> None:
    assert refused(token, new, old) == []


def test_change_is_refused_in_a_preview_and_a_new_resource_is_not(atlas: Calls) -> None:
    old = {"name": "a", "projectId": "5e7e00128f8ce03996a47179", "providerSettings": AWS}
    new = old | {"name": "b"}
    failures = atlas.check(urn(FLEX), new, old).failures
    assert list(failures) == ["name"]
    assert "terraform-provider-mongodbatlas refuses this plan" in failures["name"]
    assert not atlas.check(urn(FLEX), new).failures
    assert not atlas.check(urn(FLEX), new, old | {"__imported": True}).failures
