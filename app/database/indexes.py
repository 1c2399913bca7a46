"""Creation of the indexes that the service relies on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pymongo
from pymongo import IndexModel
from pymongo.asynchronous.collection import AsyncCollection

# Building an index over a large collection takes minutes. With the timeout of a request, the build would be
# aborted and started again by every pod that starts.
BUILD_SECONDS: Final = 3600.0


async def create_indexes(collection: AsyncCollection[Any], models: Sequence[IndexModel]) -> None:
    """Create the missing indexes, within :data:`BUILD_SECONDS`. Raises PyMongo's errors, without MongoDB
    within the client's ``serverSelectionTimeoutMS``.
    """
    # PyMongo selects a server for as long as the timeout of the operation, instead of the client's own limit,
    # so without this call an unavailable MongoDB would block for the time of a build.
    client = collection.database.client
    with pymongo.timeout(client.options.server_selection_timeout):
        await client.admin.command("ping")
    with pymongo.timeout(BUILD_SECONDS):
        await collection.create_indexes(list(models))
