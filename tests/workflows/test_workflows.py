"""The workflows hold what they promise: pinned, without rights they do not need, and safe from a fork."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from rehearsal.cli.app import app
from rehearsal.review.markdown import MARKER

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github/workflows"
FILES = sorted(FOLDER.glob("*.yml"))
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")
# What whoever opens a pull request chooses freely; in a shell script it would be run.
CHOSEN = re.compile(
    r"\$\{\{[^}]*(?:github\.event|github\.head_ref|inputs\.|steps\.|needs\.|matrix\.|github\.ref_name)"
)
FROM_PULL_REQUESTS = ("preview.yml",)


def workflow(path: Path) -> dict[str, Any]:
    # YAML 1.1 reads the key `on` as true.
    data: dict[Any, Any] = yaml.safe_load(path.read_text())
    return {"on" if key is True else str(key): value for key, value in data.items()}


def jobs(path: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = workflow(path)["jobs"]
    return found


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in jobs(path).values() for step in job.get("steps", [])]


def scripts(path: Path) -> list[str]:
    return [str(step["run"]) for step in steps(path) if "run" in step]


each = pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)


def test_the_workflows_are_all_here() -> None:
    assert [path.name for path in FILES] == [
        "deploy-stack.yml",
        "deploy.yml",
        "drift.yml",
        "preview-comment.yml",
        "preview-live.yml",
        "preview.yml",
    ]


@each
def test_every_action_is_pinned_to_a_commit_and_says_its_version(path: Path) -> None:
    for line in path.read_text().splitlines():
        _, found, what = line.partition("uses: ")
        if found and not what.startswith("./"):
            action, _, remark = what.partition(" # ")
            assert PINNED.fullmatch(action), line
            assert re.fullmatch(r"v\d+\.\d+\.\d+", remark), line


def test_no_action_is_in_use_in_two_versions() -> None:
    pins = {str(step["uses"]) for file in FILES for step in steps(file) if "uses" in step}
    assert len({pin.partition("@")[0] for pin in pins}) == len(pins)


@each
def test_a_command_that_fails_in_a_pipe_fails_its_step(path: Path) -> None:
    """GitHub runs a step that names no shell without pipefail: `preview | tee` would always pass."""
    if scripts(path):
        assert workflow(path)["defaults"] == {"run": {"shell": "bash"}}
        assert not [step for step in steps(path) if "shell" in step]


@each
def test_rights_are_given_to_single_jobs_only(path: Path) -> None:
    assert workflow(path)["permissions"] == {}
    for name, job in jobs(path).items():
        rights = job["permissions"]
        assert isinstance(rights, dict), f"{name}: rights are named one by one"
        assert rights.get("contents", "none") in ("none", "read"), f"{name} can write to the repository"


@each
def test_every_job_ends_in_time(path: Path) -> None:
    for name, job in jobs(path).items():
        assert "uses" in job or 0 < job["timeout-minutes"] <= 90, name


@each
def test_no_text_of_others_is_pasted_into_a_script(path: Path) -> None:
    for script in scripts(path):
        assert not CHOSEN.search(script), script
        assert "${{" not in script, script
    for step in steps(path):
        assert "${{" not in str(step.get("with", {}).get("script", ""))


@each
def test_a_checkout_leaves_no_token_behind(path: Path) -> None:
    for step in steps(path):
        if str(step.get("uses", "")).startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_a_pull_request_reaches_no_secret_and_no_right() -> None:
    triggered = [path.name for path in FILES if "pull_request" in str(workflow(path)["on"])]
    assert triggered == list(FROM_PULL_REQUESTS)
    assert not [path.name for path in FILES if "pull_request_target" in path.read_text()]
    for name in FROM_PULL_REQUESTS:
        text = (FOLDER / name).read_text()
        assert "secrets." not in text
        assert "id-token" not in text
        assert "environment:" not in text
        assert ": write" not in text


def test_what_comments_runs_nothing_of_the_pull_request() -> None:
    path = FOLDER / "preview-comment.yml"
    assert workflow(path)["on"] == {"workflow_run": {"workflows": ["Preview"], "types": ["completed"]}}
    assert workflow(FOLDER / "preview.yml")["name"] == "Preview"
    assert scripts(path) == []
    assert "secrets." not in path.read_text()
    assert not [step for step in steps(path) if str(step.get("uses")).startswith("actions/checkout@")]


def test_the_comment_is_found_by_the_mark_that_the_review_makes() -> None:
    script = next(
        step["with"]["script"]
        for step in steps(FOLDER / "preview-comment.yml")
        if "script" in step.get("with", {})
    )
    assert f"const marker = '{MARKER}'" in script
    assert "65536" in script


def test_deployments_of_a_stack_never_overlap_and_none_is_cancelled() -> None:
    assert workflow(FOLDER / "deploy.yml")["concurrency"] == {"group": "deploy", "cancel-in-progress": False}
    for name, job in jobs(FOLDER / "deploy-stack.yml").items():
        assert job["concurrency"] == {
            "group": "stack-${{ inputs.stack }}",
            "cancel-in-progress": False,
        }, name
    others = [
        job["concurrency"]["group"]
        for path in FILES
        if path.name != "deploy-stack.yml"
        for job in jobs(path).values()
        if "concurrency" in job
    ]
    assert not [group for group in others if group.startswith("stack-")]


def test_a_deployment_carries_out_the_approved_plan_of_the_signed_image_or_nothing() -> None:
    script = "\n".join(scripts(FOLDER / "deploy-stack.yml"))
    order = ["--save-plan", "sha256sum --check", "cosign verify", "pulumi up", "--plan", "smoke", "BEFORE"]
    places = [script.index(part) for part in order]
    assert places == sorted(places)
    for name, job in jobs(FOLDER / "deploy-stack.yml").items():
        assert job["environment"] == "${{ inputs.stack }}", name


def test_the_image_is_built_once() -> None:
    built = [
        (path.name, name)
        for path in FILES
        for name, job in jobs(path).items()
        for step in job.get("steps", [])
        if "build-push-action" in str(step.get("uses"))
    ]
    assert built == [("deploy.yml", "image")]
    chain = jobs(FOLDER / "deploy.yml")
    assert [chain[name]["needs"] for name in ("dev", "staging", "prod")] == [
        "image",
        ["image", "dev"],
        ["image", "staging"],
    ]
    assert {chain[name]["with"]["digest"] for name in ("dev", "staging", "prod")} == {
        "${{ needs.image.outputs.digest }}"
    }


@each
def test_every_command_that_a_workflow_runs_exists(path: Path) -> None:
    targets = re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    names = {command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands}
    for script in scripts(path):
        for target in re.findall(r"\bmake (\w+)", script):
            assert target in targets
        for command in re.findall(r"\bkingdom (\w+)", script):
            assert command in names
        for module in re.findall(r"python -m ([\w.]+)", script):
            assert (ROOT / (module.replace(".", "/") + ".py")).is_file()
        for file in re.findall(r"\.github/scripts/[\w-]+", script):
            assert (ROOT / file).stat().st_mode & 0o111, f"{file} cannot be run"


def test_options_that_the_preview_workflow_uses_exist() -> None:
    script = "\n".join(scripts(FOLDER / "preview.yml"))
    done = subprocess.run(
        [str(Path(sys.executable).with_name("kingdom")), "preview", "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "200", "NO_COLOR": "1"},
    )
    for option in re.findall(r" (--[a-z-]+)", script.partition("kingdom preview")[2].partition("||")[0]):
        assert option in done.stdout


def test_zizmor_finds_nothing_of_weight() -> None:
    binary = shutil.which("zizmor", path=str(Path(sys.executable).parent)) or shutil.which("zizmor")
    if binary is None:
        pytest.skip("zizmor is not installed")
    done = subprocess.run(
        [binary, "--offline", "--no-progress", "--min-severity=medium", str(FOLDER)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_actionlint_finds_nothing() -> None:
    binary = shutil.which("actionlint")
    if binary is None:
        pytest.skip(
            "actionlint is not on PATH: go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"
        )
    done = subprocess.run([binary, *map(str, FILES)], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout


def test_what_is_locked_is_audited_with_every_change_and_every_night() -> None:
    for name in ("preview.yml", "drift.yml"):
        scripts_of = [step.get("run") for step in jobs(FOLDER / name)["audit"]["steps"]]
        assert "make audit" in scripts_of
    locked = re.findall(r"^[a-z0-9][\w.-]*==", (ROOT / "locks/platform.txt").read_text(), re.MULTILINE)
    # Collects what would be asked about, and asks nobody.
    collected = subprocess.run(
        ["make", "audit", "ARGS=--dry-run"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    (count,) = re.findall(r"would have audited (\d+) packages", collected.stderr)
    # Packages of other systems, which a marker leaves out here, are in the lock too.
    assert len(locked) * 0.9 < int(count) <= len(locked)
