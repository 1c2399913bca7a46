"""Rules of the Atlas Administration API over several properties."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from rehearsal.providers.constraints.api.base import Check, Found, at, items, number, one_of, text
from rehearsal.pulumi.properties import UNKNOWN, Path

_ELECTABLE: Final = (3, 5, 7)
_MAX_PRIORITY: Final = 7
_SIZE: Final = re.compile(r"[MR](\d+)")
_IDENTITIES: Final = ("awsIamType", "ldapAuthType", "oidcAuthType", "x509Type")
_NEEDED_BY_NOTIFICATION: Final[Mapping[str, tuple[str, ...]]] = {
    "DATADOG": ("datadogApiKey",),
    "EMAIL": ("emailAddress",),
    "MICROSOFT_TEAMS": ("microsoftTeamsWebhookUrl",),
    "OPS_GENIE": ("opsGenieApiKey",),
    "PAGER_DUTY": ("serviceKey",),
    "SLACK": ("apiToken", "channelName"),
    "SMS": ("mobileNumber",),
    "TEAM": ("teamId",),
    "USER": ("username",),
    "VICTOR_OPS": ("victorOpsApiKey",),
    "WEBHOOK": ("webhookUrl",),
}
# The lowest and the highest number of days in a unit: rules are violated only if every length violates them.
_DAYS: Final[Mapping[str, tuple[int, int]]] = {
    "days": (1, 1),
    "weeks": (7, 7),
    "months": (30, 31),
    "years": (360, 366),
}
# Properties with retention rules, the shortest snapshot interval first; a value is one rule or a list.
POLICY_ITEMS: Final = (
    "policyItemHourly",
    "policyItemDaily",
    "policyItemWeeklies",
    "policyItemMonthlies",
    "policyItemYearlies",
)
# Minimum retention in days: "Weekly policy must have retention of at least 7 days or 1 week", and likewise.
_MIN_DAYS: Final[Mapping[str, int]] = {
    "policyItemWeeklies": 7,
    "policyItemMonthlies": 31,
    "policyItemYearlies": 365,
}


def checks_of(token: str) -> tuple[Check, ...]:
    """Return the checks of a type."""
    return _CHECKS.get(token, ())


def _cluster(inputs: Mapping[str, Any]) -> Found:
    specs = items(inputs.get("replicationSpecs"))
    if inputs.get("clusterType") == "REPLICASET" and len(specs) > 1:
        yield ("replicationSpecs",), f"has {len(specs)} items; a replica set must have one"
    if inputs.get("pitEnabled") is True and inputs.get("backupEnabled") in (None, False):
        yield ("pitEnabled",), "requires backupEnabled to be true"
    for position, spec in specs:
        declared = spec.get("regionConfigs")
        regions = items(declared)
        if not isinstance(declared, list) or len(regions) != len(declared):
            continue  # one of the regions is not known
        path = ("replicationSpecs", position, "regionConfigs")
        if not declared:
            yield path, "must have a region"
            continue
        if at(regions[0][1] if regions else None, "providerName") in ("TENANT", "FLEX"):
            continue
        counts = [at(region, "electableSpecs", "nodeCount") for _, region in regions]
        nodes = [number(count) or 0 for count in counts]
        if regions and UNKNOWN not in counts and any(nodes) and sum(nodes) not in _ELECTABLE:
            yield path, f"has {sum(nodes):g} electable nodes in total; it must have 3, 5 or 7"
        priorities = [number(region.get("priority")) for _, region in regions]
        if regions and None not in priorities and max(map(float, filter(None, priorities)), default=0) != 7:
            yield (*path, 0, "priority"), f"the highest priority of the regions must be {_MAX_PRIORITY}"
        for index, region in regions:
            yield from _scaling(region, (*path, index, "autoScaling"))
        scalings = [_scaling_set(region) for _, region in regions]
        if None not in scalings and any(item != scalings[0] for item in scalings):
            yield (*path, 0, "autoScaling"), "must be the same in all regions"


def _scaling_set(region: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the autoscaling settings of a region except false and absent ones; None if one is unknown."""
    scaling = region.get("autoScaling")
    if scaling is UNKNOWN or (isinstance(scaling, Mapping) and UNKNOWN in scaling.values()):
        return None
    if not isinstance(scaling, Mapping):
        return {}
    return {name: value for name, value in scaling.items() if value is not None and value is not False}


def _scaling(region: Mapping[str, Any], path: tuple[str | int, ...]) -> Found:
    scaling = region.get("autoScaling")
    if not isinstance(scaling, Mapping):
        return
    low, high = scaling.get("computeMinInstanceSize"), scaling.get("computeMaxInstanceSize")
    if scaling.get("computeEnabled") is True and high is None:
        yield (*path, "computeMaxInstanceSize"), "required where computeEnabled is true"
    if scaling.get("computeScaleDownEnabled") is True and low is None:
        yield (*path, "computeMinInstanceSize"), "required where computeScaleDownEnabled is true"
    first, last = _size(low), _size(high)
    if first is not None and last is not None and first > last:
        yield (*path, "computeMinInstanceSize"), f"{low} is larger than computeMaxInstanceSize ({high})"


def excluding_ranges(
    inputs: Mapping[str, Any], olds: Mapping[str, Any], *, certain: bool
) -> Iterator[tuple[Path, str]]:
    """Yield new autoscaling ranges that exclude the current tier, which Atlas refuses with effective fields.

    The current tier is not an input; it lies in the former range. With `certain`, yield new ranges that
    contain no tier of the former one; otherwise those that contain only some of its tiers.
    https://github.com/mongodb/terraform-provider-mongodbatlas/pull/4545.
    """
    if inputs.get("useEffectiveFields") is not True or olds.get("useEffectiveFields") is not True:
        return
    former = dict(_ranges(olds))
    for path, (low, high) in _ranges(inputs):
        before = former.get(path)
        if before is None:
            continue
        names = ("computeMinInstanceSize", low > before[0], low > before[1])
        others = ("computeMaxInstanceSize", high < before[1], high < before[0])
        for name, some, none in (names, others):
            if none if certain else some and not none:
                known = "excludes" if certain else "may exclude"
                reason = f"{known} the current tier, which Atlas refuses with effective fields"
                yield (*path, name), f"{reason}: move the tier into the new range first"


def _ranges(inputs: Mapping[str, Any]) -> Iterator[tuple[Path, tuple[int, int]]]:
    """Yield the position and the lowest and highest tier of each autoscaled region."""
    for position, spec in items(inputs.get("replicationSpecs")):
        for index, region in items(spec.get("regionConfigs")):
            scaling = region.get("autoScaling")
            low, high = (
                _size(at(scaling, name)) for name in ("computeMinInstanceSize", "computeMaxInstanceSize")
            )
            if at(scaling, "computeEnabled") is True and low is not None and high is not None:
                yield ("replicationSpecs", position, "regionConfigs", index, "autoScaling"), (low, high)


def _size(value: Any) -> int | None:
    found = _SIZE.match(text(value) or "")
    return int(found[1]) if found else None


def _backup_schedule(inputs: Mapping[str, Any]) -> Found:
    """Check retention and the restore window of a schedule or of a compliance policy.

    Retention must not decrease with the snapshot interval, and the restore window must not be longer than
    hourly snapshots are retained.
    """
    window, hourly = number(inputs.get("restoreWindowDays")), retained_days(inputs.get("policyItemHourly"))
    if window is not None and hourly and window > max(hourly):
        yield (
            ("restoreWindowDays",),
            f"{window:g} is longer than hourly snapshots are retained ({max(hourly):g})",
        )
    before: tuple[str, float] | None = None
    for name in POLICY_ITEMS:
        value, min_days = inputs.get(name), _MIN_DAYS.get(name, 0)
        known = retained_days(value)
        if not known:
            continue
        if min(known) < min_days:
            yield (name,), f"retains {min(known):g} days; at least {min_days} are required"
        if before is not None and min(known) < before[1]:
            yield (name,), f"retains {min(known):g} days, less than {before[0]} ({before[1]:g})"
        before = (name, max(retained_days(value, long_months=False)))


def retained_days(value: Any, *, long_months: bool = True) -> list[float]:
    """Return the known retention times in days of a policy item, or of a list of them.

    `long_months`: months and years have their highest number of days, otherwise the lowest.
    """
    listed = [item for _, item in items(value)] if isinstance(value, list) else [value]
    return [days for item in listed if (days := _days(item, long_months=long_months)) is not None]


def _export(inputs: Mapping[str, Any]) -> Found:
    if inputs.get("autoExportEnabled") is True and inputs.get("export") is None:
        yield ("export",), "required where autoExportEnabled is true"


def _archive(inputs: Mapping[str, Any]) -> Found:
    """https://www.mongodb.com/docs/atlas/online-archive/configure-online-archive."""
    criteria = inputs.get("criteria")
    if not isinstance(criteria, Mapping):
        return
    for kind, names in (("CUSTOM", ("query",)), ("DATE", ("dateField", "expireAfterDays"))):
        for name in names:
            if criteria.get("type") == kind and criteria.get(name) is None:
                yield ("criteria", name), f"required where type is {kind}"


def _user(inputs: Mapping[str, Any]) -> Found:
    """A user of the database ``admin`` has a password; one of ``$external`` is known by another system."""
    passwords = [name for name in ("password", "passwordWo") if inputs.get(name) is not None]
    database = text(inputs.get("authDatabaseName"))
    if database == "$external":
        for name in passwords:
            yield (name,), "must not be set where authDatabaseName is $external"
    external = any(inputs.get(name) not in (None, "NONE") for name in _IDENTITIES)
    if database == "admin" and not passwords and not external:
        yield ("password",), "required for a user of the database admin"


def _alert(inputs: Mapping[str, Any]) -> Found:
    """https://www.mongodb.com/docs/atlas/reference/api-resources-spec/v2 (createGroupAlertConfig)."""
    for position, notification in items(inputs.get("notifications")):
        kind = text(notification.get("typeName"))
        for name in _NEEDED_BY_NOTIFICATION.get((kind or "").upper(), ()):
            # A notification that an integration of the project sends has its id instead.
            if notification.get(name) is None and notification.get("integrationId") is None:
                yield ("notifications", position, name), f"required where typeName is {kind}"


def _custom_role(inputs: Mapping[str, Any]) -> Found:
    """An action is granted on the cluster, or on databases and collections."""
    for position, action in items(inputs.get("actions")):
        for index, resource in items(action.get("resources")):
            for name in ("collectionName", "databaseName"):
                if resource.get("cluster") is True and text(resource.get(name)):
                    path = ("actions", position, "resources", index, name)
                    yield path, "conflicts with cluster: set only one of them"


def _vector_index(inputs: Mapping[str, Any]) -> Found:
    if inputs.get("type") == "vectorSearch" and inputs.get("fields") is None:
        yield ("fields",), "required where type is vectorSearch"


def _days(item: Any, *, long_months: bool) -> float | None:
    value, unit = number(at(item, "retentionValue")), text(at(item, "retentionUnit"))
    return value * _DAYS[unit][long_months] if value is not None and unit in _DAYS else None


_CHECKS: Final[Mapping[str, tuple[Check, ...]]] = {
    "mongodbatlas:index/advancedCluster:AdvancedCluster": (_cluster,),
    "mongodbatlas:index/alertConfiguration:AlertConfiguration": (_alert,),
    "mongodbatlas:index/backupCompliancePolicy:BackupCompliancePolicy": (_backup_schedule,),
    "mongodbatlas:index/cloudBackupSchedule:CloudBackupSchedule": (_backup_schedule, _export),
    "mongodbatlas:index/customDbRole:CustomDbRole": (_custom_role,),
    "mongodbatlas:index/databaseUser:DatabaseUser": (_user,),
    "mongodbatlas:index/onlineArchive:OnlineArchive": (_archive,),
    "mongodbatlas:index/searchIndex:SearchIndex": (_vector_index,),
    "mongodbatlas:index/projectIpAccessList:ProjectIpAccessList": (
        one_of("awsSecurityGroup", "cidrBlock", "ipAddress"),
    ),
}
