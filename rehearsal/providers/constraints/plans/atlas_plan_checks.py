"""Refusals of the provider of MongoDB Atlas over several properties of a configuration.

Read in terraform-provider-mongodbatlas, August 2026; each check names the validator that it follows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rehearsal.providers.constraints.api.base import Check, Found, at, items, number, required_where, text
from rehearsal.pulumi.properties import UNKNOWN

_WITHOUT_INTERVAL: Final = frozenset({"OPS_GENIE", "PAGER_DUTY", "VICTOR_OPS"})
_TIME_LIMIT_VERSION: Final = 8.0
_SHARED_TIERS: Final = frozenset({"FLEX", "TENANT"})
# Properties that belong to each type, the required ones first.
_LOG_EXPORTS: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "AZURE_LOG_EXPORT": (("prefixPath", "roleId", "storageAccountName", "storageContainerName"), ()),
    "DATADOG_LOG_EXPORT": (("apiKey", "region"), ()),
    "GCS_LOG_EXPORT": (("bucketName", "prefixPath", "roleId"), ()),
    "OTEL_LOG_EXPORT": (("otelEndpoint", "otelSuppliedHeaders"), ()),
    "S3_LOG_EXPORT": (("bucketName", "iamRoleId", "prefixPath"), ("kmsKey", "useLegacyPathStructure")),
    "SPLUNK_LOG_EXPORT": (("hecToken", "hecUrl"), ()),
}
_FAILOVERS: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "Cluster": ((), ("clusterName", "clusterProjectId", "dbRoleToExecute")),
    "Kafka": ((), ("authentication", "bootstrapServers", "config", "networking", "security")),
}


def _variants(variants: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]) -> Check:
    """`ValidateDiscriminator`: the properties that `type` requires, and none of those of another type."""
    required = required_where("type", {kind: needed for kind, (needed, _) in variants.items()}, empty=True)

    def check(inputs: Mapping[str, Any]) -> Found:
        yield from required(inputs)
        kind = text(inputs.get("type"))
        if kind not in variants:
            return
        allowed = {name for names in variants[kind] for name in names}
        others = {name for one in variants.values() for names in one for name in names} - allowed
        for name in sorted(others):
            if inputs.get(name) not in (None, UNKNOWN):
                yield (name,), f"must not be set where type is {kind}"

    return check


def _alert_interval(inputs: Mapping[str, Any]) -> Found:
    """Refuse an interval for notification types without one (`IntervalMinValidator`)."""
    for position, notification in items(inputs.get("notifications")):
        kind, interval = text(notification.get("typeName")), number(notification.get("intervalMin"))
        if interval is not None and interval > 0 and kind is not None and kind.upper() in _WITHOUT_INTERVAL:
            yield ("notifications", position, "intervalMin"), f"must not be set where typeName is {kind}"


def _aws_key(inputs: Mapping[str, Any]) -> Found:
    """Refuse access keys beside a role (`AwsKmsConfigValidator`)."""
    config = inputs.get("awsKmsConfig")
    if isinstance(config, Mapping) and config.get("roleId") is not None:
        for name in ("accessKeyId", "secretAccessKey"):
            if config.get(name) is not None:
                yield ("awsKmsConfig", name), "conflicts with roleId: set only one of them"


def _effective_fields(inputs: Mapping[str, Any]) -> Found:
    """Refuse effective fields of a shared tier (`UseEffectiveFieldsValidator`)."""
    if inputs.get("useEffectiveFields") in (None, UNKNOWN):
        return
    for _, spec in items(inputs.get("replicationSpecs")):
        for _, region in items(spec.get("regionConfigs")):
            if (kind := at(region, "providerName")) in _SHARED_TIERS:
                yield ("useEffectiveFields",), f"must not be set where providerName is {kind}"
                return


def _time_limit(inputs: Mapping[str, Any]) -> Found:
    """`PlanMustUseMongoDBVersion`; a version that is absent or not known counts as the default one, 8.0."""
    path = ("advancedConfiguration", "defaultMaxTimeMs")
    version = number(text(inputs.get("mongoDbMajorVersion")))
    if at(inputs, *path) not in (None, UNKNOWN) and version is not None and version < _TIME_LIMIT_VERSION:
        yield path, f"requires mongoDbMajorVersion {_TIME_LIMIT_VERSION} or later"


def _update_only(inputs: Mapping[str, Any]) -> Found:
    """Check a setting that the plan of a new cluster must not have."""
    if inputs.get("acceptDataRisksAndForceReplicaSetReconfig") not in (None, UNKNOWN):
        yield ("acceptDataRisksAndForceReplicaSetReconfig",), "may be set in an update only"


def _expiration(inputs: Mapping[str, Any]) -> Found:
    """Require the lifetime of a new secret (`RequestOnlyRequiredOnCreate`)."""
    if inputs.get("secretExpiresAfterHours") is None:
        yield ("secretExpiresAfterHours",), "required for a new secret"


CHECKS_OF_NEW: Final[Mapping[str, tuple[Check, ...]]] = {
    "mongodbatlas:index/projectServiceAccountSecret:ProjectServiceAccountSecret": (_expiration,),
    "mongodbatlas:index/serviceAccountSecret:ServiceAccountSecret": (_expiration,),
    "mongodbatlas:index/advancedCluster:AdvancedCluster": (_update_only,),
}
CHECKS: Final[Mapping[str, tuple[Check, ...]]] = {
    "mongodbatlas:index/advancedCluster:AdvancedCluster": (_effective_fields, _time_limit),
    "mongodbatlas:index/alertConfiguration:AlertConfiguration": (_alert_interval,),
    "mongodbatlas:index/encryptionAtRest:EncryptionAtRest": (_aws_key,),
    "mongodbatlas:index/logIntegration:LogIntegration": (_variants(_LOG_EXPORTS),),
    "mongodbatlas:index/streamConnectionFailover:StreamConnectionFailover": (_variants(_FAILOVERS),),
}
