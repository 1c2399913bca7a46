"""Commands in runbooks refer to existing resources, settings, subcommands and options.

Everything is checked that can be without a cloud account.
"""

from __future__ import annotations

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.project import APIS
from infra.service_identity import secret_id
from infra.settings import Settings
from policies.pack.configuration import problems_with
from policies.rules import SHAPES
from rehearsal.engine.goal import Goal
from tests.docs._shell import Command, commands
from tests.infra.rehearsal import configuration, operation
from tests.repository._tree import ROOT
from tools.docs.markdown import Block, blocks, prose

FOLDER = ROOT / "docs" / "runbooks"
OVERVIEW = FOLDER / "README.md"
RUNBOOKS = sorted(FOLDER.glob("*.md"))
WORKFLOWS = ROOT / ".github" / "workflows"
KNOWN: dict[str, dict[str, list[str]]] = yaml.safe_load(
    Path(__file__).with_name("clouds_commands.yaml").read_text()
)
CLOUDS = tuple(KNOWN)
INNER = re.compile(r"\$\(((?:[^()]|\([^()]*\))*)\)")  # one pair of brackets inside is allowed


def scripts(runbook: Path) -> list[Block]:
    return list(blocks(runbook, "sh"))


def text_of(runbook: Path) -> str:
    return "\n".join(block.body for block in scripts(runbook))


def everything() -> str:
    return "\n".join(text_of(runbook) for runbook in RUNBOOKS)


def used(program: str) -> list[Command]:
    """Return every command of one program in the runbooks, including those inside `$(…)`."""
    found: list[Command] = []
    for runbook in RUNBOOKS:
        for block in scripts(runbook):
            joined = block.body.replace("\\\n", " ")
            inner = [Block(runbook, "sh", f"{match}\n") for match in INNER.findall(joined)]
            for one in chain([block], inner):
                found += [command for command in commands(one) if command.program == program]
    return found


@cache
def resources() -> dict[str, dict[str, Any]]:
    """Return the properties of each resource in prod's inventory, by `type::name`."""
    content = yaml.safe_load((ROOT / "tests" / "infra" / "inventory" / "prod.yaml").read_text())
    return {
        f"{kind}::{name}": properties
        for types in content["resources"].values()
        for kind, named in types.items()
        for name, properties in named.items()
    }


def of_type(kind: str) -> list[dict[str, Any]]:
    found = [item for key, item in resources().items() if key.startswith(f"{kind}::")]
    assert found, kind
    return found


@pytest.mark.parametrize("runbook", RUNBOOKS, ids=lambda path: path.stem)
def test_the_shell_understands_every_script(runbook: Path) -> None:
    for block in scripts(runbook):
        done = subprocess.run(["bash", "-n"], input=block.body, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{block.body}\n{done.stderr}"


@pytest.mark.parametrize("runbook", RUNBOOKS, ids=lambda path: path.stem)
def test_every_variable_is_set_before_it_is_used(runbook: Path) -> None:
    """A variable is set in the runbook or in the overview, which is the first step of each runbook."""
    lines = [*text_of(OVERVIEW).splitlines(), *(text_of(runbook).splitlines() if runbook != OVERVIEW else ())]
    there: set[str] = set()
    for line in lines:
        set_here = set(re.findall(r"\bexport ([A-Z_]+)=", line))
        if line.startswith("read "):
            set_here |= set(re.findall(r"\b[A-Z_]+\b", line))
        assert set(re.findall(r"\$\{?([A-Z_]+)\b", line)) <= there | set_here, line
        there |= set_here


def test_every_runbook_links_to_the_prerequisites() -> None:
    named = set(re.findall(r"\]\(([\w-]+\.md)\)", prose(OVERVIEW)))
    assert named == {path.name for path in RUNBOOKS if path != OVERVIEW}
    assert "docs/runbooks/README.md" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("program", CLOUDS)
def test_subcommands_and_options_are_those_of_the_reference(program: str) -> None:
    found = used(program)
    assert found
    seen = set()
    for command in found:
        words = [word for word in command.arguments if not word.startswith("-")]
        subcommand = next(
            (" ".join(words[:n]) for n in range(len(words), 0, -1) if " ".join(words[:n]) in KNOWN[program]),
            None,
        )
        assert subcommand, f"no such subcommand: {' '.join(command.words)}"
        seen.add(subcommand)
        options = {word.partition("=")[0] for word in command.arguments if word.startswith("--")}
        if subcommand == "exec":  # the arguments after `--` are the command in the pod
            options.discard("--")
        assert options <= set(KNOWN[program][subcommand]), " ".join(command.words)
    assert seen == KNOWN[program].keys(), "a subcommand that no runbook uses any more"


@pytest.mark.engine
@pytest.mark.skipif(shutil.which("pulumi") is None, reason="the Pulumi CLI is not on PATH")
@pytest.mark.parametrize("subcommand", KNOWN["pulumi"])
def test_options_are_valid_for_pulumi(subcommand: str) -> None:
    environment = {**os.environ, "PULUMI_EXPERIMENTAL": "true", "PULUMI_SKIP_UPDATE_CHECK": "true"}
    asked = ["pulumi", *subcommand.split(), "--help"]
    done = subprocess.run(asked, capture_output=True, text=True, check=True, env=environment)
    for option in KNOWN["pulumi"][subcommand]:
        assert re.search(rf"(?<![\w-]){option}\b", done.stdout), option


def test_apis_are_switched_on_that_the_program_needs() -> None:
    enabled = [command for command in used("gcloud") if command.arguments[:2] == ("services", "enable")]
    named = [
        [
            word.removesuffix(".googleapis.com")
            for word in command.arguments
            if word.endswith(".googleapis.com")
        ]
        for command in enabled
    ]
    assert sorted(chain.from_iterable(named)) == sorted(APIS)
    assert all(len(one) <= 20 for one in named)  # Google's maximum in one request


def test_names_in_commands_are_those_of_the_program() -> None:
    text = everything()
    names = {
        r"clusters get-credentials (\S+)": of_type("gcp:container/cluster:Cluster")[0]["name"],
        r"--backup-plan (\S+)": of_type("gcp:gkebackup/backupPlan:BackupPlan")[0]["name"],
        r"--restore-plan (\S+)": of_type("gcp:gkebackup/restorePlan:RestorePlan")[0]["name"],
        r"--clusterName (\S+)": of_type("mongodbatlas:index/advancedCluster:AdvancedCluster")[0]["name"],
        r"(?:restores|snapshots) (?:list|create) (\S+) --projectId": of_type(
            "mongodbatlas:index/advancedCluster:AdvancedCluster"
        )[0]["name"],
        r"--namespace=(\S+)": of_type("kubernetes:core/v1:Namespace")[0]["metadata"]["name"],
        r"backupPlans/(\w+)/": of_type("gcp:gkebackup/backupPlan:BackupPlan")[0]["name"],
    }
    for pattern, wanted in names.items():
        found = set(re.findall(pattern, text.replace("\\\n ", "")))
        assert found == {wanted}, pattern
    instances = {item["name"] for item in of_type("gcp:redis/instance:Instance")}
    assert set(re.findall(r"redis instances update (\S+)", text)) == instances
    deployments = {item["metadata"]["name"] for item in of_type("kubernetes:apps/v1:Deployment")}
    assert set(re.findall(r"deployment[/ ](\w+)", text)) == deployments
    keys = {item["name"] for item in of_type("gcp:kms/cryptoKey:CryptoKey")}
    assert set(re.findall(r"versions create --key (\w+) --keyring kingdom", text)) <= keys
    secrets = {secret_id(file) for file in ("mongodb-client.pem", "session-key", "smtp-password")}
    secrets |= {
        secret_id(f"{use}{file}")
        for use in ("", "limits-", "queue-")
        for file in ("redis-auth", "redis-ca.pem")
    }
    assert {item["secretId"] for item in of_type("gcp:secretmanager/secret:Secret")} == secrets
    assert (
        set(re.findall(r"kingdom-(?:session|redis|limits-redis|queue-redis|mongodb|smtp)[\w-]*", text))
        <= secrets
    )


def test_places_of_an_environment_are_those_of_its_stack_file() -> None:
    values = configuration("prod")
    assigned = dict(re.findall(r"^export ([A-Z_]+)=([\w.-]+)$", text_of(OVERVIEW), re.MULTILINE))
    assert assigned["STACK"] == "prod"
    assert assigned["PROJECT"] == values["gcp:project"]
    assert assigned["REGION"] == values["gcp:region"]
    assert assigned["BUCKET"] == values["kingdom:storage"]["bucket"]
    registry, project, *rest = values["kingdom:workload"]["image"]["repository"].split("/")
    assert registry == f"{values['gcp:region']}-docker.pkg.dev"
    assert project == values["gcp:project"]
    assert "/".join(rest) == "kingdom/service"
    assert set(re.findall(r"\$PROJECT/(kingdom/[a-z]+)", everything())) == {"kingdom/service"}
    assert f"export REPOSITORY={values['kingdom:delivery']['github']}" in everything()


def test_settings_and_outputs_that_commands_name_exist() -> None:
    settings = set(re.findall(r"--path (kingdom:\S+)", everything()))
    assert settings
    for key in settings:
        value: Any = configuration("prod")
        head, *rest = key.split(".")
        for part in (head, *rest):
            assert part in value, key
            value = value[part]
    program = (ROOT / "infra" / "__main__.py").read_text()
    outputs = set(re.findall(r"stack output (\w+)", everything()))
    assert outputs
    assert all(f'pulumi.export("{name}"' in program for name in outputs)


def settings_in_prose() -> Iterator[str]:
    sections = {field.alias or name for name, field in Settings.model_fields.items()}
    for runbook in RUNBOOKS:
        for named in re.findall(r"`([a-z]+\.[\w.]+)`", prose(runbook)):
            if named.split(".")[0] in sections and named != "backup.py":
                yield named


def test_settings_in_the_text_exist() -> None:
    found = set(settings_in_prose())
    assert len(found) > 8
    for named in found:
        head, *rest = named.split(".")
        value: Any = configuration("prod")[f"kingdom:{head}"]
        for part in rest:
            assert part in value, named
            value = value[part]


def test_patterns_of_resources_match_some() -> None:
    patterns = re.findall(r"--(?:target|exclude|replace) '([^']+)'", everything())
    assert len(patterns) >= 5
    for pattern in patterns:
        wanted = re.compile(re.escape(pattern.removeprefix("**")).replace(r"\*", ".*"))
        assert any(wanted.fullmatch(key) for key in resources()), pattern
    types = set(re.findall(r"--arg type (\S+) ", everything())) | set(re.findall(r"KEPT=(\S+)", everything()))
    assert all(of_type(kind) for kind in types if not kind.startswith('"'))


@pytest.mark.slow
def test_a_resource_with_a_fixed_name_is_deleted_before_a_runbook_replaces_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `--replace` the engine calls no Diff and creates first: the cloud returns 409 for the name."""
    from_request: Any = Goal.from_request
    first: dict[str, bool | None] = {}

    def recorded(*arguments: Any, **options: Any) -> Goal:
        goal: Goal = from_request(*arguments, **options)
        first[f"{goal.type}::{goal.name}"] = goal.delete_before_replace
        return goal

    monkeypatch.setattr(Goal, "from_request", recorded)
    operation("prod", tmp_path).preview()
    patterns = set(re.findall(r"--replace '\*\*([^']+)'", everything()))
    assert len(patterns) >= 2
    for pattern in patterns:
        assert pattern in resources()
        assert first[pattern] is True or "name" not in resources()[pattern], pattern


@pytest.mark.skipif(shutil.which("gcloud") is None, reason="gcloud is not on PATH")
def test_options_are_valid_for_gcloud() -> None:
    """gcloud's shell completion has a tree of all commands and options."""
    binary = Path(str(shutil.which("gcloud"))).resolve()
    tree = runpy.run_path(str(binary.parents[1] / "data/cli/gcloud_completions.py"))[
        "STATIC_COMPLETION_CLI_TREE"
    ]
    for subcommand, options in KNOWN["gcloud"].items():
        node, flags = tree, set(tree["flags"])
        for word in subcommand.split():
            assert word in node["commands"], subcommand
            node = node["commands"][word]
            flags |= set(node["flags"])
        positive = {option.replace("--no-", "--") for option in options}
        assert positive <= flags | {option.replace("--no-", "--") for option in flags}, subcommand


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on PATH")
@pytest.mark.parametrize("subcommand", KNOWN["kubectl"])
def test_options_are_valid_for_kubectl(subcommand: str) -> None:
    text = "".join(
        subprocess.run(["kubectl", *words], capture_output=True, text=True, check=True).stdout
        for words in ([*subcommand.split(), "--help"], ["options"])
    )
    for option in KNOWN["kubectl"][subcommand]:
        assert re.search(rf"(?<![\w-]){option}\b", text), option


def test_set_up_script_sets_everything_that_the_workflows_use() -> None:
    workflows = "\n".join(path.read_text() for path in WORKFLOWS.glob("*.yml"))
    given = {kind: set(re.findall(rf"gh {kind} set (\w+)", everything())) for kind in ("variable", "secret")}
    assert given["variable"] == set(re.findall(r"\bvars\.(\w+)", workflows))
    assert given["secret"] == set(re.findall(r"\bsecrets\.(\w+)", workflows)) - {"GITHUB_TOKEN"}
    for workflow in re.findall(r"gh workflow run (\S+)", everything()):
        assert "workflow_dispatch" in (WORKFLOWS / workflow).read_text()


def test_a_pod_that_flushes_redis_is_the_worker_without_its_probes(tmp_path: Path) -> None:
    """Run the script, which derives the pod with `jq`, on the declared Deployment."""
    if shutil.which("jq") is None:
        pytest.skip("jq is not on PATH")
    (worker,) = [
        item for item in of_type("kubernetes:apps/v1:Deployment") if item["metadata"]["name"] == "worker"
    ]
    (tmp_path / "worker.json").write_text(json.dumps(worker))
    (tmp_path / "kubectl").write_text(
        f'#!/bin/sh\ncase "$*" in *" get "*) cat {tmp_path}/worker.json ;;'
        f" *apply*) cat > {tmp_path}/pod.json ;; esac\n"
    )
    (tmp_path / "kubectl").chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run([str(ROOT / ".github/scripts/flush-redis"), "kingdom"], check=True, env=environment)
    pod = json.loads((tmp_path / "pod.json").read_text())
    container = pod["spec"]["containers"][0]
    assert container["command"][:2] == ["python", "-c"]
    assert not [key for key in container if key.endswith("Probe")]
    assert container["envFrom"] == worker["spec"]["template"]["spec"]["containers"][0]["envFrom"]
    assert pod["spec"]["restartPolicy"] == "Never"


def test_exceptions_of_the_policy_pack_are_ones_that_it_takes() -> None:
    found = re.findall(r"echo '(\{.+\})' > \w+\.json", everything())
    assert len(found) >= 3
    for text in found:
        assert problems_with(SHAPES, json.loads(text)) == []


def test_every_runbook_has_what_an_on_call_engineer_needs() -> None:
    for runbook in RUNBOOKS:
        if runbook != OVERVIEW:
            text = prose(runbook).lower()
            for part in ("prerequisites", "expected", "verify", "way back", "escalation"):
                assert part in text, f"{runbook.name} has no {part}"


def exceptions() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the policy exception of each block, and the settings that the block changes."""
    for runbook in RUNBOOKS:
        for block in scripts(runbook):
            for text in re.findall(r"echo '(\{.+\})' > \w+\.json", block.body):
                changed = re.findall(r"--path (kingdom:\S+) (\S+)$", block.body, re.MULTILINE)
                yield text, {key: json.loads(value) for key, value in changed}


@pytest.mark.slow
@pytest.mark.parametrize(("exception", "settings"), dict(exceptions()).items())
def test_an_exception_permits_the_update_of_its_runbook(
    tmp_path: Path, exception: str, settings: dict[str, Any]
) -> None:
    """The exception is set in prod's stack file, which is equivalent to `--policy-pack-config`."""
    for name in ("infra", "policies"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
    (tmp_path / "stacks").mkdir()
    values = configuration("prod") | {"policies:config": json.loads(exception)}
    assert settings
    for path, value in settings.items():
        tree, *parts = values, *path.split(".")
        for part in parts[:-1]:
            tree = tree[part]
        tree[parts[-1]] = value
    (tmp_path / "stacks/Pulumi.prod.yaml").write_text(yaml.safe_dump({"config": values}))
    done = subprocess.run(
        [str(Path(sys.executable).with_name("kingdom")), "preview", "--stack", "prod", "--format", "json"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    findings = {(item["policy"], item["level"]) for item in json.loads(done.stdout)["findings"]}
    assert findings
    assert {level for _, level in findings} == {"advisory"}
    assert {policy for policy, _ in findings} <= set(json.loads(exception))


@pytest.mark.parametrize("runbook", RUNBOOKS, ids=lambda path: path.stem)
def test_every_step_has_an_expected_result_and_a_way_back(runbook: Path) -> None:
    head, *parts = re.split(r"(?m)^(#{2,3} .+)$", runbook.read_text())
    steps = [(title, body) for title, body in zip(parts[::2], parts[1::2], strict=True) if "```sh" in body]
    for title, body in steps:
        assert re.search("Expected|Verify", body), title
        if runbook != OVERVIEW:
            assert "way back" in " ".join((head + body).lower().split()), title


def test_files_and_scripts_that_are_named_exist() -> None:
    for named in re.findall(r"(?<![\w/])(\.github/scripts/[\w-]+|app/[\w./]+|infra/[\w./]+)", everything()):
        assert (ROOT / named).exists(), named


def test_python_that_runs_in_a_pod_is_python() -> None:
    text = (ROOT / ".github/scripts/flush-redis").read_text()
    (script,) = re.findall(r"^script='([^']+)'$", text, re.MULTILINE)
    compile(script, "flush-redis", "exec")
    service = (ROOT / "app" / "settings" / "__init__.py").read_text()
    for named in ("KINGDOM_REDIS_URL", "KINGDOM_SECRETS_DIR", "redis-auth", "redis-ca.pem"):
        assert named in script
        assert named in service, named
