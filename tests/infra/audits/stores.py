"""Every data store has a backup, encryption with a customer-managed key, and deletion protection."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from rehearsal.engine.state.resource_state import ResourceState
from rehearsal.providers.schema import resource_type
from rehearsal.pulumi.properties import unwrap
from tests.infra.audits.finding import Finding, is_of_a_cloud, title
from tests.infra.audits.hardening import Rule, breaches

ASPECTS: Final = ("backup", "encryption", "deletion")
# Names of inputs that only types which store data have.
KEEPS: Final = re.compile(
    r"kmsKey|customerManaged|[eE]ncryption|deletionProtection|terminationProtection|backupEnabled|persistence"
    r"|forceDestroy|[rR]etention|skipDestroy"
)
# Kubernetes kinds that store data on a disk; the program declares none.
ON_DISKS: Final = ("PersistentVolumeClaim", "PersistentVolume", "StatefulSet")
SCHEDULE: Final = "mongodbatlas:index/cloudBackupSchedule:CloudBackupSchedule"
COMPLIANCE: Final = "mongodbatlas:index/backupCompliancePolicy:BackupCompliancePolicy"
# Protected copies in another region require that such copies exist.
COPIES: Final = (
    Rule("copySettings[].regionName", {"set": True}),
    Rule("copySettings[].copyPolicyItems[].frequencyType", {"covers": ["daily", "weekly"]}),
    Rule("copySettings[].shouldCopyOplogs", {"is": [True]}),
)
FILE: Final = Path(__file__).with_suffix(".yaml")


@dataclass(frozen=True)
class Store:
    """Requirements of a type: rules by aspect, or the reason why an aspect does not apply.

    `protect` is whether the resource option `protect` is required.
    """

    rules: Mapping[str, tuple[Rule, ...] | str]
    protect: bool


@cache
def stores() -> dict[str, Store]:
    """Return the data stores of `stores.yaml` by type."""
    content: dict[str, dict[str, Any]] = yaml.safe_load(FILE.read_text())["stores"]
    return {
        type_: Store(
            {
                aspect: what
                if isinstance(what, str)
                else tuple(Rule(path, want) for path, want in what.items())
                for aspect, what in described.items()
                if aspect in ASPECTS
            },
            described["protect"],
        )
        for type_, described in content.items()
    }


@cache
def keepers() -> dict[str, str]:
    """Return types that appear to store data and do not, each with the reason."""
    found: dict[str, str] = yaml.safe_load(FILE.read_text())["others"]
    return found


def unguarded(resources: Sequence[ResourceState]) -> Iterator[Finding]:
    """Yield stores that lack protection, and types that are not classified as stores or not."""
    known, others = stores(), keepers()
    for resource in filter(is_of_a_cloud, resources):
        store = known.get(resource.type)
        if store is None:
            if resource.type not in others and keeps_something(resource.type):
                yield Finding("stores", title(resource), "is neither among the stores nor among the others")
            continue
        if store.protect and not resource.protect:
            yield Finding("stores", title(resource), "is not protected: `protect` is off")
        for aspect, rules in store.rules.items():
            for what in breaches(unwrap(resource.inputs), () if isinstance(rules, str) else rules):
                yield Finding("stores", title(resource), f"{aspect}: {what}")
    yield from _saved_by_others(resources)


def keeps_something(type_: str) -> bool:
    """Whether the inputs have keys, backups, retention or protection."""
    if type_.startswith("kubernetes:"):
        return type_.rpartition(":")[2] in ON_DISKS
    known = resource_type(type_)
    return known is not None and any(KEEPS.search(name) for name in known.inputs.fields)


def _saved_by_others(resources: Sequence[ResourceState]) -> Iterator[Finding]:
    """Yield the stores that another resource backs up: the cluster and the database."""
    by_type: dict[str, list[dict[str, Any]]] = {}
    for resource in resources:
        by_type.setdefault(resource.type, []).append(unwrap(resource.inputs))
    for store, saver, by in (
        ("gcp:container/cluster:Cluster", "gcp:gkebackup/backupPlan:BackupPlan", "cluster"),
        (
            "mongodbatlas:index/advancedCluster:AdvancedCluster",
            SCHEDULE,
            "clusterName",
        ),
    ):
        saved = [str(inputs.get(by)).rpartition("/")[2] for inputs in by_type.get(saver, ())]
        for inputs in by_type.get(store, ()):
            if inputs["name"] not in saved:
                yield Finding("stores", f"{inputs['name']} ({store})", f"backup: no {saver} saves it")
    if by_type.get(COMPLIANCE):
        for inputs in by_type.get(SCHEDULE, ()):
            for what in breaches(inputs, COPIES):
                yield Finding("stores", f"{inputs['clusterName']} ({SCHEDULE})", f"backup: {what}")
