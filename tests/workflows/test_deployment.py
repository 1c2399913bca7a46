"""Run the deployment workflow's steps with the Pulumi CLI: first deployment, update, rollback, drift check.

The steps are read from the workflow files and run in order on emulated clouds. Steps that need GitHub or a
registry are skipped, and a fake `curl` records the requested URLs.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from rehearsal.pulumi.urn import type_of
from tests.rehearsal.parity.pulumi_cli import ROOT, Pulumi, clouds, copy_project
from tests.workflows.steps import Runner, Stepped

OLD, NEW = (f"sha256:{mark * 64}" for mark in "ab")

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800), pytest.mark.xdist_group("parity")]


@dataclass
class Deployed:
    """Result of two deployments: steps by name, and the resource records before and after."""

    first: dict[str, Stepped]
    second: dict[str, Stepped]
    tampered: Stepped
    changed_meanwhile: Stepped
    before: list[dict[str, Any]]
    after: list[dict[str, Any]]
    requested_urls: str
    summary: str
    drift: Stepped


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    if shutil.which("pulumi") is None:
        pytest.skip("the Pulumi CLI is not on PATH")
    if shutil.which("jq") is None:
        pytest.skip("jq is not on PATH")
    with clouds() as providers:
        yield _deploy(tmp_path_factory, providers)


def _deploy(folders: pytest.TempPathFactory, providers: str) -> Deployed:
    project, home, temporary = (folders.mktemp(name) for name in ("project", "home", "temporary"))
    copy_project(project)
    shutil.copytree(ROOT / ".github" / "scripts", project / ".github" / "scripts")
    requested_urls = temporary / "requested_urls"
    curl = temporary / "bin" / "curl"
    curl.parent.mkdir()
    curl.write_text(f'#!/bin/sh\nfor url; do :; done\necho "$url" >> {requested_urls}\n')
    curl.chmod(0o755)
    pulumi = Pulumi(project, home, providers)
    environment = pulumi.environment()
    environment["PATH"] = f"{curl.parent}{os.pathsep}{environment['PATH']}"
    assert pulumi.run("stack", "init", "dev").code == 0
    (temporary / "plan").mkdir()
    runner = Runner(
        "deploy-stack.yml", project, temporary, environment, _context(environment, temporary, OLD)
    )

    first = _plan_and_up(runner, temporary)
    (temporary / "summary.md").unlink()
    runner = replace(runner, context=_context(environment, temporary, NEW))
    second = {"Plan": runner.run("Plan")}
    summary = (temporary / "summary.md").read_text()
    plan = _approved(runner, second["Plan"], temporary)
    tampered = _tampered(plan, temporary)
    second["approved"] = plan.run("Check that the plan is the approved one")
    second["before"] = plan.run("Record the running image")
    changed_meanwhile = _change_meanwhile(pulumi, plan)
    second["up"] = plan.run("Apply the approved plan")
    second["smoke"] = plan.run("Smoke test")
    before = pulumi.export("dev")
    back = replace(
        plan,
        context={
            **plan.context,
            **{f"steps.before.outputs.{key}": value for key, value in second["before"].outputs.items()},
        },
    )
    second["back"] = back.run("Roll the workload back")
    nightly = replace(runner, file="drift.yml", context={**runner.context, "matrix.stack": "dev"})
    drift = nightly.run("Compare")
    return Deployed(
        first,
        second,
        tampered,
        changed_meanwhile,
        before,
        pulumi.export("dev"),
        requested_urls.read_text(),
        summary,
        drift,
    )


def _plan_and_up(runner: Runner, temporary: Path) -> dict[str, Stepped]:
    ran = {"Plan": runner.run("Plan")}
    plan = _approved(runner, ran["Plan"], temporary)
    ran["before"] = plan.run("Record the running image")
    ran["up"] = plan.run("Apply the approved plan")
    return ran


def _approved(runner: Runner, planned: Stepped, temporary: Path) -> Runner:
    """The runner of the second job: it has the first one's artifact and output."""
    assert planned.code == 0, planned.output
    shutil.move(runner.project / "plan.json", temporary / "plan" / "plan.json")
    return replace(runner, context={**runner.context, "needs.plan.outputs.plan": planned.outputs["digest"]})


def _tampered(plan: Runner, temporary: Path) -> Stepped:
    """The check of a plan that was changed after its approval; the plan is restored afterwards."""
    file = temporary / "plan" / "plan.json"
    text = file.read_text()
    file.write_text(text + "\n")
    ended = plan.run("Check that the plan is the approved one")
    file.write_text(text)
    return ended


def _change_meanwhile(pulumi: Pulumi, plan: Runner) -> Stepped:
    """The update with settings that differ from those of the approved plan; they are restored afterwards."""
    stack = pulumi.project / "stacks" / "Pulumi.dev.yaml"
    text = stack.read_text()
    assert text.count("keepImages: 10\n") == 1
    stack.write_text(text.replace("keepImages: 10\n", "keepImages: 11\n"))
    ended = plan.run("Apply the approved plan")
    stack.write_text(text)
    return ended


def _context(environment: dict[str, str], temporary: Path, digest: str) -> dict[str, str]:
    return {
        "inputs.stack": "dev",
        "inputs.image": "ghcr.io/kingdom-studios/platform/service",
        "inputs.digest": digest,
        "vars.PULUMI_BACKEND_URL": environment["PULUMI_BACKEND_URL"],
        "runner.temp": str(temporary),
        "secrets.CLOUDFLARE_API_TOKEN": "",
        "secrets.MONGODB_ATLAS_PUBLIC_KEY": "",
        "secrets.MONGODB_ATLAS_PRIVATE_KEY": "",
    }


def _images(records: list[dict[str, Any]]) -> set[str]:
    return {
        container["image"]
        for record in records
        if record["type"] == "kubernetes:apps/v1:Deployment"
        for container in record["inputs"]["spec"]["template"]["spec"]["containers"]
    }


def test_the_first_deployment_carries_out_its_plan(deployed: Deployed) -> None:
    assert not {name: ran.output for name, ran in deployed.first.items() if ran.code}
    assert deployed.first["before"].outputs == {"digest": "", "commit": ""}


def test_the_second_deployment_carries_out_its_plan(deployed: Deployed) -> None:
    assert not {name: ran.output for name, ran in deployed.second.items() if ran.code and name != "back"}
    assert deployed.second["before"].outputs["digest"] == OLD
    assert all(image.endswith(NEW) for image in _images(deployed.before))


def test_the_plan_is_shown_to_the_approver(deployed: Deployed) -> None:
    assert f"service@{OLD}" in deployed.summary
    assert f"service@{NEW}" in deployed.summary
    assert deployed.second["Plan"].outputs["digest"] in deployed.summary


def test_a_plan_changed_after_its_approval_is_not_carried_out(deployed: Deployed) -> None:
    assert deployed.tampered.code == 1
    assert "FAILED" in deployed.tampered.output


def test_an_update_that_would_leave_the_plan_stops(deployed: Deployed) -> None:
    assert deployed.changed_meanwhile.code
    assert "violates plan" in deployed.changed_meanwhile.output, deployed.changed_meanwhile.output


def test_the_smoke_test_uses_the_public_url(deployed: Deployed) -> None:
    assert set(deployed.requested_urls.split()) == {"https://api.dev.kingdom.studio/openapi.json"}


def test_a_rollback_reverts_the_workload_only(deployed: Deployed) -> None:
    assert f"runs {OLD} of an unknown commit again" in deployed.second["back"].output, deployed.second[
        "back"
    ].output
    assert all(image.endswith(OLD) for image in _images(deployed.after))
    before, after = (
        {record["urn"]: record.get("inputs") for record in found}
        for found in (deployed.before, deployed.after)
    )
    assert before.keys() == after.keys()
    touched = {urn for urn, inputs in before.items() if inputs != after[urn]}
    assert {type_of(urn) for urn in touched} == {
        "kubernetes:apps/v1:Deployment",
        "kubernetes:batch/v1:CronJob",
    }


def test_unchanged_resources_have_no_drift(deployed: Deployed) -> None:
    assert deployed.drift.code == 0, deployed.drift.output
    assert deployed.drift.output.strip() == "no drift"
