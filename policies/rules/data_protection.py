"""Data: backed up, recoverable to a moment, kept where it belongs, and not deleted by a slip."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pulumi_policy import Severity

from policies.model.property_tree import Finding
from policies.model.stack import Resource
from policies.pack.rule import Settings, rule

_BACKUP: Final = ("SOC2:A1.2", "REL2")
_ATLAS: Final = r"mongodbatlas:index/advancedCluster:AdvancedCluster"
# What holds data, with the field that makes its cloud refuse a deletion (if it has one).
_STATEFUL: Final = {
    "mongodbatlas:index/advancedCluster:AdvancedCluster": "terminationProtectionEnabled",
    "gcp:container/cluster:Cluster": "deletionProtection",
    "gcp:redis/instance:Instance": "deletionProtection",
    "gcp:secretmanager/secret:Secret": "deletionProtection",
    "gcp:sql/databaseInstance:DatabaseInstance": "deletionProtection",
    "gcp:storage/bucket:Bucket": "",
}


@rule(
    "atlas-backup",
    "A lost or damaged database can be restored: Atlas takes backups, and they outlive the cluster.",
    types=_ATLAS,
    steps="Set backupEnabled and retainBackupsEnabled to true.",
    severity=Severity.CRITICAL,
    tags=_BACKUP,
    settings={
        "retain": {
            "type": "boolean",
            "default": True,
            "description": "Whether backups must outlive a deleted cluster.",
        }
    },
)
def atlas_backup(resource: Resource, settings: Settings) -> Iterator[Finding]:
    keys = ("backupEnabled", "retainBackupsEnabled") if settings["retain"] else ("backupEnabled",)
    for key in keys:
        if resource.node[key].unlike(True):
            yield resource.node[key].finding("must be true")


@rule(
    "atlas-point-in-time",
    "A wrong write can be undone to the second before it: continuous backup is on.",
    types=_ATLAS,
    steps="Set pitEnabled to true.",
    severity=Severity.HIGH,
    tags=_BACKUP,
)
def atlas_point_in_time(resource: Resource, _: Settings) -> Iterator[Finding]:
    if resource.node["pitEnabled"].unlike(True):
        yield resource.node["pitEnabled"].finding("must be true")


@rule(
    "atlas-backup-schedule",
    "Backups are kept long enough to notice what went wrong.",
    types=r"mongodbatlas:index/cloudBackupSchedule:CloudBackupSchedule",
    steps="Keep daily snapshots and point-in-time windows for at least the configured days.",
    severity=Severity.MEDIUM,
    tags=_BACKUP,
    settings={
        "days": {"type": "integer", "default": 7, "minimum": 1, "description": "Shortest daily retention."},
        "restoreDays": {
            "type": "integer",
            "default": 2,
            "minimum": 1,
            "description": "Shortest restore window.",
        },
    },
)
def atlas_backup_schedule(resource: Resource, settings: Settings) -> Iterator[Finding]:
    window = resource.node["restoreWindowDays"]
    if window.present and window.known() and window.number() < settings["restoreDays"]:
        yield window.finding(f"must be at least {int(settings['restoreDays'])}")
    daily = resource.node["policyItemDaily"]
    if daily.like(None):
        yield daily.finding("takes no daily snapshot")
    kept = daily["retentionValue"]
    if (
        daily.present
        and daily["retentionUnit"].like("days")
        and kept.known()
        and kept.number() < settings["days"]
    ):
        yield kept.finding(f"must be at least {int(settings['days'])} days")


@rule(
    "deletion-protection",
    "Nobody deletes data by a slip: what holds it refuses deletion, in the cloud and in Pulumi.",
    types="|".join(_STATEFUL),
    steps="Switch the resource's own deletion protection on, and give it the resource option protect=True.",
    severity=Severity.HIGH,
    tags=("SOC2:A1.2",),
)
def deletion_protection(resource: Resource, _: Settings) -> Iterator[Finding]:
    field = _STATEFUL[resource.type]
    if field and resource.node[field].unlike(True):
        yield resource.node[field].finding("must be true")
    # A secret's content can be made anew, and is replaced by rotation.
    if not resource.protect and resource.type != "gcp:secretmanager/secret:Secret":
        yield Finding(f"{resource.label} needs the resource option protect=True")


@rule(
    "bucket-private",
    "No object becomes public by mistake: access is uniform, and public access is prevented.",
    types=r"gcp:storage/bucket:Bucket",
    steps="Set uniformBucketLevelAccess to true and publicAccessPrevention to enforced.",
    severity=Severity.CRITICAL,
    tags=("SOC2:CC6.1", "SEC1"),
)
def bucket_private(resource: Resource, _: Settings) -> Iterator[Finding]:
    if resource.node["uniformBucketLevelAccess"].unlike(True):
        yield resource.node["uniformBucketLevelAccess"].finding("must be true")
    if resource.node["publicAccessPrevention"].unlike("enforced"):
        yield resource.node["publicAccessPrevention"].finding("must be enforced")


@rule(
    "bucket-recoverable",
    "Overwritten and deleted media can be had back: buckets keep versions and deleted objects for a while.",
    types=r"gcp:storage/bucket:Bucket",
    steps="Enable versioning, keep softDeletePolicy at the configured days, and leave forceDestroy off.",
    severity=Severity.HIGH,
    tags=_BACKUP,
    settings={
        "days": {"type": "integer", "default": 7, "minimum": 0, "description": "Shortest soft delete."}
    },
)
def bucket_recoverable(resource: Resource, settings: Settings) -> Iterator[Finding]:
    if resource.node.at("versioning", "enabled").unlike(True):
        yield resource.node.at("versioning", "enabled").finding("must be true")
    kept = resource.node.at("softDeletePolicy", "retentionDurationSeconds")
    # Google's own default is seven days.
    if kept.known() and kept.number(604_800) < settings["days"] * 86400:
        yield kept.finding(f"must be at least {int(settings['days'])} days ({int(settings['days'] * 86400)})")
    if resource.node["forceDestroy"].unlike(None, False):
        yield resource.node["forceDestroy"].finding("must be false: it deletes all objects with the bucket")


@rule(
    "redis-available",
    "Losing a zone does not lose sessions and queues: Redis has a replica elsewhere and writes to disk.",
    types=r"gcp:redis/instance:Instance",
    steps="Set tier to STANDARD_HA and persistenceConfig.persistenceMode to RDB.",
    severity=Severity.HIGH,
    tags=("SOC2:A1.2", "REL1"),
)
def redis_available(resource: Resource, _: Settings) -> Iterator[Finding]:
    if resource.node["tier"].unlike("STANDARD_HA"):
        yield resource.node["tier"].finding("must be STANDARD_HA")
    mode = resource.node.at("persistenceConfig", "persistenceMode")
    if mode.unlike("RDB", "AOF"):
        yield mode.finding("must be RDB")


@rule(
    "atlas-available",
    "Losing a zone does not lose the database: at least three members vote.",
    types=_ATLAS,
    steps="Set electableSpecs.nodeCount to at least 3 over all regions.",
    severity=Severity.HIGH,
    tags=("SOC2:A1.2", "REL1"),
)
def atlas_available(resource: Resource, _: Settings) -> Iterator[Finding]:
    for spec in resource.node["replicationSpecs"].items():
        counts = [region.at("electableSpecs", "nodeCount") for region in spec["regionConfigs"].items()]
        known = [count.known() for count in counts]
        if spec["regionConfigs"].known() and all(known) and sum(count.number() for count in counts) < 3:
            yield spec.finding("has fewer than three electable members")


@rule(
    "atlas-autoscaling-effective",
    "An update never undoes what autoscaling did: size and disk are read as effective values.",
    types=_ATLAS,
    steps="Set useEffectiveFields to true.",
    severity=Severity.MEDIUM,
    tags=("SOC2:A1.1", "DAT1"),
    url="https://github.com/pulumi/pulumi-mongodbatlas/issues/241",
)
def atlas_autoscaling_effective(resource: Resource, _: Settings) -> Iterator[Finding]:
    for spec in resource.node["replicationSpecs"].items():
        for region in spec["regionConfigs"].items():
            scaling = region["autoScaling"]
            grows = scaling["computeEnabled"].flag() or scaling["diskGbEnabled"].flag()
            if grows and resource.node["useEffectiveFields"].unlike(True):
                yield resource.node["useEffectiveFields"].finding("must be true where autoscaling is on")
                return


_PLACED: Final = (
    r"gcp:(container/(cluster:Cluster|nodePool:NodePool)|redis/instance:Instance|storage/bucket:Bucket|"
    r"sql/databaseInstance:DatabaseInstance|artifactregistry/repository:Repository|"
    r"secretmanager/secret:Secret|compute/(subnetwork:Subnetwork|address:Address))"
)


@rule(
    "allowed-regions",
    "Data of our users stays where we promised to keep it.",
    types=_PLACED + "|" + _ATLAS,
    steps="Use a location that starts with one of the configured prefixes.",
    severity=Severity.HIGH,
    tags=("SOC2:C1.1",),
    settings={
        "prefixes": {
            "type": "array",
            "items": {"type": "string"},
            # Atlas names Google's european regions WESTERN_EUROPE and EUROPE_*.
            "default": ["europe-", "eu", "western_europe", "europe_", "eur"],
            "description": "Prefixes of allowed locations, in lower case.",
        }
    },
)
def allowed_regions(resource: Resource, settings: Settings) -> Iterator[Finding]:
    node = resource.node
    places = [node["location"], node["region"]]
    places += [item["location"] for item in node.at("replication", "userManaged", "replicas").items()]
    if node.at("replication", "auto").present:
        yield node.at("replication", "auto").finding("keeps copies anywhere: name the locations")
    for spec in node["replicationSpecs"].items():
        places += [region["regionName"] for region in spec["regionConfigs"].items()]
    allowed = tuple(settings["prefixes"])
    for place in places:
        if place.present and place.known() and not str(place.raw).lower().startswith(allowed):
            yield place.finding(f"{place.raw} is not one of the allowed regions")


@rule(
    "gke-secrets-encrypted",
    "A stolen backup of the control plane tells no secrets: they are encrypted with a key of our own.",
    types=r"gcp:container/cluster:Cluster",
    steps="Set databaseEncryption.state to ENCRYPTED with a Cloud KMS key.",
    severity=Severity.MEDIUM,
    tags=("CIS-GKE:6.3.1", "SOC2:CC6.1"),
)
def gke_secrets_encrypted(resource: Resource, _: Settings) -> Iterator[Finding]:
    state = resource.node.at("databaseEncryption", "state")
    if state.unlike("ENCRYPTED", "ALL_OBJECTS_ENCRYPTION_ENABLED"):
        yield state.finding("must be ENCRYPTED")
