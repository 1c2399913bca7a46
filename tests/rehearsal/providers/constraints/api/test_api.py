"""API rules that relate several properties: reported at the property to change; unknown values are valid."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.providers.constraints.api import refused_by_api
from rehearsal.pulumi.properties import UNKNOWN

ZONE = "cloudflare:index/zoneSetting:ZoneSetting"
RECORD = "cloudflare:index/dnsRecord:DnsRecord"
POOL = "gcp:container/nodePool:NodePool"
REDIS = "gcp:redis/instance:Instance"
SECRET = "gcp:secretmanager/secret:Secret"
UPTIME = "gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig"
RULESET = "cloudflare:index/ruleset:Ruleset"
CLUSTER = "mongodbatlas:index/advancedCluster:AdvancedCluster"
SCALING = "replicationSpecs[0].regionConfigs[0].autoScaling"
LINK = "https://www.googleapis.com/compute/v1/projects/my-project"


def regions(*scalings: Any) -> dict[str, Any]:
    """Return a cluster with one region for each of the autoscaling settings; None for a region without."""
    found = [
        {
            "priority": 7 - position,
            "electableSpecs": {"nodeCount": 3 if position == 0 else 2},
            **({} if scaling is None else {"autoScaling": scaling}),
        }
        for position, scaling in enumerate(scalings)
    ]
    return {"replicationSpecs": [{"regionConfigs": found}]}


def limiting(rule: dict[str, Any]) -> dict[str, Any]:
    """A ruleset of the phase http_ratelimit with one rule."""
    return {"phase": "http_ratelimit", "rules": [{"expression": "true", **rule}]}


def refused(token: str, **inputs: Any) -> dict[str, str]:
    return {found.path: found.reason for found in refused_by_api(token, inputs, "API")}


@pytest.mark.parametrize(
    ("token", "inputs", "path"),
    [
        (REDIS, {"region": "europe-west1", "locationId": "us-central1-a"}, "locationId"),
        (REDIS, {"region": f"{LINK}/regions/europe-west1", "locationId": "us-central1-a"}, "locationId"),
        (
            REDIS,
            {"region": "europe-west1", "locationId": f"{LINK}/zones/us-central1-a"},
            "locationId",
        ),
        (CLUSTER, regions({"diskGbEnabled": True}, {"diskGbEnabled": False}), SCALING),
        (CLUSTER, regions({"diskGbEnabled": True}, None), SCALING),
        (UPTIME, {"httpCheck": {}, "selectedRegions": ["EUROPE", "ASIA_PACIFIC"]}, "selectedRegions"),
        (RULESET, limiting({"action": "block"}), "rules[0].ratelimit"),
        (
            POOL,
            {"location": "europe-west1", "nodeLocations": ["europe-west1-b", "europe-west4-a"]},
            "nodeLocations[1]",
        ),
        (POOL, {"autoscaling": {"minNodeCount": 5, "maxNodeCount": 2}}, "autoscaling.minNodeCount"),
        (RECORD, {"type": "AAAA", "content": "192.0.2.1"}, "content"),
        (ZONE, {"settingId": "min_tls_version", "value": "1.5"}, "value"),
        (ZONE, {"settingId": "browser_cache_ttl", "value": 17.0}, "value"),
        (SECRET, {"rotation": {"rotationPeriod": "3600s"}}, "rotation.nextRotationTime"),
        (
            SECRET,
            {"rotation": {"rotationPeriod": "3600s", "nextRotationTime": "2027-01-01T00:00:00Z"}},
            "rotation",
        ),
        ("gcp:compute/healthCheck:HealthCheck", {"checkIntervalSec": 5, "timeoutSec": 6}, "timeoutSec"),
        ("mongodbatlas:index/projectIpAccessList:ProjectIpAccessList", {}, "awsSecurityGroup"),
    ],
)
def test_a_violation_is_reported_at_its_property(token: str, inputs: dict[str, Any], path: str) -> None:
    assert set(refused(token, **inputs)) == {path}


@pytest.mark.parametrize(
    ("token", "inputs"),
    [
        (REDIS, {"region": "europe-west1", "locationId": "europe-west1-b"}),
        (REDIS, {"region": f"{LINK}/regions/europe-west1", "locationId": "europe-west1-b"}),
        (
            REDIS,
            {"region": f"{LINK}/regions/europe-west1", "locationId": f"{LINK}/zones/europe-west1-b"},
        ),
        (CLUSTER, regions({"diskGbEnabled": True}, {"diskGbEnabled": True, "computeEnabled": False})),
        (CLUSTER, regions(None, {"diskGbEnabled": False, "computeMinInstanceSize": None})),
        (CLUSTER, regions({"diskGbEnabled": True}, {"diskGbEnabled": UNKNOWN})),
        (CLUSTER, regions({"diskGbEnabled": True}, UNKNOWN)),
        (UPTIME, {"httpCheck": {}, "selectedRegions": ["EUROPE", "USA"]}),
        (UPTIME, {"httpCheck": {}, "selectedRegions": ["EUROPE", UNKNOWN]}),
        (RULESET, limiting({"action": "skip"})),
        (RULESET, limiting({"action": "execute"})),
        (RULESET, limiting({"action": UNKNOWN})),
        (RULESET, limiting({"action": "block", "ratelimit": UNKNOWN})),
        (REDIS, {"region": "europe-west1", "locationId": UNKNOWN}),
        (REDIS, {"region": UNKNOWN, "locationId": "us-central1-a"}),
        (POOL, {"location": "europe-west1-b", "nodeLocations": ["europe-west1-c"]}),
        (POOL, {"location": "EU", "nodeLocations": ["europe-west1-c"]}),
        (RECORD, {"type": "A", "content": UNKNOWN}),
        (RECORD, {"type": "CNAME", "content": "example.com"}),
        (ZONE, {"settingId": "min_tls_version", "value": UNKNOWN}),
        (ZONE, {"settingId": "a_new_setting", "value": "anything"}),
        (ZONE, {"settingId": "browser_cache_ttl", "value": 14400.0}),
    ],
)
def test_valid_values_and_unknown_values_are_accepted(token: str, inputs: dict[str, Any]) -> None:
    assert not refused(token, **inputs)


def test_a_reason_names_the_api() -> None:
    assert refused(RECORD, type="A", content="x")["content"].endswith("(the API validates this)")
