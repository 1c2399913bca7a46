"""Effects of a plan on the platform as text: losses, interruptions, restarts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from rehearsal.engine.events import Op, Result, Step
from rehearsal.engine.state import ResourceState
from rehearsal.pulumi.properties import contains_unknown, differences, format_path, unwrap
from rehearsal.pulumi.urn import name_of, type_of


class Weight(IntEnum):
    """Severity of an effect; the most severe comes first."""

    CONFLICT = 0  # the cloud refuses the change
    LOSS = 1  # data or traffic is lost
    INTERRUPTION = 2  # a component is temporarily unavailable or is replaced
    RESTART = 3  # a component restarts without an interruption
    HINT = 4


@dataclass(frozen=True)
class Effect:
    """One effect of a plan, as a sentence without a full stop.

    `source` is the file and line of a conflicting resource.
    """

    weight: Weight
    text: str
    source: str = ""


@dataclass(frozen=True)
class _Kind:
    """A type whose loss or replacement is reported: its noun and the consequence."""

    noun: str
    lost: str
    weight: Weight = Weight.LOSS


_KINDS: Final[Mapping[str, _Kind]] = {
    "gcp:redis/instance:Instance": _Kind("Redis", "sessions, rate limits and queued tasks are lost"),
    "mongodbatlas:index/advancedCluster:AdvancedCluster": _Kind(
        "the database", "all its data is lost, and backups are needed to restore it"
    ),
    "mongodbatlas:index/project:Project": _Kind("the Atlas project", "the database and its backups are lost"),
    "mongodbatlas:index/cloudBackupSchedule:CloudBackupSchedule": _Kind(
        "the backup schedule of the database", "no more snapshots are taken"
    ),
    "gcp:storage/bucket:Bucket": _Kind("the bucket", "its objects are lost"),
    "gcp:kms/cryptoKey:CryptoKey": _Kind("the key", "what it encrypts cannot be read any more"),
    "gcp:artifactregistry/repository:Repository": _Kind("the registry", "the released images are lost"),
    "gcp:secretmanager/secret:Secret": _Kind("the secret", "its versions are lost"),
    "gcp:gkebackup/backupPlan:BackupPlan": _Kind("the backup plan of the cluster", "its backups are lost"),
    "gcp:sql/databaseInstance:DatabaseInstance": _Kind("the SQL instance", "all its data is lost"),
    "gcp:container/cluster:Cluster": _Kind(
        "the GKE cluster", "every pod stops and the service is unavailable until a new cluster runs"
    ),
    "gcp:container/nodePool:NodePool": _Kind(
        "the node pool", "all nodes of the pool are recreated and their pods move", Weight.INTERRUPTION
    ),
    "gcp:compute/network:Network": _Kind("the VPC", "everything in it is recreated"),
    "gcp:compute/address:Address": _Kind("the address", "references to it must change", Weight.INTERRUPTION),
    "kubernetes:core/v1:Namespace": _Kind("the namespace", "every object in it is deleted"),
    "kubernetes:core/v1:PersistentVolumeClaim": _Kind("the volume claim", "its data is lost"),
    "kubernetes:apps/v1:StatefulSet": _Kind("the stateful set", "its pods stop", Weight.INTERRUPTION),
    "kubernetes:apps/v1:Deployment": _Kind(
        "the deployment", "all its pods stop before new ones start", Weight.INTERRUPTION
    ),
    "kubernetes:gateway.networking.k8s.io/v1:Gateway": _Kind(
        "the gateway", "the service cannot be reached until a new one has an address"
    ),
    "cloudflare:index/dnsRecord:DnsRecord": _Kind("the DNS record", "the name does not resolve"),
    "cloudflare:index/loadBalancer:LoadBalancer": _Kind(
        "the load balancer at the edge", "the service cannot be reached by its name"
    ),
}
# By type: patterns of changed paths, with the weight and the text of their effect.
_UPDATES: Final[Mapping[str, tuple[tuple[str, Weight, str], ...]]] = {
    "gcp:redis/instance:Instance": (
        (
            r"memorySizeGb|replicaCount|tier|redisVersion|readReplicasMode",
            Weight.INTERRUPTION,
            "Redis fails over: connections break for some seconds",
        ),
        (r"maintenancePolicy.*|labels.*", Weight.HINT, ""),
    ),
    "mongodbatlas:index/advancedCluster:AdvancedCluster": (
        (
            r"replicationSpecs.*|mongoDbMajorVersion|diskSizeGb|clusterType",
            Weight.INTERRUPTION,
            "the database restarts its members one after the other: the primary fails over",
        ),
    ),
    "gcp:container/cluster:Cluster": (
        (
            r"minMasterVersion|releaseChannel.*|nodeVersion",
            Weight.INTERRUPTION,
            "the GKE control plane is upgraded",
        ),
    ),
    "gcp:container/nodePool:NodePool": (
        (
            r"nodeConfig.*|version|upgradeSettings\.strategy",
            Weight.INTERRUPTION,
            "all nodes of the pool {name} are recreated one after the other",
        ),
    ),
}
_POD_TEMPLATE: Final = re.compile(r"spec\.template\b.*")
_WORKLOADS: Final = ("Deployment", "StatefulSet", "DaemonSet")
# Inputs with the resource's name in the cloud, where it is not `name`.
_NAMES: Final = {
    "gcp:artifactregistry/repository:Repository": "repositoryId",
    "gcp:iam/workloadIdentityPool:WorkloadIdentityPool": "workloadIdentityPoolId",
    "gcp:iam/workloadIdentityPoolProvider:WorkloadIdentityPoolProvider": "workloadIdentityPoolProviderId",
    "gcp:secretmanager/secret:Secret": "secretId",
    "gcp:serviceaccount/account:Account": "accountId",
}
# The `name` of a grant is that of the resource that it applies to, so it need not be unique.
_GRANT: Final = re.compile(r"(?i)iam(member|binding|policy)$")
_SCOPES: Final = (
    "project", "workloadIdentityPoolId", "router", "map", "pool", "service",
    "projectId", "location", "region", "zone", "cluster", "clusterName", "keyRing", "zoneId",
    "network", "bucket", "topic", "instance", "database", "dataset", "managedZone", "parent", "type",
    "metadata.namespace",
)  # fmt: skip
# Packages whose names are unique; elsewhere a name is a label that several resources may have.
_UNIQUE: Final = ("gcp:", "kubernetes:", "mongodbatlas:")


def effects(result: Result, base: Result | None) -> list[Effect]:
    """Return the effects of the plan `result`, the most severe first. `base` is the existing state."""
    steps = [step for step in result.steps if step.custom]
    found = [*_collisions(steps, result, base), *_taken_away(steps), *_updated(steps)]
    unique = dict.fromkeys(sorted(found, key=lambda item: item.weight))
    return list(unique)


def _taken_away(steps: Iterable[Step]) -> Iterator[Effect]:
    replaced = {step.urn for step in steps if step.op is Op.REPLACE}
    for step in steps:
        kind = _KINDS.get(step.type)
        if kind is None or step.retained or step.op not in (Op.DELETE, Op.REPLACE):
            continue
        if step.op is Op.DELETE and step.urn in replaced:
            continue
        done = "replaced" if step.op is Op.REPLACE else "deleted"
        yield Effect(kind.weight, f"{_capital(kind.noun)} {step.name} is {done}: {kind.lost}")


def _updated(steps: Iterable[Step]) -> Iterator[Effect]:
    rolling: list[str] = []
    for step in steps:
        if step.op is not Op.UPDATE:
            continue
        paths = [format_path(change.path) for change in step.changes]
        if step.type.rpartition(":")[2] in _WORKLOADS:
            if any(_POD_TEMPLATE.match(path) for path in paths):
                rolling.append(step.name)
            continue
        for pattern, weight, text in _UPDATES.get(step.type, ()):
            if text and any(re.fullmatch(pattern, path) for path in paths):
                yield Effect(weight, _capital(text.format(name=step.name)))
                break
    if rolling:
        names = " and ".join((", ".join(rolling[:-1]), rolling[-1])) if len(rolling) > 1 else rolling[0]
        verb = "roll" if len(rolling) > 1 else "rolls"
        yield Effect(Weight.RESTART, f"{names} {verb}: pods are replaced without an interruption")


def _collisions(steps: Sequence[Step], result: Result, base: Result | None) -> Iterator[Effect]:
    """Yield conflicts of names, and hints to deleted resources that may have been renamed."""
    new = _inputs(result.snapshot.resources)
    old = _inputs(base.snapshot.resources) if base is not None else {}
    resources = (*(base.snapshot.resources if base is not None else ()), *result.snapshot.resources)
    # Names are unique per provider, since providers differ in cluster or project. The URN identifies one: its
    # ID may be unknown.
    providers = {item.urn: item.provider.rpartition("::")[0] for item in resources}
    yield from _taken_names(steps, new, old, providers)
    for step in steps:
        if step.op is not Op.CREATE or step.urn not in new:
            continue
        for other in steps:
            if other.op is not Op.DELETE or other.type != step.type or other.urn not in old:
                continue
            inputs, before = new[step.urn], old[other.urn]
            name = _physical(step.type, inputs)
            same = name is not None and name == _physical(step.type, before)
            if not same and other.name != step.name and _alike(inputs, before):
                yield Effect(
                    Weight.HINT,
                    f"{other.name} looks renamed to {step.name}: it is deleted and created again. To keep it,"
                    f" add {_alias(other.name)}",
                )


def _taken_names(
    steps: Sequence[Step], new: Mapping[str, Any], old: Mapping[str, Any], providers: Mapping[str, str]
) -> Iterator[Effect]:
    """Yield a conflict for each resource to be created whose name an existing or another new one has."""
    taken: dict[tuple[str, str, tuple[str, ...]], str] = {}
    for urn, inputs in old.items():
        name = _physical(type_of(urn), inputs)
        if name is not None and type_of(urn).startswith(_UNIQUE):
            taken.setdefault((type_of(urn), providers.get(urn, ""), name), urn)
    deleted = {step.urn for step in steps if step.op is Op.DELETE}
    for step in steps:
        created = step.op is Op.CREATE or (step.op is Op.REPLACE and not step.delete_before_replace)
        name = _physical(step.type, new.get(step.urn))
        if not created or name is None or not step.type.startswith(_UNIQUE):
            continue
        owner = taken.setdefault((step.type, providers.get(step.urn, ""), name), step.urn)
        if owner == step.urn and (step.op is Op.CREATE or _is_generated(name[0], step.name)):
            continue
        yield Effect(Weight.CONFLICT, _refused(step, name[0], owner, owner in deleted), step.source)


def _is_generated(name: str, logical: str) -> bool:
    """Whether `name` is the logical name and a random suffix, which a replacement generates again."""
    return re.fullmatch(rf"{re.escape(logical)}-[0-9a-z]{{7,8}}", name) is not None


def _refused(step: Step, name: str, owner: str, deleted: bool) -> str:
    """Return why the cloud refuses `name` for the resource of `step`, and the remedy.

    `owner` is the URN of the resource that has the name; `deleted` is true if the plan deletes it later.
    """
    other, why = name_of(owner), f"({name}), which is refused with 409 (already exists)"
    if owner == step.urn:
        return (
            f"{step.name} is created again before the old one is deleted, and has the same name in the cloud"
            f" {why}. Replace it with opts=ResourceOptions(delete_before_replace=True)"
        )
    if deleted:
        return (
            f"{step.name} is created while {other} still has the same name in the cloud {why}. If this is a"
            f" rename, keep the resource with {_alias(other)}"
        )
    return f"{step.name} and {other} have the same name in the cloud {why}. Give the new one another name"


def _alias(name: str) -> str:
    return f'opts=ResourceOptions(aliases=[Alias(name="{name}")])'


def _inputs(resources: Iterable[ResourceState]) -> dict[str, Any]:
    return {item.urn: unwrap(item.inputs) for item in resources if not item.delete}


def _physical(type_: str, inputs: Any) -> tuple[str, ...] | None:
    """Return the name in the cloud and the values that it must be unique within, such as the project.

    Return None if the cloud assigns the name, or if one of the values is unknown.
    """
    if _GRANT.search(type_):
        return None
    for key in ("metadata.name", _NAMES.get(type_, "name")):
        name = _at(inputs, key)
        if isinstance(name, str) and name:
            scopes = [_at(inputs, scope) for scope in _SCOPES]
            if any(contains_unknown(scope) for scope in scopes):
                return None
            return (name, *("" if scope is None else str(scope) for scope in scopes))
    return None


def _at(inputs: Any, path: str) -> Any:
    for part in path.split("."):
        inputs = inputs.get(part) if isinstance(inputs, Mapping) else None
    return inputs


def _alike(one: Any, other: Any) -> bool:
    """Whether the inputs of two resources differ in at most one property, which is a name or id."""
    if not one or not other or set(one) != set(other):
        return False
    paths = [format_path(path) for path in differences(other, one)]
    return len(paths) <= 1 and all(re.search(r"(?i)name|id$", path) for path in paths)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
