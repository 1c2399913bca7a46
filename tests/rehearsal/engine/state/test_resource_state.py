"""Resource states: references, renames, order, and their JSON form with encrypted secrets."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace
from typing import Any

import pytest

from rehearsal.engine.state.resource_state import ResourceState, Snapshot, from_json, in_order, to_json
from rehearsal.engine.state.secrets import Crypter
from rehearsal.pulumi.properties import SECRET_SIGNATURE, SIGNATURE, UNKNOWN, Secret

CRYPTER = Crypter.create("a passphrase of no consequence", temporary=True)
TYPE = "toy:index:Thing"


def urn(name: str) -> str:
    return f"urn:pulumi:test::toys::{TYPE}::{name}"


def state(name: str, **more: Any) -> ResourceState:
    return ResourceState(urn(name), TYPE, True, id=f"id-{name}", **more)


FULL = state(
    "full",
    inputs={"password": Secret({"text": "hidden"}), "list": [1, None, True]},
    outputs={"size": 1.5},
    parent=urn("parent"),
    provider=f"{urn('provider')}::1",
    dependencies=(urn("a"),),
    property_dependencies={"password": (urn("b"),), "none": ()},
    protect=True,
    external=True,
    delete=True,
    pending_replacement=True,
    tainted=True,
    retain_on_delete=True,
    deleted_with=urn("c"),
    replace_with=(urn("d"),),
    replacement_trigger={"at": Secret(1)},
    init_errors=("still starting",),
    additional_secret_outputs=("token",),
    ignore_changes=("tags",),
    replace_on_changes=("name",),
    hide_diffs=("data",),
    hooks={"BeforeDelete": ("notify",)},
    custom_timeouts={"create": 60.0},
    import_id="existing",
    source_position="__main__.py:4",
    created="2026-01-01T00:00:00.000Z",
    modified="2026-01-02T00:00:00.000Z",
)


def test_every_field_is_restored_from_json() -> None:
    default = state("full")
    assert all(
        getattr(FULL, item.name) != getattr(default, item.name)
        for item in fields(ResourceState)
        if item.name not in ("urn", "type", "custom", "id")
    ), "a field without a value is not covered by this test"
    text = json.dumps(to_json(FULL, CRYPTER))
    assert "hidden" not in text
    assert from_json(json.loads(text), CRYPTER) == FULL


@pytest.mark.parametrize(
    ("value", "bits"),
    [(math.inf, "7ff0000000000000"), (-math.inf, "fff0000000000000"), (math.nan, "7ff8000000000000")],
)
def test_infinite_numbers_are_recorded_by_their_bits(value: float, bits: str) -> None:
    """As the CLI does: JSON has no such numbers."""
    data = to_json(state("a", outputs={"n": [value], "s": Secret(value)}), CRYPTER)
    assert data["outputs"]["n"][0]["value"] == bits
    json.dumps(data, allow_nan=False)
    restored = from_json(data, CRYPTER).outputs
    assert repr(restored["n"][0]) == repr(restored["s"].element) == repr(value)


def test_empty_fields_are_omitted() -> None:
    component = ResourceState(urn("a"), TYPE, False)
    assert to_json(component, CRYPTER) == {"urn": urn("a"), "type": TYPE, "custom": False}


def test_secrets_hold_their_ciphertext_without_a_crypter() -> None:
    data = to_json(FULL, CRYPTER)
    ciphertext = data["inputs"]["password"]["ciphertext"]
    assert from_json(data, None).inputs["password"] == Secret(ciphertext)


def test_plaintext_secrets_of_an_export_are_secret() -> None:
    secret = {SIGNATURE: SECRET_SIGNATURE, "plaintext": '"shown"'}
    data = {"urn": urn("a"), "type": TYPE, "custom": True, "inputs": {"password": secret}}
    assert from_json(data, CRYPTER).inputs == {"password": Secret("shown")}


@pytest.mark.parametrize("value", [UNKNOWN, [UNKNOWN], Secret(UNKNOWN)])
def test_unknown_values_are_not_recorded(value: Any) -> None:
    with pytest.raises(ValueError, match="unknown"):
        to_json(state("a", inputs={"key": value}), CRYPTER)


@pytest.mark.parametrize(
    ("changes", "error", "reason"),
    [
        ({"urn": "urn:pulumi:test::toys::a"}, ValueError, "urn must be of the form"),
        ({"urn": ""}, TypeError, "urn must be a string"),
        ({"type": 1}, TypeError, "type must be a string"),
        ({"parent": 1}, TypeError, "parent must be a string"),
        ({"inputs": []}, TypeError, "inputs must be an object"),
        ({"dependencies": "a"}, TypeError, "dependencies must be a list of strings"),
        ({"dependencies": [1]}, TypeError, "dependencies must be a list of strings"),
        ({"propertyDependencies": {"key": [None]}}, TypeError, "key must be a list of strings"),
    ],
)
def test_malformed_records_are_refused_with_the_field(
    changes: dict[str, Any], error: type[Exception], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        from_json({"urn": urn("a"), "type": TYPE, "custom": True} | changes, CRYPTER)


def test_references_are_those_of_every_kind() -> None:
    assert set(FULL.references()) == {urn(name) for name in ("parent", "provider", "a", "b", "c", "d")}
    assert list(state("a").references()) == []


def test_key_distinguishes_a_retired_resource_from_its_replacement() -> None:
    assert state("a").key == (urn("a"), "")
    assert state("a", delete=True).key == (urn("a"), "id-a")


@pytest.mark.parametrize("name", ["full", "parent", "provider", "a", "b", "c", "d"])
def test_rename_changes_every_reference_and_no_other(name: str) -> None:
    renamed = FULL.with_renamed(urn(name), urn("new"))
    before, after = ([item.urn, *item.references()] for item in (FULL, renamed))
    assert [urn("new") if value == urn(name) else value for value in before] == after
    assert renamed.provider.endswith("::1")


def test_deleted_references_are_removed() -> None:
    deleted = {urn(name) for name in ("parent", "a", "b", "c", "d")}
    left = FULL.without(deleted)
    assert list(left.references()) == [urn("provider")]
    assert FULL.without(()) == FULL


def test_creation_time_is_that_of_the_previous_record() -> None:
    first = state("a").stamped(None)
    assert first.created == first.modified
    assert first.created.endswith("Z")
    again = state("a").stamped(replace(first, created="2020-01-01T00:00:00.000Z"))
    assert again.created == "2020-01-01T00:00:00.000Z"
    assert again.modified >= first.modified


def test_snapshot_lists_live_resources_only() -> None:
    live, retired = state("a"), replace(state("a", delete=True), id="old")
    assert Snapshot((live, retired)).live() == {urn("a"): live}


def test_resources_follow_the_ones_they_refer_to() -> None:
    provider, a = state("provider"), state("a", provider=f"{urn('provider')}::id-provider")
    b, c = state("b", dependencies=(urn("a"),)), state("c")
    assert in_order([b, c, a, provider]) == (provider, a, b, c)
    assert in_order([c, provider, a, b]) == (c, provider, a, b)


def test_order_follows_a_provider_that_is_retired() -> None:
    old = state("provider", delete=True)
    new = replace(state("provider"), id="new")
    user = state("a", provider=f"{old.urn}::{old.id}")
    assert in_order([user, old]) == (old, user)
    assert in_order([user, new, old]).index(old) < in_order([user, new, old]).index(user)


def test_order_of_a_cycle_holds_every_resource_once() -> None:
    cycle = [state("a", dependencies=(urn("b"),)), state("b", dependencies=(urn("a"),))]
    assert sorted(item.id for item in in_order(cycle)) == ["id-a", "id-b"]
