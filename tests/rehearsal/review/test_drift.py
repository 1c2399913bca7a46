"""Drift in a refresh preview: changes by autoscalers are left out, every other one is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rehearsal.errors import InputError
from rehearsal.review.drift import drifts, main

NODE_POOL = "gcp:container/nodePool:NodePool"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
STATEFUL_SET = "kubernetes:apps/v1:StatefulSet"
ATLAS = "mongodbatlas:index/advancedCluster:AdvancedCluster"


def step(type_: str, before: Any, after: Any, op: str = "update", name: str = "it") -> dict[str, Any]:
    """A step of the preview, with inputs before and after; None leaves a state out."""
    states = {"oldState": before, "newState": after}
    urn = f"urn:pulumi:dev::kingdom::{type_}::{name}"
    return {"op": op, "urn": urn} | {
        key: {"inputs": value} for key, value in states.items() if value is not None
    }


def found(*steps: dict[str, Any]) -> list[str]:
    return [str(item) for item in drifts({"steps": list(steps)})]


def cluster(**specs: Any) -> dict[str, Any]:
    return {"replicationSpecs": [{"regionConfigs": [{"electableSpecs": specs}]}]}


@pytest.mark.parametrize(
    ("type_", "before", "after"),
    [
        (DEPLOYMENT, {"spec": {}}, {"spec": {"replicas": 40}}),
        (NODE_POOL, {"nodeCount": 1, "initialNodeCount": 1}, {"nodeCount": 3, "initialNodeCount": 3}),
        (
            ATLAS,
            cluster(instanceSize="M10", diskSizeGb=10, diskIops=1),
            cluster(instanceSize="M30", diskSizeGb=40, diskIops=3),
        ),
    ],
)
def test_values_that_an_autoscaler_owns_are_not_drift(type_: str, before: Any, after: Any) -> None:
    assert found(step(type_, before, after)) == []


@pytest.mark.parametrize(
    ("type_", "before", "after", "paths"),
    [
        (NODE_POOL, {"nodeCount": 1, "spot": True}, {"nodeCount": 3}, "spot"),
        (DEPLOYMENT, {"spec": {"a": 1}}, {"spec": {"replicasX": 2, "a": 2}}, "spec.a, spec.replicasX"),
        (
            ATLAS,
            cluster(nodeCount=3),
            cluster(nodeCount=5),
            "replicationSpecs[0].regionConfigs[0].electableSpecs.nodeCount",
        ),
        # Only the autoscaler of the type owns the path.
        (STATEFUL_SET, {"spec": {"replicas": 1}}, {"spec": {"replicas": 2}}, "spec.replicas"),
    ],
)
def test_every_other_change_is_drift_with_its_paths(type_: str, before: Any, after: Any, paths: str) -> None:
    assert found(step(type_, before, after)) == [f"it ({type_}): {paths}"]


def test_deleted_resource_is_drift_without_paths() -> None:
    assert found(step(NODE_POOL, {"nodeCount": 1}, None, "delete")) == [f"it ({NODE_POOL}): gone"]
    # Without a new state, whatever the operation is called.
    assert found(step(NODE_POOL, {"nodeCount": 1}, None, "refresh")) == [f"it ({NODE_POOL}): refresh"]


def test_unchanged_and_read_resources_are_not_drift() -> None:
    assert (
        found(step(NODE_POOL, {"a": 1}, {"a": 2}, "same"), step(NODE_POOL, {"a": 1}, {"a": 2}, "read")) == []
    )
    assert found(step(NODE_POOL, {"a": 1}, {"a": 1})) == []


def test_preview_of_a_stack_without_resources_has_no_drift() -> None:
    assert list(drifts({})) == []


@pytest.mark.parametrize(
    "preview",
    [
        [],
        "text",
        {"steps": {}},
        {"steps": [None]},
        {"steps": [{"op": "update"}]},
        {"steps": [{"op": 3, "urn": "urn:pulumi:dev::kingdom::a:b:C::it"}]},
        {"steps": [{"op": "update", "urn": "it"}]},
        {"steps": [{"op": "update", "urn": "urn:pulumi:dev::kingdom::a:b:C::it", "oldState": 3}]},
    ],
)
def test_other_json_is_refused(preview: Any) -> None:
    with pytest.raises(InputError, match="not the JSON of `pulumi refresh --preview-only --json`"):
        list(drifts(preview))


def test_command_prints_a_line_for_each_resource_and_exits_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "drift.json"
    steps = [step(NODE_POOL, {"a": 1}, {"a": 2}, name=name) for name in ("one", "two")]
    file.write_text(json.dumps({"steps": steps}))
    assert main([str(file)]) == 1
    assert capsys.readouterr().out == f"- one ({NODE_POOL}): a\n- two ({NODE_POOL}): a\n2 drifted\n"


def test_command_exits_with_0_without_drift(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "drift.json"
    file.write_text('{"steps": []}')
    assert main([str(file)]) == 0
    assert capsys.readouterr().out == "no drift\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "error: {file} cannot be read: No such file or directory\n"),
        ("{", "error: {file}: Expecting property name"),
        ("[]", "error: {file}: this is not the JSON of `pulumi refresh"),
        (
            '{"steps": [{"op": "update", "urn": "a", "oldState": null}]}',
            "error: {file}: this is not the JSON",
        ),
    ],
)
def test_command_exits_with_2_for_a_file_that_is_not_a_preview(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, message: str
) -> None:
    file = tmp_path / "drift.json"
    if text is not None:
        file.write_text(text)
    assert main([str(file)]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith(message.replace("{file}", str(file)))


def test_command_without_a_file_prints_its_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert capsys.readouterr().err == "usage: python -m rehearsal.review.drift FILE\n"
