"""Query plans as one line."""

from __future__ import annotations

from typing import Any

import pytest
from pymongo.errors import OperationFailure

from app.database.index_advisor.explain import NO_PLAN, explain, summary

pytestmark = pytest.mark.anyio
SCAN = {"stage": "IXSCAN", "indexName": "own"}
FETCH = {"stage": "FETCH", "inputStage": SCAN}


def planned(plan: Any) -> dict[str, Any]:
    return {"queryPlanner": {"winningPlan": plan}}


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (planned(FETCH), "IXSCAN own > FETCH"),
        (planned({"queryPlan": FETCH, "slotBasedPlan": {}}), "IXSCAN own > FETCH"),
        (
            planned({"stage": "OR", "inputStages": [SCAN, {"stage": "COLLSCAN"}]}),
            "COLLSCAN > IXSCAN own > OR",
        ),
        ({"stages": [{"$cursor": planned(FETCH)}, {"$group": {}}]}, "IXSCAN own > FETCH"),
        (
            planned([{"detail": "SCAN things"}, {"detail": "USE TEMP B-TREE"}]),
            "SCAN things > USE TEMP B-TREE",
        ),
        (planned([]), NO_PLAN),
        (planned({"stage": "EOF"}), NO_PLAN),
        (planned(None), NO_PLAN),
        ({"stages": []}, NO_PLAN),
        ({}, NO_PLAN),
    ],
)
async def test_stages_are_listed_innermost_first(result: dict[str, Any], expected: str) -> None:
    assert summary(result) == expected


class Database:
    def __init__(self, result: dict[str, Any] | Exception) -> None:
        self.result = result
        self.commands: list[dict[str, Any]] = []

    async def command(self, command: dict[str, Any]) -> dict[str, Any]:
        self.commands.append(command)
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


async def test_command_is_explained_without_its_session() -> None:
    database: Any = Database(planned(FETCH))
    command: dict[str, Any] = {
        "find": "things",
        "filter": {"a": 1},
        "lsid": {},
        "$db": "x",
        "txnNumber": 1,
        "maxTimeMS": 5,
    }
    assert await explain(database, command) == "IXSCAN own > FETCH"
    inner = {"find": "things", "filter": {"a": 1}}
    assert database.commands == [{"explain": inner, "verbosity": "queryPlanner"}]


async def test_commands_without_a_plan_are_not_explained() -> None:
    database: Any = Database({})
    assert await explain(database, {"insert": "things"}) == "no plan for insert"
    assert await explain(database, {}) == "no plan for "
    assert database.commands == []


async def test_error_of_the_server_is_the_reason() -> None:
    database: Any = Database(OperationFailure("no"))
    assert await explain(database, {"find": "things"}) == "no plan: OperationFailure"
