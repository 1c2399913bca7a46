"""Multi-document transactions.

PyMongo's ``with_transaction`` retries transient errors with exponential backoff and jitter (5 ms to 500 ms)
and repeats a commit whose outcome is unknown. Added here: a deadline (PyMongo's is 120 s), strict read and
write concerns, and metrics.

The callback may run several times, so it must have no effects except on the database, through its session.
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

transactions: Final = Counter("kingdom_transactions_total", "Transactions by outcome.", ("outcome",))
repeated: Final = Counter("kingdom_transactions_repeated_total", "Retries of transactions.")

_TIMEOUT_SECONDS: Final = 5.0
# All reads of a transaction see one snapshot; a commit is journaled on a majority of the members.
_READ_CONCERN: Final = ReadConcern("snapshot")
_WRITE_CONCERN: Final = WriteConcern("majority", j=True)


class Transactions:
    """Runs callbacks in transactions of one database."""

    def __init__(self, database: Database) -> None:
        self._client = database.client

    async def run(self, work: Work[T], *, seconds: float = _TIMEOUT_SECONDS) -> T:
        """Run ``work(session)`` in a transaction, commit it, and return its result.

        The time limit is ``seconds`` or the remaining time of the request, whichever is shorter. An error of
        ``work`` aborts the transaction and is raised. PyMongo's errors are raised too; after a timeout during
        the commit the outcome is unknown, so that only an idempotent request can be repeated.
        """
        runs = 0

        async def counting_retries(session: AsyncClientSession) -> T:
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
                        counting_retries,
                        read_concern=_READ_CONCERN,
                        write_concern=_WRITE_CONCERN,
                        read_preference=ReadPreference.PRIMARY,
                    )
            outcome = "committed"
            return result
        finally:
            transactions.labels(outcome).inc()
