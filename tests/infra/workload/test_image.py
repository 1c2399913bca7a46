"""The image: an update by hand keeps the one that was deployed."""

from __future__ import annotations

from pathlib import Path

import pytest

from rehearsal.engine.events import Op
from tests.infra.rehearsal import configuration, operation, rehearse

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # two updates and two plans of a whole stack
OLD, NEW = (f"sha256:{mark * 64}" for mark in "ab")


def test_an_update_by_hand_keeps_the_image_that_was_deployed(tmp_path: Path) -> None:
    values = configuration("dev")
    assert values["kingdom:workload"]["image"]["digest"] == "deployed"
    values["kingdom:workload"]["image"]["digest"] = OLD
    rehearse("dev", tmp_path, values)
    values["kingdom:workload"]["image"]["digest"] = "deployed"
    values["kingdom:workload"]["logLevel"] = "info"
    plan = operation("dev", tmp_path, values).preview()
    deployments = [item for item in plan.snapshot.resources if item.type == "kubernetes:apps/v1:Deployment"]
    images = {item.inputs["spec"]["template"]["spec"]["containers"][0]["image"] for item in deployments}
    assert [image.rpartition("@")[2] for image in images] == [OLD]
    updated = [
        step for step in plan.steps if step.type == "kubernetes:apps/v1:Deployment" and step.op is Op.UPDATE
    ]
    assert len(updated) == len(deployments)  # the changed configuration still rolls the pods
    values["kingdom:workload"]["image"]["digest"] = NEW
    plan = operation("dev", tmp_path, values).preview()
    changed = {str(change.new) for step in plan.steps for change in step.changes if "image" in change.path}
    assert {image.rpartition("@")[2] for image in changed} == {NEW}
