"""Data protection: backups, recovery, allowed regions, and protection from deletion."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pulumi_policy import Severity

from policies.model.property_tree import Finding
from policies.model.stack import Resource
from policies.pack.rule import Settings, rule

CONCERN: Final = "data-protection"
_BACKUP: Final = ("SOC2:A1.2", "REL2")
_ATLAS: Final = r"mongodbatlas:index/advancedCluster:AdvancedCluster"
# Types that contain data, with the field that makes the cloud refuse a deletion, if any.
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
    "The database must have backups that outlive the cluster. "
    "A lost or damaged database cannot be restored otherwise.",
    concern=CONCERN,
    types=_ATLAS,
    remediation="Set backupEnabled and retainBackupsEnabled to true.",
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
        if resource.node[key].is_not_one_of(True):
            yield resource.node[key].finding("must be true")


@rule(
    "atlas-point-in-time",
    "Continuous backup must be enabled. A wrong write cannot be undone to the second before it otherwise.",
    concern=CONCERN,
    types=_ATLAS,
    remediation="Set pitEnabled to true.",
    severity=Severity.HIGH,
    tags=_BACKUP,
)
def atlas_point_in_time(resource: Resource, _: Settings) -> Iterator[Finding]:
    if resource.node["pitEnabled"].is_not_one_of(True):
        yield resource.node["pitEnabled"].finding("must be true")


@rule(
    "atlas-backup-schedule",
    "Backup retention must meet the configured minimum. "
    "A fault that is noticed late cannot be undone otherwise.",
    concern=CONCERN,
    types=r"mongodbatlas:index/cloudBackupSchedule:CloudBackupSchedule",
    remediation="Keep daily snapshots and point-in-time windows for at least the configured days.",
    severity=Severity.MEDIUM,
    tags=_BACKUP,
    settings={
        "days": {
            "type": "integer",
            "default": 7,
            "minimum": 1,
            "description": "Minimum retention of daily snapshots, in days.",
        },
        "restoreDays": {
            "type": "integer",
            "default": 2,
            "minimum": 1,
            "description": "Minimum restore window, in days.",
        },
    },
)
def atlas_backup_schedule(resource: Resource, settings: Settings) -> Iterator[Finding]:
    window = resource.node["restoreWindowDays"]
    if window.present and window.known() and window.number() < settings["restoreDays"]:
        yield window.finding(f"must be at least {int(settings['restoreDays'])}")
    daily = resource.node["policyItemDaily"]
    if daily.is_one_of(None):
        yield daily.finding("takes no daily snapshot")
    retention = daily["retentionValue"]
    if (
        daily.present
        and daily["retentionUnit"].is_one_of("days")
        and retention.known()
        and retention.number() < settings["days"]
    ):
        yield retention.finding(f"must be at least {int(settings['days'])} days")


@rule(
    "deletion-protection",
    "Data stores must have deletion protection and the resource option protect. "
    "A wrong change can delete data otherwise.",
    concern=CONCERN,
    types="|".join(_STATEFUL),
    remediation=(
        "Switch the resource's own deletion protection on, and give it the resource option protect=True."
    ),
    severity=Severity.HIGH,
    tags=("SOC2:A1.2",),
)
def deletion_protection(resource: Resource, _: Settings) -> Iterator[Finding]:
    field = _STATEFUL[resource.type]
    if field and resource.node[field].is_not_one_of(True):
        yield resource.node[field].finding("must be true")
    # A secret's content can be created again, and is replaced by rotation.
    if not resource.protect and resource.type != "gcp:secretmanager/secret:Secret":
        yield Finding(f"{resource.label} needs the resource option protect=True")


@rule(
    "bucket-private",
    "Buckets must have uniform access and public access prevention. "
    "An object can become public by mistake otherwise.",
    concern=CONCERN,
    types=r"gcp:storage/bucket:Bucket",
    remediation="Set uniformBucketLevelAccess to true and publicAccessPrevention to enforced.",
    severity=Severity.CRITICAL,
    tags=("SOC2:CC6.1", "SEC1"),
)
def bucket_private(resource: Resource, _: Settings) -> Iterator[Finding]:
    if resource.node["uniformBucketLevelAccess"].is_not_one_of(True):
        yield resource.node["uniformBucketLevelAccess"].finding("must be true")
    if resource.node["publicAccessPrevention"].is_not_one_of("enforced"):
        yield resource.node["publicAccessPrevention"].finding("must be enforced")


@rule(
    "bucket-recoverable",
    "Buckets must have versioning and soft delete. "
    "Overwritten and deleted media cannot be restored otherwise.",
    concern=CONCERN,
    types=r"gcp:storage/bucket:Bucket",
    remediation=(
        "Enable versioning, keep softDeletePolicy at the configured days, and leave forceDestroy off."
    ),
    severity=Severity.HIGH,
    tags=_BACKUP,
    settings={
        "days": {
            "type": "integer",
            "default": 7,
            "minimum": 0,
            "description": "Minimum soft-delete retention, in days.",
        }
    },
)
def bucket_recoverable(resource: Resource, settings: Settings) -> Iterator[Finding]:
    if resource.node.at("versioning", "enabled").is_not_one_of(True):
        yield resource.node.at("versioning", "enabled").finding("must be true")
    retention = resource.node.at("softDeletePolicy", "retentionDurationSeconds")
    # Google's default is seven days.
    if retention.known() and retention.number(604_800) < settings["days"] * 86400:
        seconds = int(settings["days"] * 86400)
        yield retention.finding(f"must be at least {int(settings['days'])} days ({seconds})")
    if resource.node["forceDestroy"].is_not_one_of(None, False):
        yield resource.node["forceDestroy"].finding("must be false: it deletes all objects with the bucket")


@rule(
    "redis-available",
    "Redis must have a replica in another zone and persistence. "
    "Losing a zone loses sessions and queues otherwise.",
    concern=CONCERN,
    types=r"gcp:redis/instance:Instance",
    remediation="Set tier to STANDARD_HA and persistenceConfig.persistenceMode to RDB.",
    severity=Severity.HIGH,
    tags=("SOC2:A1.2", "REL1"),
)
def redis_available(resource: Resource, _: Settings) -> Iterator[Finding]:
    if resource.node["tier"].is_not_one_of("STANDARD_HA"):
        yield resource.node["tier"].finding("must be STANDARD_HA")
    mode = resource.node.at("persistenceConfig", "persistenceMode")
    if mode.is_not_one_of("RDB", "AOF"):
        yield mode.finding("must be RDB")


@rule(
    "atlas-available",
    "The database must have at least three voting members. Losing a zone loses the database otherwise.",
    concern=CONCERN,
    types=_ATLAS,
    remediation="Set electableSpecs.nodeCount to at least 3 over all regions.",
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
    "Autoscaled Atlas clusters must set useEffectiveFields. "
    "Every update resets the size that autoscaling chose otherwise.",
    concern=CONCERN,
    types=_ATLAS,
    remediation="Set useEffectiveFields to true.",
    severity=Severity.MEDIUM,
    tags=("SOC2:A1.1", "DAT1"),
    url="https://github.com/pulumi/pulumi-mongodbatlas/issues/241",
)
def atlas_autoscaling_effective(resource: Resource, _: Settings) -> Iterator[Finding]:
    for spec in resource.node["replicationSpecs"].items():
        for region in spec["regionConfigs"].items():
            scaling = region["autoScaling"]
            grows = scaling["computeEnabled"].flag() or scaling["diskGbEnabled"].flag()
            if grows and resource.node["useEffectiveFields"].is_not_one_of(True):
                yield resource.node["useEffectiveFields"].finding("must be true where autoscaling is on")
                return


_PLACED: Final = (
    r"gcp:(container/(cluster:Cluster|nodePool:NodePool)|redis/instance:Instance|storage/bucket:Bucket|"
    r"sql/databaseInstance:DatabaseInstance|artifactregistry/repository:Repository|"
    r"secretmanager/secret:Secret|compute/(subnetwork:Subnetwork|address:Address))"
)


@rule(
    "allowed-regions",
    "Resources must be in an allowed region. User data is stored outside of the promised regions otherwise.",
    concern=CONCERN,
    types=_PLACED + "|" + _ATLAS,
    remediation="Use a location that starts with one of the configured prefixes.",
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
        yield node.at("replication", "auto").finding("replication is automatic; set explicit locations")
    for spec in node["replicationSpecs"].items():
        places += [region["regionName"] for region in spec["regionConfigs"].items()]
    allowed = tuple(settings["prefixes"])
    for place in places:
        if place.present and place.known() and not str(place.raw).lower().startswith(allowed):
            yield place.finding(f"{place.raw} is not one of the allowed regions")


@rule(
    "gke-secrets-encrypted",
    "GKE must encrypt Secrets in etcd with a customer-managed key. "
    "A copy of the control plane's storage exposes them otherwise.",
    concern=CONCERN,
    types=r"gcp:container/cluster:Cluster",
    remediation="Set databaseEncryption.state to ENCRYPTED with a Cloud KMS key.",
    severity=Severity.MEDIUM,
    tags=("CIS-GKE:6.3.1", "SOC2:CC6.1"),
)
def gke_secrets_encrypted(resource: Resource, _: Settings) -> Iterator[Finding]:
    state = resource.node.at("databaseEncryption", "state")
    if state.is_not_one_of("ENCRYPTED", "ALL_OBJECTS_ENCRYPTION_ENABLED"):
        yield state.finding("must be ENCRYPTED")
