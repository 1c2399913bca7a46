"""How sure a read or a write must be, by what it is for.

The database as it is opened is fit for the truth: writes are acknowledged by most members from their disks,
reads see only what cannot be rolled back. Some things need less and are cheaper for it.
"""

from __future__ import annotations

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import SecondaryPreferred
from pymongo.write_concern import WriteConcern

from app.connections import Database, Document

_OLDEST_SECONDS = 120  # a member that is further behind is not asked; the least the server allows is 90


def counted(database: Database, name: str) -> AsyncCollection[Document]:
    """A collection of things that are counted, not looked up: a write is acknowledged by the primary alone.
    A fail-over within the moment can lose the latest.
    """
    return database.get_collection(name, write_concern=WriteConcern(w=1))


def reported(database: Database, name: str) -> AsyncCollection[Document]:
    """A collection as reports read it: from a secondary where there is one, up to two minutes behind, so
    that a long aggregation never stands in the way of a sign-in.
    """
    return database.get_collection(
        name,
        read_concern=ReadConcern("local"),
        read_preference=SecondaryPreferred(max_staleness=_OLDEST_SECONDS),
    )
