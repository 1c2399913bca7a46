"""Rules of the APIs of Pub/Sub, Cloud Monitoring, Filestore and others over several properties."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rehearsal.providers.constraints.api.base import Check, Found, at, given, items, number, text

# Minimum sizes of file shares in GiB by tier: https://cloud.google.com/filestore/docs/service-tiers
_MIN_SHARE_GB: Final[Mapping[str, int]] = {
    "BASIC_HDD": 1024, "BASIC_SSD": 2560, "ENTERPRISE": 1024, "HIGH_SCALE_SSD": 10_240, "PREMIUM": 2560,
    "STANDARD": 1024,
}  # fmt: skip
# https://cloud.google.com/memorystore/docs/redis/supported-redis-configurations
_REDIS_PARAMETERS: Final = frozenset(
    {
        "activedefrag", "hash-max-listpack-entries", "hash-max-listpack-value", "hash-max-ziplist-entries",
        "hash-max-ziplist-value", "lazyfree-lazy-eviction", "lazyfree-lazy-expire",
        "lazyfree-lazy-user-del", "lazyfree-lazy-user-flush", "lfu-decay-time", "lfu-log-factor",
        "list-compress-depth", "list-max-listpack-size", "list-max-ziplist-size", "maxmemory-clients",
        "maxmemory-gb", "maxmemory-policy", "notify-keyspace-events", "query-engine-memory-limit",
        "set-max-intset-entries", "stream-node-max-bytes", "stream-node-max-entries", "timeout",
        "zset-max-listpack-entries", "zset-max-listpack-value", "zset-max-ziplist-entries",
        "zset-max-ziplist-value",
    }
)  # fmt: skip
_EVICTIONS: Final = frozenset(
    {
        "allkeys-lfu", "allkeys-lru", "allkeys-random", "noeviction", "volatile-lfu", "volatile-lru",
        "volatile-random", "volatile-ttl",
    }
)  # fmt: skip


def _redis(inputs: Mapping[str, Any]) -> Found:
    parameters = inputs.get("redisConfigs")
    for name, value in parameters.items() if isinstance(parameters, Mapping) else ():
        if not name.startswith("__") and name not in _REDIS_PARAMETERS:
            yield ("redisConfigs", name), f"{name!r} is not a parameter that can be set"
        elif name == "maxmemory-policy" and text(value) is not None and value not in _EVICTIONS:
            yield ("redisConfigs", name), f"{value!r} is not one of {', '.join(sorted(_EVICTIONS))}"
    zone, other = text(inputs.get("locationId")), text(inputs.get("alternativeLocationId"))
    if zone is not None and zone == other:
        yield ("alternativeLocationId",), f"is the zone of locationId too ({zone})"
    if given(other) and inputs.get("tier", "BASIC") == "BASIC":
        yield ("alternativeLocationId",), "may be set only where tier is STANDARD_HA"


def _share(inputs: Mapping[str, Any]) -> Found:
    tier, size = text(inputs.get("tier")), number(at(inputs, "fileShares", "capacityGb"))
    min_gb = _MIN_SHARE_GB.get(tier or "")
    if min_gb is not None and size is not None and size < min_gb:
        yield ("fileShares", "capacityGb"), f"{size:g} is less than {min_gb}, the minimum of the tier {tier}"


def _subscription(inputs: Mapping[str, Any]) -> Found:
    endpoint = text(at(inputs, "pushConfig", "pushEndpoint"))
    if endpoint is not None and not endpoint.startswith("https://"):
        yield ("pushConfig", "pushEndpoint"), f"{endpoint!r} does not start with https://"


def _alert_policy(inputs: Mapping[str, Any]) -> Found:
    for position, condition in items(inputs.get("conditions")):
        limit = at(inputs, "alertStrategy", "notificationRateLimit")
        if condition.get("conditionMatchedLog") is not None and limit is None:
            path = ("conditions", position, "conditionMatchedLog")
            yield path, "requires alertStrategy.notificationRateLimit"
        for kind in ("conditionThreshold", "conditionAbsent"):
            for index, aggregation in items(at(condition, kind, "aggregations")):
                period = text(aggregation.get("alignmentPeriod"))
                seconds = number(period.removesuffix("s")) if period else None
                if seconds is not None and seconds < 60:
                    path = ("conditions", position, kind, "aggregations", index, "alignmentPeriod")
                    yield path, f"{period!r} is less than a minute"


def _map_entry(inputs: Mapping[str, Any]) -> Found:
    if given(inputs.get("hostname")) and given(inputs.get("matcher")):
        yield ("matcher",), "conflicts with hostname: set only one of them"


def _bucket(inputs: Mapping[str, Any]) -> Found:
    """https://cloud.google.com/storage/docs/availability-durability#turbo-replication."""
    location, alone = text(inputs.get("location")), inputs.get("customPlacementConfig") is None
    single = location is not None and ("-" in location or location.upper() in ("ASIA", "EU", "US"))
    if inputs.get("rpo") == "ASYNC_TURBO" and single and alone:
        yield ("rpo",), "may be ASYNC_TURBO only in a dual-region"


CHECKS: Final[Mapping[str, tuple[Check, ...]]] = {
    "gcp:certificatemanager/certificateMapEntry:CertificateMapEntry": (_map_entry,),
    "gcp:filestore/instance:Instance": (_share,),
    "gcp:monitoring/alertPolicy:AlertPolicy": (_alert_policy,),
    "gcp:pubsub/subscription:Subscription": (_subscription,),
    "gcp:redis/instance:Instance": (_redis,),
    "gcp:storage/bucket:Bucket": (_bucket,),
}
