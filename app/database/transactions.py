"""Several documents changed together, or not at all.

The loop is PyMongo's own ``with_transaction``: what the server calls transient is tried again with growing,
jittered waits (5 ms to 500 ms), and an unknown commit is asked about again. Added here: a deadline (its own
is two minutes), concerns that are fit for money, and the count of it.

The work may run several times, so it must change nothing but the database, and only through its session.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import pymongo
from prometheus_client import Counter
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.write_concern import WriteConcern

from app.connections import Database
from app.resilience.deadline import remaining

T = TypeVar("T")
Work = Callable[[AsyncClientSession], Awaitable[T]]

transactions: Final = Counter("kingdom_transactions_total", "Transactions, by how they ended.", ("outcome",))
repeated: Final = Counter("kingdom_transactions_repeated_total", "Times a transaction had to run again.")

_SECONDS: Final = 5.0
# All reads of a transaction see one moment, and what was committed is on disk on most members.
_READS: Final = ReadConcern("snapshot")
_WRITES: Final = WriteConcern("majority", j=True)


class Transactions:
    """Runs work in transactions of one database."""

    def __init__(self, database: Database) -> None:
        self._client = database.client

    async def run(self, work: Work[T], *, seconds: float = _SECONDS) -> T:
        """What ``work(session)`` gives, committed; within ``seconds``, or sooner if the request must end.

        Raises what ``work`` raises, with nothing changed; and what the driver raises: with a time-out while
        it commits, nobody knows what came of it, and only a request with a name can be sent again.
        """
        runs = 0

        async def counted(session: AsyncClientSession) -> T:
            nonlocal runs
            runs += 1
            if runs > 1:
                repeated.inc()
            return await work(session)

        outcome = "aborted"
        try:
            with pymongo.timeout(min(seconds, remaining())):
                async with self._client.start_session() as session:
                    result = await session.with_transaction(
                        counted,
                        read_concern=_READS,
                        write_concern=_WRITES,
                        read_preference=ReadPreference.PRIMARY,
                    )
            outcome = "committed"
            return result
        finally:
            transactions.labels(outcome).inc()
