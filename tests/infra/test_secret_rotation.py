"""Session keys rotate without ending sessions: running pods accept the keys of new pods."""

from __future__ import annotations

from pathlib import Path

import pytest

from rehearsal.engine.events import Op
from tests.infra.rehearsal import Declared, configuration, rehearse

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def session_keys(declared: Declared) -> list[str]:
    return str(declared.one("SecretVersion", "identity-kingdom-session-key")["secretData"]).split("\n")


def test_raising_the_generation_signs_with_a_key_that_running_pods_already_know(tmp_path: Path) -> None:
    values = configuration("dev")
    first = session_keys(rehearse("dev", tmp_path, values))
    values["kingdom:identity"]["sessionKeyGeneration"] = 2
    second = session_keys(rehearse("dev", tmp_path, values))
    assert second[0] == first[1]
    assert first[0] in second  # tokens that it signed are still accepted
    assert len(set(second)) == 3


def test_a_rotated_secret_is_a_new_version_and_rolls_the_pods(tmp_path: Path) -> None:
    values = configuration("dev")
    before = rehearse("dev", tmp_path, values)
    values["kingdom:identity"]["sessionKeyGeneration"] = 2
    after = rehearse("dev", tmp_path, values)
    for role in ("api", "worker"):
        template = [item.one("Deployment", role)["spec"]["template"]["metadata"] for item in (before, after)]
        assert template[0]["annotations"] != template[1]["annotations"]


def test_a_threshold_is_changed_in_place_and_a_variable_rolls_the_pods(tmp_path: Path) -> None:
    values = configuration("dev")
    before = rehearse("dev", tmp_path, values)
    values["kingdom:observability"]["thresholds"]["cpuPercent"]["warning"] = 70
    watched = rehearse("dev", tmp_path, values)
    values["kingdom:workload"]["logLevel"] = "error"
    declared = rehearse("dev", tmp_path, values)

    def annotations(declared: Declared) -> str:
        return str(declared.one("Deployment", "api")["spec"]["template"]["metadata"]["annotations"])

    assert before.one("ConfigMap", "thresholds") != watched.one("ConfigMap", "thresholds")
    assert annotations(before) == annotations(watched) != annotations(declared)
    # In place: the pods that have it mounted see the change.
    done = {step.name: step.op for step in watched.result.steps if step.type.endswith(":ConfigMap")}
    assert done["thresholds"] is Op.UPDATE
    assert done.get("configuration", Op.SAME) is Op.SAME
