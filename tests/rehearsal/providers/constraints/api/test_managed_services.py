"""Rules of several of Google's managed services."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.providers.constraints.api.managed_services import CHECKS
from rehearsal.pulumi.properties import UNKNOWN, Path

ALERT = "gcp:monitoring/alertPolicy:AlertPolicy"
BUCKET = "gcp:storage/bucket:Bucket"
ENTRY = "gcp:certificatemanager/certificateMapEntry:CertificateMapEntry"
FILESTORE = "gcp:filestore/instance:Instance"
REDIS = "gcp:redis/instance:Instance"
SUBSCRIPTION = "gcp:pubsub/subscription:Subscription"


def found(token: str, inputs: dict[str, Any]) -> list[Path]:
    return [path for check in CHECKS[token] for path, _ in check(inputs)]


def threshold(period: Any) -> dict[str, Any]:
    return {"conditions": [{"conditionThreshold": {"aggregations": [{"alignmentPeriod": period}]}}]}


@pytest.mark.parametrize(
    ("token", "inputs", "path"),
    [
        (REDIS, {"redisConfigs": {"maxmemory-polcy": "allkeys-lru"}}, ("redisConfigs", "maxmemory-polcy")),
        (REDIS, {"redisConfigs": {"maxmemory-policy": "all-keys"}}, ("redisConfigs", "maxmemory-policy")),
        (
            REDIS,
            {"tier": "STANDARD_HA", "locationId": "a-b1-c", "alternativeLocationId": "a-b1-c"},
            ("alternativeLocationId",),
        ),
        (REDIS, {"alternativeLocationId": "a-b1-c"}, ("alternativeLocationId",)),
        (FILESTORE, {"tier": "BASIC_SSD", "fileShares": {"capacityGb": 1024}}, ("fileShares", "capacityGb")),
        (SUBSCRIPTION, {"pushConfig": {"pushEndpoint": "http://a"}}, ("pushConfig", "pushEndpoint")),
        (
            ALERT,
            threshold("30s"),
            ("conditions", 0, "conditionThreshold", "aggregations", 0, "alignmentPeriod"),
        ),
        (
            ALERT,
            {"conditions": [{"conditionMatchedLog": {"filter": "a"}}]},
            ("conditions", 0, "conditionMatchedLog"),
        ),
        (ENTRY, {"hostname": "a.example", "matcher": "PRIMARY"}, ("matcher",)),
        (BUCKET, {"rpo": "ASYNC_TURBO", "location": "EUROPE-WEST1"}, ("rpo",)),
        (BUCKET, {"rpo": "ASYNC_TURBO", "location": "eu"}, ("rpo",)),
    ],
)
def test_inputs_that_an_api_refuses(token: str, inputs: dict[str, Any], path: Path) -> None:
    assert found(token, inputs) == [path]


@pytest.mark.parametrize(
    ("token", "inputs"),
    [
        (REDIS, {"redisConfigs": {"maxmemory-policy": "allkeys-lru", "timeout": "5"}}),
        (REDIS, {"redisConfigs": {"maxmemory-policy": UNKNOWN}}),
        (REDIS, {"tier": "STANDARD_HA", "locationId": "a-b1-c", "alternativeLocationId": "a-b1-d"}),
        (FILESTORE, {"tier": "BASIC_SSD", "fileShares": {"capacityGb": UNKNOWN}}),
        (FILESTORE, {"tier": "ZONAL", "fileShares": {"capacityGb": 100}}),
        (SUBSCRIPTION, {"pushConfig": {"pushEndpoint": UNKNOWN}}),
        (ALERT, threshold("60s")),
        (ALERT, threshold(UNKNOWN)),
        (
            ALERT,
            {
                "conditions": [{"conditionMatchedLog": {"filter": "a"}}],
                "alertStrategy": {"notificationRateLimit": {"period": "300s"}},
            },
        ),
        (ENTRY, {"hostname": "a.example"}),
        (BUCKET, {"rpo": "ASYNC_TURBO", "location": "EUR4"}),
        (BUCKET, {"rpo": "ASYNC_TURBO", "location": "EU", "customPlacementConfig": {"dataLocations": []}}),
        (BUCKET, {"rpo": "DEFAULT", "location": "EU"}),
    ],
)  # fmt: skip
def test_inputs_that_an_api_accepts(token: str, inputs: dict[str, Any]) -> None:
    assert found(token, inputs) == []
