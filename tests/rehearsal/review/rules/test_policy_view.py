"""The conversion of a planned stack for policies: declared inputs, with plain secrets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from policies.api import UNKNOWN as POLICY_UNKNOWN
from rehearsal.engine.state.resource_state import ResourceState, Snapshot
from rehearsal.pulumi.properties import UNKNOWN, Secret
from rehearsal.pulumi.urn import make_urn
from rehearsal.review.rules.policy_view import declared

REDIS = "gcp:redis/instance:Instance"


def state(name: str, inputs: dict[str, Any], **options: Any) -> ResourceState:
    return ResourceState(make_urn("dev", "kingdom", REDIS, name), REDIS, True, inputs=inputs, **options)


def test_resource_has_its_identity_options_and_declared_inputs() -> None:
    parent = make_urn("dev", "kingdom", "kingdom:index:Cache", "all")
    options: dict[str, Any] = {"protect": True, "ignore_changes": ("labels",), "parent": parent}
    item = state("cache", {"memorySizeGb": 5}, outputs={"host": "10.0.0.1"}, **options)
    (found,) = declared(Snapshot((item,))).of_type(REDIS)
    assert (found.urn, found.type, found.name, found.parent) == (item.urn, REDIS, "cache", parent)
    assert (found.protect, found.ignore_changes) == (True, ("labels",))
    assert found.node.raw == {"memorySizeGb": 5}


def test_secrets_are_opened_at_any_depth() -> None:
    inputs = {"a": Secret("x"), "b": [Secret({"c": Secret([1])}), 2], "d": Secret(None)}
    (found,) = declared(Snapshot((state("cache", inputs),))).of_type(REDIS)
    assert found.node.raw == {"a": "x", "b": [{"c": [1]}, 2], "d": None}


def test_unknown_values_stay_unknown() -> None:
    (found,) = declared(Snapshot((state("cache", {"a": UNKNOWN, "b": Secret(UNKNOWN)}),))).of_type(REDIS)
    assert not found.node["a"].known()
    assert not found.node["b"].known()
    assert found.node["a"].raw is POLICY_UNKNOWN


def test_resources_to_be_deleted_are_left_out_and_the_others_sorted() -> None:
    gone = replace(state("a", {"memorySizeGb": 1}), delete=True)
    snapshot = Snapshot((state("c", {}), gone, state("b", {})))
    assert [item.name for item in declared(snapshot).of_type(REDIS)] == ["b", "c"]
