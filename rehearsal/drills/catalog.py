"""The named drills."""

from __future__ import annotations

from dataclasses import dataclass

from rehearsal.drills import faults
from rehearsal.drills.faults import Fault


@dataclass(frozen=True)
class Drill:
    """A named fault.

    `restores`: its data is restored from a backup, so later writes may be lost. `hangs`: a dependency hangs,
    and must be used again within :data:`rehearsal.drills.runner.USED_AGAIN_SECONDS` of its end.
    """

    name: str
    summary: str
    fault: Fault
    restores: bool = False
    hangs: bool = False


DRILLS = {
    drill.name: drill
    for drill in (
        Drill("replica-killed", "one replica of api is killed", faults.replica_killed),
        Drill("zone-lost", "every replica of one of three zones is killed", faults.zone_lost),
        Drill("replica-hung", "one replica of api is suspended", faults.replica_hung),
        Drill("redis-failover", "Redis is killed and restarted", faults.redis_failover),
        Drill("database-restart", "the database server is killed and restarted", faults.database_restart),
        Drill("storage-errors", "object storage fails for 10 s", faults.storage_errors),
        Drill("slow-dependency", "the database is slow for 15 s", faults.slow_dependency),
        Drill("database-hung", "the database responds to nothing", faults.database_hung, hangs=True),
        Drill("redis-hung", "Redis responds to nothing", faults.redis_hung, hangs=True),
        Drill("storage-hung", "object storage responds to nothing", faults.storage_hung, hangs=True),
        Drill("origin-lost", "an origin behind the edge refuses connections for 15 s", faults.origin_lost),
        Drill("disk-full", "object storage can write nothing for 15 s", faults.disk_full),
        Drill("clock-skew", "the clock of api is two minutes ahead", faults.clock_skew),
        Drill(
            "bad-configuration", "a revision of api that cannot start is rolled out", faults.bad_configuration
        ),
        Drill("volume-lost", "the database's volume is lost and restored", faults.volume_lost, restores=True),
    )
}
