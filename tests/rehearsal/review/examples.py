"""Reviews of typical pull requests: ``python -m tests.rehearsal.review.examples`` records them.

Each is a change of one small project, evaluated by this repository's policy pack. The recorded files show in
a diff how a change of the code affects the comments that reviewers get.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rehearsal.forecast.calibration import write
from rehearsal.review.changes.load_forecast import CALIBRATION
from tests.rehearsal.forecast.factories import calibration
from tests.rehearsal.review.repositories import Repository

ROOT: Final = Path(__file__).parents[3]
FOLDER: Final = Path(__file__).with_name("examples")
FORMS: Final = {"markdown": "comment.md", "sarif": "policies.sarif", "junit": "junit.xml"}
PROGRAM: Final = """\
import pulumi
from pulumi_gcp import redis, storage

config = pulumi.Config()
gib = config.require_int("gib")
if gib < 1:
    raise pulumi.RunError(
        f'stack "{pulumi.get_stack()}": one setting is wrong in stacks/Pulumi.{pulumi.get_stack()}.yaml,'
        f" and nothing was changed\\n  tiny:gib = {gib}\\n      must be at least 1"
    )
labels = {"team": "platform"}
redis.Instance(
    "cache",
    name="kingdom-cache",
    region="europe-west1",
    tier="STANDARD_HA",
    memory_size_gb=gib,
    redis_version="REDIS_7_2",
    auth_enabled=True,
    transit_encryption_mode="SERVER_AUTHENTICATION",
    persistence_config={"persistence_mode": "RDB", "rdb_snapshot_period": "ONE_HOUR"},
    deletion_protection=True,
    labels=labels,
    opts=pulumi.ResourceOptions(protect=True),
)
for name in ("media", "exports", "logs"):
    storage.Bucket(
        name,
        name=f"kingdom-{pulumi.get_stack()}-{name}",
        location="EU",
        uniform_bucket_level_access=True,
        public_access_prevention="enforced",
        force_destroy=False,
        versioning={"enabled": True},
        soft_delete_policy={"retention_duration_seconds": 2592000},
        labels=labels,
        opts=pulumi.ResourceOptions(protect=True),
    )
"""
DEPLOYMENT: Final = """
from pulumi_kubernetes.apps import v1 as apps

apps.Deployment(
    "web",
    metadata={"name": "web", "namespace": "default"},
    spec={
        "replicas": 1,
        "selector": {"match_labels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "nginx:latest"}]},
        },
    },
)
"""
SECOND: Final = """
storage.Bucket(
    "archive",
    name=f"kingdom-{pulumi.get_stack()}-media",
    location="EU",
    uniform_bucket_level_access=True,
    public_access_prevention="enforced",
    force_destroy=False,
    versioning={"enabled": True},
    soft_delete_policy={"retention_duration_seconds": 2592000},
    labels=labels,
    opts=pulumi.ResourceOptions(protect=True),
)
"""
# Two autoscaled roles, their nodes and their database: sizes that a forecast reads.
PLATFORM: Final = """\
import pulumi
import pulumi_mongodbatlas as atlas
from pulumi_gcp import container
from pulumi_kubernetes.apps import v1 as apps
from pulumi_kubernetes.autoscaling import v2 as autoscaling
from pulumi_kubernetes.core import v1 as core

container.NodePool(
    "pool",
    name="main",
    cluster="kingdom",
    location="europe-west1",
    initial_node_count=1,
    autoscaling={"total_min_node_count": 2, "total_max_node_count": 12},
    node_config={"machine_type": "n2d-standard-8", "labels": {"shop/pool": "main"}},
)
core.Namespace("shop", metadata={"name": "shop"})
core.ConfigMap(
    "settings", metadata={"name": "settings", "namespace": "shop"}, data={"KINGDOM_MONGODB_POOL": "25"}
)
for role, replicas in (("api", pulumi.Config().require_int("replicas")), ("worker", 40)):
    meta = {"name": role, "namespace": "shop"}
    target = {"type": "Utilization", "average_utilization": 65}
    apps.Deployment(
        role,
        metadata=meta,
        spec={
            "selector": {"match_labels": {"app": role}},
            "template": {
                "metadata": {"labels": {"app": role}},
                "spec": {
                    "node_selector": {"shop/pool": "main"},
                    "containers": [
                        {
                            "name": role,
                            "image": "registry.example.com/shop@sha256:" + "0" * 64,
                            "resources": {
                                "requests": {"cpu": "500m", "memory": "256Mi"},
                                "limits": {"cpu": "1", "memory": "256Mi"},
                            },
                        }
                    ],
                },
            },
        },
    )
    autoscaling.HorizontalPodAutoscaler(
        role,
        metadata=meta,
        spec={
            "min_replicas": 2,
            "max_replicas": replicas,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
            "scale_target_ref": {"api_version": "apps/v1", "kind": "Deployment", "name": role},
        },
    )
size = {"instance_size": "M40", "node_count": 3}
region = {"provider_name": "GCP", "region_name": "WESTERN_EUROPE", "priority": 7, "electable_specs": size}
atlas.AdvancedCluster(
    "database",
    name="shop",
    project_id="65f1c0de5ca1ab1e0ddba11c",
    cluster_type="REPLICASET",
    replication_specs=[{"region_configs": [region]}],
)
"""
PUBLIC: Final = """
storage.BucketIAMMember(
    "everyone", bucket="kingdom-prod-media", role="roles/storage.objectViewer", member="allUsers"
)
"""


@dataclass(frozen=True)
class Example:
    """One kind of pull request: its change of the project, and the exit code of its review.

    `base` changes the project before the first commit, for examples that need another project.
    """

    change: Callable[[Repository], None]
    code: int
    base: Callable[[Repository], None] = lambda repository: None


def stack(name: str, gib: int, ceiling: int = 1000, more: str = "") -> str:
    return (
        f'config:\n  gcp:project: kingdom-{name}\n  tiny:gib: "{gib}"\n'
        f'  policies:monthlyCeiling: "{ceiling}"\n{more}'
    )


def edit(old: str, new: str, more: str = "") -> Callable[[Repository], None]:
    def change(repository: Repository) -> None:
        assert old in PROGRAM
        repository.write("infra/__main__.py", PROGRAM.replace(old, new) + more)

    return change


def settings(gib: int, ceiling: int = 1000) -> Callable[[Repository], None]:
    return lambda repository: repository.write("stacks/Pulumi.prod.yaml", stack("prod", gib, ceiling))


def replicas(number: int) -> Callable[[Repository], None]:
    """Return a change of the maximum replicas in prod."""
    more = f'  tiny:replicas: "{number}"\n  policies:config: {{all: disabled}}\n'
    return lambda repository: repository.write("stacks/Pulumi.prod.yaml", stack("prod", 5, more=more))


def platform(repository: Repository) -> None:
    """Replace the project by a platform with a calibration, for which a load forecast is possible."""
    repository.write("infra/__main__.py", PLATFORM)
    (repository.root / "stacks/Pulumi.dev.yaml").unlink()
    replicas(60)(repository)
    file = repository.root / CALIBRATION
    file.parent.mkdir(parents=True)
    write(calibration(), file)


def no_rules(repository: Repository) -> None:
    repository.write("infra/__main__.py", PROGRAM + PUBLIC)
    for name in ("dev", "prod"):
        more = "  policies:config: {all: disabled}\n"
        repository.write(f"stacks/Pulumi.{name}.yaml", stack(name, 5, more=more))


def broken(repository: Repository) -> None:
    repository.write("infra/__main__.py", "import nowhere\n" + PROGRAM)


def repaired(repository: Repository) -> None:
    broken(repository)
    repository.commit("a program that does not start")
    repository.write("infra/__main__.py", PROGRAM)


EXAMPLES: Final = {
    "documentation": Example(lambda repository: repository.write("docs/page.md", "# A page\n"), 0),
    "larger-cache": Example(settings(10), 0),
    "fewer-replicas": Example(replicas(40), 0, platform),
    "over-the-ceiling": Example(settings(100), 3),
    "wrong-setting": Example(settings(0), 2),
    "tls-removed": Example(edit('"SERVER_AUTHENTICATION"', '"DISABLED"'), 1),
    "renamed-resource": Example(edit('    "cache",\n', '    "sessions",\n'), 1),
    "label-everywhere": Example(edit('{"team": "platform"}', '{"team": "storage"}'), 0),
    "new-deployment": Example(
        lambda repository: repository.write("infra/__main__.py", PROGRAM + DEPLOYMENT), 3
    ),
    "rules-disabled": Example(no_rules, 4),
    "name-used-twice": Example(edit(PROGRAM, PROGRAM, more=SECOND), 1),
    "stack-removed": Example(lambda repository: (repository.root / "stacks/Pulumi.prod.yaml").unlink(), 0),
    "program-fails": Example(broken, 1),
    "program-repaired": Example(repaired, 0),
}


def review(name: str, folder: Path) -> dict[str, str]:
    """Return the files of the example `name` with masked commits. Raises RuntimeError for a wrong code."""
    repository = Repository(folder, ())
    shutil.copytree(ROOT / "policies", folder / "policies", ignore=shutil.ignore_patterns("__pycache__"))
    repository.write("infra/__main__.py", PROGRAM)
    for each in ("dev", "prod"):
        repository.write(f"stacks/Pulumi.{each}.yaml", stack(each, 5))
    EXAMPLES[name].base(repository)
    repository.commit("a cache and buckets")
    EXAMPLES[name].change(repository)
    repository.commit(name)
    (folder / ".rehearsal").mkdir()
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("kingdom")), "preview", "--all", "--base", "HEAD^1",
            *(text for form, file in FORMS.items() for text in ("--write", f"{form}=.rehearsal/{file}")),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    if done.returncode != EXAMPLES[name].code:
        raise RuntimeError(f"{name} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    found = {file: (folder / ".rehearsal" / file).read_text() for file in FORMS.values()}
    return {file: recorded(file, text, folder) for file, text in found.items()}


def recorded(file: str, text: str, folder: Path | None = None) -> str:
    """Return a file of a review without values that differ between runs, or with the pack and its prices."""
    if folder is not None:
        text = text.replace(str(folder), "…")
        if file == "policies.sarif":
            text = recorded_sarif(text)
    text = re.sub(r"prices of [\d-]{10} to [\d-]{10}", "prices of …", text)
    if file == "comment.md":
        text = re.sub(r"`[0-9a-f]{12}`", "`…`", text)
        text = re.sub(r"\b\d+ rules are", "… rules are", text)
        text = re.sub(r"(<summary>which</summary>\n\n  )`.*`", r"\1…", text)
    if file == "junit.xml":
        text = re.sub(r' (?:time="[\d.]+"|tests="\d+"|failures="\d{2,}")', "", text)
        # Omit cases of policies without findings and of disabled rules.
        text = re.sub(r"\n +<testcase [^>]*/>", "", text)
        text = re.sub(
            r'\n +<testcase name="(?!no-public-members)[^"]*" classname="rules">.*?</testcase>', "", text,
            flags=re.DOTALL,
        )  # fmt: skip
    return text


def recorded_sarif(text: str) -> str:
    """Return the results and notifications of a log, without the list of the pack's rules."""
    (run,) = json.loads(text)["runs"]
    stable = {"invocations": run["invocations"], "results": run["results"]}
    for result in stable["results"]:
        del result["ruleIndex"]
    for invocation in stable["invocations"]:
        invocation["toolExecutionNotifications"] = [
            notice
            for notice in invocation["toolExecutionNotifications"]
            if "weaker rule" not in notice["message"]["text"]
            or "no-public-members" in notice["message"]["text"]
        ]
    return json.dumps(stable, indent=2, ensure_ascii=False) + "\n"


def record(names: list[str]) -> None:
    for name in names or EXAMPLES:
        with tempfile.TemporaryDirectory() as temporary:
            for file, text in review(name, Path(temporary)).items():
                path = FOLDER / name / file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)


if __name__ == "__main__":
    record(sys.argv[1:])
