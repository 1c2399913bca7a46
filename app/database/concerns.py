"""Read and write concerns that are weaker and cheaper than the default.

By default writes are acknowledged by a majority with journaling, and reads return only data that cannot be
rolled back.
"""

from __future__ import annotations

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import SecondaryPreferred
from pymongo.write_concern import WriteConcern

from app.connections import Database, Document

_MAX_STALENESS_SECONDS = 120  # the server allows no less than 90


def with_w1(database: Database, name: str) -> AsyncCollection[Document]:
    """Return a collection with write concern 1: the primary alone acknowledges a write.

    A failover can lose the latest writes. For data that is aggregated, not looked up.
    """
    return database.get_collection(name, write_concern=WriteConcern(w=1))


def from_secondary(database: Database, name: str) -> AsyncCollection[Document]:
    """Return a collection that is read from a secondary, if there is one, with local read concern.

    The data may be up to 120 s old. For reports, so that long aggregations do not slow down the primary.
    """
    return database.get_collection(
        name,
        read_concern=ReadConcern("local"),
        read_preference=SecondaryPreferred(max_staleness=_MAX_STALENESS_SECONDS),
    )
