"""Redis of production: sizing, transport security, failover, and instances of single uses."""

from __future__ import annotations

import pytest

from tests.infra.rehearsal import Declared, configuration

INSTANCES = ("cache", "cache-limits", "cache-queue")


def test_prod_has_an_instance_for_each_use(prod: Declared) -> None:
    names = {name: redis["name"] for name, redis in prod.of("Instance").items()}
    assert names == {
        "cache": "kingdom", "cache-limits": "kingdom-limits", "cache-queue": "kingdom-queue",
    }  # fmt: skip


@pytest.mark.parametrize("name", INSTANCES)
def test_redis_has_a_replica_and_requires_tls_and_a_password(prod: Declared, name: str) -> None:
    redis = prod.one("Instance", name)
    assert redis["tier"] == "STANDARD_HA"
    assert redis["replicaCount"] >= 1
    assert redis["authEnabled"]
    assert redis["transitEncryptionMode"] == "SERVER_AUTHENTICATION"


@pytest.mark.parametrize("name", INSTANCES)
def test_redis_evicts_only_keys_that_expire(prod: Declared, name: str) -> None:
    assert prod.one("Instance", name)["redisConfigs"]["maxmemory-policy"] == "volatile-lru"


def test_redis_has_at_least_the_configured_memory(declared: Declared) -> None:
    section = configuration(declared.stack)["kingdom:cache"]
    minimum = {"cache": section["minGb"]}
    minimum |= {f"cache-{use}": memory for use, memory in section.get("separate", {}).items()}
    found = {name: redis["memorySizeGb"] for name, redis in declared.of("Instance").items()}
    assert found.keys() == minimum.keys()
    assert all(found[name] >= minimum[name] for name in minimum)


@pytest.mark.parametrize("name", INSTANCES)
def test_redis_is_reachable_from_the_network_only(prod: Declared, name: str) -> None:
    redis = prod.one("Instance", name)
    assert redis["connectMode"] == "PRIVATE_SERVICE_ACCESS"
    assert redis["authorizedNetwork"].endswith("/global/networks/kingdom")


def test_pods_get_the_address_and_the_secrets_of_each_instance(prod: Declared) -> None:
    data = prod.one("ConfigMap", "configuration")["data"]
    urls = {data[f"KINGDOM_{use}REDIS_URL"] for use in ("", "LIMITS_", "QUEUE_")}
    assert len(urls) == 3
    assert all(url.startswith("rediss://") for url in urls)
    secrets = {each["secretId"] for each in prod.of("Secret").values() if "secretId" in each}
    for use in ("", "limits-", "queue-"):
        assert {f"kingdom-{use}redis-auth", f"kingdom-{use}redis-ca"} <= secrets
