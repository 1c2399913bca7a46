"""The workflows: pinned actions, least privileges, and no access for pull requests from forks."""

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
from rehearsal.review.formats.markdown import MARKER

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github/workflows"
FILES = sorted(FOLDER.glob("*.yml"))
ACTIONS = sorted((ROOT / ".github/actions").glob("*/action.yml"))
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")
# Values that the author of a pull request controls; in a shell script they would be executed.
CHOSEN = re.compile(
    r"\$\{\{[^}]*(?:github\.event|github\.head_ref|inputs\.|steps\.|needs\.|matrix\.|github\.ref_name)"
)
FROM_PULL_REQUESTS = ("preview.yml", "review-submitted.yml")


def workflow(path: Path) -> dict[str, Any]:
    # YAML 1.1 reads the key `on` as true.
    data: dict[Any, Any] = yaml.safe_load(path.read_text())
    return {"on" if key is True else str(key): value for key, value in data.items()}


def jobs(path: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = workflow(path)["jobs"]
    return found


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in jobs(path).values() for step in job.get("steps", [])]


def composite(path: Path) -> list[dict[str, Any]]:
    """The steps of a composite action."""
    found: list[dict[str, Any]] = yaml.safe_load(path.read_text())["runs"]["steps"]
    return found


def scripts(path: Path) -> list[str]:
    return [str(step["run"]) for step in steps(path) if "run" in step]


each = pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)


def test_the_workflows_are_all_here() -> None:
    assert [path.name for path in FILES] == [
        "checks.yml",
        "ci.yml",
        "deploy-stack.yml",
        "deploy.yml",
        "drift.yml",
        "preview-comment.yml",
        "preview-live.yml",
        "preview.yml",
        "review-submitted.yml",
        "rules.yml",
    ]


@pytest.mark.parametrize("path", [*FILES, *ACTIONS], ids=lambda path: str(path.relative_to(ROOT / ".github")))
def test_every_action_is_pinned_to_a_commit_and_says_its_version(path: Path) -> None:
    for line in path.read_text().splitlines():
        _, found, what = line.replace("- uses:", " uses:").partition(" uses: ")
        if found and not what.startswith("./"):
            action, _, remark = what.partition(" # ")
            assert PINNED.fullmatch(action), line
            assert re.fullmatch(r"v\d+\.\d+\.\d+", remark), line


def test_no_action_is_in_use_in_two_versions() -> None:
    every = [step for file in FILES for step in steps(file)]
    every += [step for file in ACTIONS for step in composite(file)]
    pins = {str(step["uses"]) for step in every if "uses" in step and not step["uses"].startswith("./")}
    assert len({pin.partition("@")[0] for pin in pins}) == len(pins)


@each
def test_a_command_that_fails_in_a_pipe_fails_its_step(path: Path) -> None:
    """GitHub runs a step that names no shell without pipefail: `preview | tee` would always pass."""
    if scripts(path) and path.name != "review-submitted.yml":
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
        assert "uses" in job or 0 < job["timeout-minutes"] <= 180, name


@each
def test_untrusted_text_is_not_inserted_into_scripts(path: Path) -> None:
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
    checks = (FOLDER / "checks.yml").read_text()
    assert "secrets." not in checks
    assert ": write" not in checks
    assert triggered == list(FROM_PULL_REQUESTS)
    assert not [path.name for path in FILES if "pull_request_target" in path.read_text()]
    for name in FROM_PULL_REQUESTS:
        text = (FOLDER / name).read_text()
        assert "secrets." not in text
        assert "id-token" not in text
        assert "environment:" not in text
        assert ": write" not in text


def test_commenting_workflow_runs_no_code_of_the_pull_request() -> None:
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
    # No concurrency group for the run: a run that waits for prod's approval would block the next commit.
    assert "concurrency" not in workflow(FOLDER / "deploy.yml")
    assert jobs(FOLDER / "deploy-stack.yml")["deploy"]["concurrency"] == {
        "group": "stack-${{ inputs.stack }}",
        "cancel-in-progress": False,
    }
    others = [
        job["concurrency"]["group"]
        for path in FILES
        if path.name != "deploy-stack.yml"
        for job in jobs(path).values()
        if "concurrency" in job
    ]
    assert not [group for group in others if group.startswith("stack-")]


def test_a_deployment_applies_only_the_approved_plan_of_the_signed_image() -> None:
    script = "\n".join(scripts(FOLDER / "deploy-stack.yml"))
    order = ["--save-plan", "sha256sum --check", "cosign verify", "pulumi up", "--plan", "smoke", "roll-back"]
    places = [script.index(part) for part in order]
    assert places == sorted(places)
    environments = {name: job["environment"] for name, job in jobs(FOLDER / "deploy-stack.yml").items()}
    assert environments == {"plan": "${{ inputs.stack }}-read", "deploy": "${{ inputs.stack }}"}


def test_only_a_deployment_runs_in_an_environment_with_reviewers() -> None:
    """Scheduled runs and plans must not wait for a reviewer and must not have write access."""
    found = {
        (path.name, name): str(job["environment"])
        for path in FILES
        for name, job in jobs(path).items()
        if "environment" in job
    }
    assert [key for key, name in found.items() if not name.endswith("-read")] == [
        ("deploy-stack.yml", "deploy")
    ]


def test_every_job_that_reaches_a_cluster_has_the_plugin_that_its_kubeconfig_executes() -> None:
    command = re.search(
        r'"command": "([\w-]+)"', "".join(path.read_text() for path in sorted((ROOT / "infra").rglob("*.py")))
    )
    assert command is not None
    action = ROOT / ".github/actions/stack/action.yml"
    components = [
        step["with"]["install_components"] for step in composite(action) if "setup-gcloud" in str(step)
    ]
    assert components == [command[1]]
    for path in FILES:
        for name, job in jobs(path).items():
            uses = [str(step.get("uses")) for step in job.get("steps", [])]
            if re.search(r"pulumi (up|preview|refresh|destroy)\b", str(job.get("steps"))):
                assert "./.github/actions/stack" in uses, (path.name, name)


def test_a_failed_or_cancelled_update_is_rolled_back_within_the_job() -> None:
    job = jobs(FOLDER / "deploy-stack.yml")["deploy"]
    by_name = {step.get("name"): step for step in job["steps"]}
    back = by_name["Roll the workload back"]
    assert back["if"].startswith("always() && ")
    assert "steps.up.outcome != 'success'" in back["if"]  # failed, cancelled, timed out
    limits = [
        by_name[name]["timeout-minutes"]
        for name in ("Apply the approved plan", "Smoke test", "Roll the workload back")
    ]
    assert sum(limits) < job["timeout-minutes"]


def test_a_commit_is_tested_before_it_is_built_and_before_it_is_merged() -> None:
    assert jobs(FOLDER / "deploy.yml")["image"]["needs"] == "checks"
    assert jobs(FOLDER / "deploy.yml")["checks"]["uses"] == "./.github/workflows/checks.yml"
    assert jobs(FOLDER / "preview.yml")["checks"]["uses"] == "./.github/workflows/checks.yml"
    assert {"pull_request", "merge_group"} <= set(workflow(FOLDER / "preview.yml")["on"])
    # One into another branch would set the same statuses on the same commit.
    assert workflow(FOLDER / "preview.yml")["on"]["pull_request"] == {"branches": ["main"]}


def test_the_stacks_are_read_from_their_files() -> None:
    done = subprocess.run(
        [str(ROOT / ".github/scripts/stacks")], capture_output=True, text=True, check=True, cwd="/"
    )
    listed = yaml.safe_load(done.stdout)
    files = (ROOT / "stacks").glob("Pulumi.*.yaml")
    assert set(listed) == {
        path.name.split(".")[1] for path in files if "rehearsal:machine:" not in path.read_text()
    }
    assert [listed[0], listed[1], listed[-1]] == ["dev", "staging", "prod"]
    for name in ("deploy.yml", "drift.yml", "preview-live.yml"):
        text = (FOLDER / name).read_text()
        assert "fromJSON(needs.stacks.outputs.stacks)" in text
        assert not re.search(r"\bstaging\b", text), f"{name} names an environment"


def test_an_environment_that_is_not_set_up_is_skipped_and_named() -> None:
    script = ROOT / ".github/scripts/stack-ready"
    environment = {"PATH": "/usr/bin:/bin", "PULUMI_BACKEND_URL": "gs://x", "IDENTITY_PROVIDER": ""}
    done = subprocess.run([str(script), "prod"], capture_output=True, text=True, env=environment)
    assert done.returncode == 1
    assert (
        "prod is not set up: it lacks the variable IDENTITY_PROVIDER, the variable SERVICE_ACCOUNT"
        in done.stdout
    )
    environment |= {"IDENTITY_PROVIDER": "x", "SERVICE_ACCOUNT": "y"}
    assert subprocess.run([str(script), "prod"], capture_output=True, env=environment).returncode == 0


def test_rules_workflow_runs_nothing_of_the_pull_request() -> None:
    path = FOLDER / "rules.yml"
    assert workflow(path)["on"] == {
        "workflow_run": {"workflows": ["Preview", "Review submitted"], "types": ["completed"]}
    }
    (checkout,) = [step for step in steps(path) if str(step.get("uses")).startswith("actions/checkout@")]
    assert checkout["with"]["ref"] == "${{ github.event.repository.default_branch }}"
    assert jobs(path)["rules"]["permissions"] == {
        "contents": "read",
        "pull-requests": "read",
        "statuses": "write",
    }


def test_the_image_is_built_once() -> None:
    built = [
        (path.name, name)
        for path in FILES
        for name, job in jobs(path).items()
        for step in job.get("steps", [])
        if "build-push-action" in str(step.get("uses"))
    ]
    assert built == [("deploy.yml", "image")]
    chain = jobs(FOLDER / "deploy.yml")["deploy"]
    assert chain["strategy"]["max-parallel"] == 1
    assert chain["strategy"]["fail-fast"] is True
    assert chain["with"]["digest"] == "${{ needs.image.outputs.digest }}"


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


def test_zizmor_reports_no_relevant_finding() -> None:
    binary = shutil.which("zizmor", path=str(Path(sys.executable).parent)) or shutil.which("zizmor")
    if binary is None:
        pytest.skip("zizmor is not installed")
    done = subprocess.run(
        [binary, "--offline", "--no-progress", "--min-severity=medium", str(FOLDER.parent)],
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


def test_locked_dependencies_are_audited_with_every_change_and_every_night() -> None:
    for name in ("checks.yml", "drift.yml"):
        scripts_of = [step.get("run") for step in jobs(FOLDER / name)["audit"]["steps"]]
        assert "make audit" in scripts_of
    locked = re.findall(r"^[a-z0-9][\w.-]*==", (ROOT / "locks/platform.txt").read_text(), re.MULTILINE)
    # The dry run lists the packages without querying the vulnerability service.
    collected = subprocess.run(
        ["make", "audit", "ARGS=--dry-run"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    (count,) = re.findall(r"would have audited (\d+) packages", collected.stderr)
    # Packages of other systems, which a marker leaves out here, are in the lock too.
    assert len(locked) * 0.9 < int(count) <= len(locked)
