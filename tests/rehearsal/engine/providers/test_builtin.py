"""Builtin provider: stashes, stack references and `getResource`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pulumi.runtime.proto import provider_pb2

from rehearsal.engine.providers.builtin import BuiltinProvider
from rehearsal.engine.state.resource_state import ResourceState, Snapshot
from rehearsal.engine.state.snapshot_manager import SnapshotManager
from rehearsal.providers.errors import ProviderError
from rehearsal.pulumi.properties import UNKNOWN, Secret, decode, encode

STASH = "pulumi:index:Stash"
REFERENCE = "pulumi:pulumi:StackReference"
THING = ResourceState(
    "urn:pulumi:test::toys::toy:index:Thing::a",
    "toy:index:Thing",
    True,
    id="1",
    outputs={"size": 1},
    provider="p::1",
)
FORMER = replace(THING, urn="urn:pulumi:test::toys::toy:index:Thing::former")
STACKS = {"other": {"url": "https://x.test", "password": Secret("hidden")}}


def provider(*, preview: bool = False) -> BuiltinProvider:
    return BuiltinProvider(
        SnapshotManager(Snapshot((THING, FORMER)), None),
        STACKS.get,
        {THING.urn}.__contains__,
        requires_stacks=not preview,
    )


def invoke(token: str, *, preview: bool = False, **args: Any) -> Any:
    response = provider(preview=preview).Invoke(
        provider_pb2.InvokeRequest(tok=token, args=encode(args)), None
    )
    return decode(getattr(response, "return"))


@pytest.mark.parametrize(
    ("type_", "inputs", "reasons"),
    [
        (STASH, {"input": 1}, []),
        (REFERENCE, {"name": "other"}, []),
        (STASH, {}, ["missing required property 'input'"]),
        (REFERENCE, {"name": "other", "x": 1}, ["unknown property 'x'"]),
        (REFERENCE, {"name": UNKNOWN}, []),
        (REFERENCE, {"name": 3}, ["property 'name' must be a string"]),
        (REFERENCE, {"name": Secret("other")}, ["property 'name' must be a string"]),
    ],
)
def test_inputs_are_checked(type_: str, inputs: dict[str, Any], reasons: list[str]) -> None:
    response = provider().Check(provider_pb2.CheckRequest(type=type_, news=encode(inputs)), None)
    assert [failure.reason for failure in response.failures] == reasons


def test_other_types_are_refused() -> None:
    with pytest.raises(ProviderError, match="unrecognized resource type 'pulumi:index:Other'"):
        provider().Check(provider_pb2.CheckRequest(type="pulumi:index:Other"), None)


@pytest.mark.parametrize(("type_", "key", "replaces"), [(STASH, "input", []), (REFERENCE, "name", ["name"])])
def test_only_another_stack_requires_a_replacement(type_: str, key: str, replaces: list[str]) -> None:
    def diff(old: str, new: str) -> provider_pb2.DiffResponse:
        request = provider_pb2.DiffRequest(type=type_, old_inputs=encode({key: old}), news=encode({key: new}))
        return provider().Diff(request, None)

    assert diff("a", "a").changes == provider_pb2.DiffResponse.DIFF_NONE
    assert list(diff("a", "b").diffs) == [key]
    assert list(diff("a", "b").replaces) == replaces


def test_stash_outputs_the_input_of_its_creation() -> None:
    created = provider().Create(
        provider_pb2.CreateRequest(type=STASH, properties=encode({"input": "first"})), None
    )
    assert created.id
    assert decode(created.properties) == {"input": "first", "output": "first"}
    updated = provider().Update(
        provider_pb2.UpdateRequest(olds=created.properties, news=encode({"input": "second"})), None
    )
    assert decode(updated.properties) == {"input": "second", "output": "first"}
    preview = provider_pb2.CreateRequest(type=STASH, properties=encode({"input": "first"}), preview=True)
    assert provider().Create(preview, None).id == ""


def test_stack_reference_reads_outputs_and_names_the_secret_ones() -> None:
    response = provider().Create(
        provider_pb2.CreateRequest(type=REFERENCE, properties=encode({"name": "other"})), None
    )
    expected = {"name": "other", "outputs": STACKS["other"], "secretOutputNames": ["password"]}
    assert decode(response.properties) == expected
    assert invoke("pulumi:pulumi:readStackOutputs", name="other") == expected


def test_outputs_of_an_unknown_stack_are_unknown_in_a_preview_and_an_error_in_an_update() -> None:
    assert invoke("pulumi:pulumi:readStackOutputs", preview=True, name="absent")["outputs"] is UNKNOWN
    with pytest.raises(ProviderError, match=r"unknown stack 'absent'.*rehearsal:stackReferences"):
        invoke("pulumi:pulumi:readStackOutputs", name="absent")


def test_resource_is_read_from_the_records() -> None:
    found = invoke("pulumi:pulumi:getResource", urn=THING.urn)
    assert found == {"urn": THING.urn, "id": "1", "provider": "p::1", "state": {"size": 1}}


@pytest.mark.parametrize("urn", ["urn:x", FORMER.urn])
def test_resource_that_is_not_registered_in_the_operation_is_unknown(urn: str) -> None:
    with pytest.raises(ProviderError, match=f"unknown resource {urn}"):
        invoke("pulumi:pulumi:getResource", urn=urn)


def test_other_functions_are_refused() -> None:
    with pytest.raises(ProviderError, match="kingdom does not support it"):
        invoke("pulumi:pulumi:readStackResourceOutputs", stackName="other")
    with pytest.raises(ProviderError, match="unrecognized function name: 'pulumi:pulumi:other'"):
        invoke("pulumi:pulumi:other")


def test_read_refreshes_a_stack_reference_and_leaves_a_stash() -> None:
    def read(type_: str, **inputs: Any) -> provider_pb2.ReadResponse:
        request = provider_pb2.ReadRequest(
            id="1", type=type_, inputs=encode(inputs), properties=encode({"output": "old"})
        )
        return provider().Read(request, None)

    assert decode(read(STASH, input=1).properties) == {"output": "old"}
    assert decode(read(REFERENCE, name="other").properties)["outputs"] == STACKS["other"]
    for type_ in (REFERENCE, STASH):
        with pytest.raises(ProviderError, match="cannot be imported"):
            read(type_)
    with pytest.raises(ProviderError, match="unrecognized resource type"):
        read("pulumi:index:Other")
