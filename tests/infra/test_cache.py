"""Redis of production: sizing, transport security and failover."""

from __future__ import annotations

from tests.infra.rehearsal import Declared, configuration


def test_redis_has_a_replica_and_requires_tls_and_a_password(prod: Declared) -> None:
    redis = prod.one("Instance")
    assert redis["tier"] == "STANDARD_HA"
    assert redis["replicaCount"] >= 1
    assert redis["authEnabled"]
    assert redis["transitEncryptionMode"] == "SERVER_AUTHENTICATION"


def test_redis_evicts_only_keys_that_expire(prod: Declared) -> None:
    assert prod.one("Instance")["redisConfigs"]["maxmemory-policy"] == "volatile-lru"


def test_redis_has_at_least_the_configured_memory(declared: Declared) -> None:
    minimum = configuration(declared.stack)["kingdom:cache"]["minGb"]
    assert declared.one("Instance")["memorySizeGb"] >= minimum


def test_redis_is_reachable_from_the_network_only(prod: Declared) -> None:
    redis = prod.one("Instance")
    assert redis["connectMode"] == "PRIVATE_SERVICE_ACCESS"
    assert redis["authorizedNetwork"].endswith("/global/networks/kingdom")
