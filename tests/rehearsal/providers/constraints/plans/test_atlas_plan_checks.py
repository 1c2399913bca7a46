"""Refusals of the provider of MongoDB Atlas over several properties, as its validators decide them."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.providers.constraints.plans.plan_checks import refused_plans
from rehearsal.pulumi.properties import UNKNOWN, Secret

CLUSTER = "mongodbatlas:index/advancedCluster:AdvancedCluster"
ALERT = "mongodbatlas:index/alertConfiguration:AlertConfiguration"
FORCED = "acceptDataRisksAndForceReplicaSetReconfig"
SECRET = "mongodbatlas:index/serviceAccountSecret:ServiceAccountSecret"
ENCRYPTION = "mongodbatlas:index/encryptionAtRest:EncryptionAtRest"
LOGS = "mongodbatlas:index/logIntegration:LogIntegration"
FAILOVER = "mongodbatlas:index/streamConnectionFailover:StreamConnectionFailover"
BUCKET = {"type": "GCS_LOG_EXPORT", "bucketName": "b", "prefixPath": "p", "roleId": "r"}


def refused(token: str, inputs: dict[str, Any]) -> set[str]:
    return {found.path for found in refused_plans(token, inputs, {}, "provider")}


def cluster(provider: Any) -> dict[str, Any]:
    return {"useEffectiveFields": True, "replicationSpecs": [{"regionConfigs": [{"providerName": provider}]}]}


def test_setting_of_an_update_and_a_stored_secret_are_refused_for_new_resources_only() -> None:
    assert not list(refused_plans(CLUSTER, {FORCED: "2026-01-01T00:00:00Z"}, {"name": "a"}, "provider"))
    assert not list(refused_plans(SECRET, {}, {"clientId": "a"}, "provider"))


@pytest.mark.parametrize(
    ("version", "paths"),
    [
        *((version, {"advancedConfiguration.defaultMaxTimeMs"}) for version in ("0.8", "7", "7.0")),
        *((version, set()) for version in ("8", "8.", "8.0", "latest", UNKNOWN, None)),
    ],
)
def test_default_time_limit_of_queries_needs_version_8(version: Any, paths: set[str]) -> None:
    inputs = {"mongoDbMajorVersion": version, "advancedConfiguration": {"defaultMaxTimeMs": 1000}}
    assert refused(CLUSTER, inputs) == paths
    unlimited = {"mongoDbMajorVersion": version, "advancedConfiguration": {"defaultMaxTimeMs": UNKNOWN}}
    assert not refused(CLUSTER, unlimited)


@pytest.mark.parametrize(
    ("token", "inputs", "paths"),
    [
        (CLUSTER, {FORCED: ""}, {FORCED}),
        (SECRET, {}, {"secretExpiresAfterHours"}),
        (CLUSTER, cluster("TENANT"), {"useEffectiveFields"}),
        (CLUSTER, cluster("FLEX") | {"useEffectiveFields": False}, {"useEffectiveFields"}),
        (
            ALERT,
            {"notifications": [{"typeName": "GROUP"}, {"typeName": "OPS_GENIE", "intervalMin": 5}]},
            {"notifications[1].intervalMin"},
        ),
        (
            ENCRYPTION,
            {"awsKmsConfig": {"roleId": "r", "accessKeyId": Secret("a")}},
            {"awsKmsConfig.accessKeyId"},
        ),
        (LOGS, {"type": "DATADOG_LOG_EXPORT", "apiKey": "k"}, {"region"}),
        (LOGS, {**BUCKET, "iamRoleId": "r", "hecUrl": ""}, {"iamRoleId", "hecUrl"}),
        (FAILOVER, {"type": "Kafka", "clusterName": "c"}, {"clusterName"}),
        (FAILOVER, {"type": "Cluster", "config": {}}, {"config"}),
    ],
)
def test_inputs_that_the_provider_refuses(token: str, inputs: dict[str, Any], paths: set[str]) -> None:
    assert refused(token, inputs) == paths


@pytest.mark.parametrize(
    ("token", "inputs"),
    [
        (SECRET, {"secretExpiresAfterHours": UNKNOWN}),
        (CLUSTER, cluster("GCP")),
        (CLUSTER, cluster(UNKNOWN)),
        (CLUSTER, cluster("TENANT") | {"useEffectiveFields": None}),
        (ALERT, {"notifications": [{"typeName": "PAGER_DUTY", "intervalMin": 0}]}),
        (ALERT, {"notifications": [{"typeName": UNKNOWN, "intervalMin": 5}]}),
        (ENCRYPTION, {"awsKmsConfig": {"roleId": "r"}}),
        (ENCRYPTION, {"awsKmsConfig": {"accessKeyId": "a", "secretAccessKey": "s"}}),
        (LOGS, BUCKET),
        (LOGS, {**BUCKET, "prefixPath": ""}),
        (LOGS, {**BUCKET, "roleId": UNKNOWN, "kmsKey": UNKNOWN}),
        (LOGS, {"type": "NEWER_LOG_EXPORT"}),
        (FAILOVER, {"type": "Kafka", "config": {}, "bootstrapServers": "a:9092"}),
    ],
)
def test_inputs_that_the_provider_accepts(token: str, inputs: dict[str, Any]) -> None:
    assert refused(token, inputs) == set()
