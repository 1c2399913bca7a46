"""Collections with weaker concerns."""

from __future__ import annotations

from pymongo import AsyncMongoClient
from pymongo.read_preferences import SecondaryPreferred

from app.database.concerns import from_secondary, with_w1

DATABASE = AsyncMongoClient[dict[str, object]]("mongodb://127.0.0.1:1/", connect=False)["test"]


def test_primary_alone_acknowledges_writes() -> None:
    collection = with_w1(DATABASE, "events")
    assert (collection.name, collection.write_concern.document) == ("events", {"w": 1})
    assert collection.read_preference == DATABASE.read_preference


def test_reports_are_read_from_a_secondary_that_is_not_too_old() -> None:
    collection = from_secondary(DATABASE, "events")
    assert collection.read_preference == SecondaryPreferred(max_staleness=120)
    assert collection.read_concern.level == "local"
    assert collection.write_concern == DATABASE.write_concern
