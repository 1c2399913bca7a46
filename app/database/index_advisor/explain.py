"""Query plans of MongoDB as one line, for the slow-query log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pymongo.errors import PyMongoError

from app.connections import Database

_EXPLAINED: Final = frozenset({"find", "count", "distinct", "aggregate", "update", "delete", "findAndModify"})
# Fields of a command that concern its session, transaction or transport and are not part of the query.
_ENVELOPE: Final = frozenset(
    {"lsid", "$db", "$clusterTime", "$readPreference", "txnNumber", "startTransaction", "autocommit"}
    | {"readConcern", "writeConcern", "maxTimeMS", "apiVersion"}
)
NO_PLAN: Final = "the server reported no plan"


async def explain(database: Database, command: Mapping[str, Any]) -> str:
    """Return the plan of ``command`` without running it again, or the reason why there is none.

    PyMongo's errors are not raised, but returned as the reason.
    """
    name = next(iter(command), "")
    if name not in _EXPLAINED:
        return f"no plan for {name}"
    inner = {key: value for key, value in command.items() if key not in _ENVELOPE}
    try:
        result = await database.command({"explain": inner, "verbosity": "queryPlanner"})
    except PyMongoError as error:
        return f"no plan: {type(error).__name__}"
    return summary(result)


def summary(result: Mapping[str, Any]) -> str:
    """Return the stages in the result of an ``explain``, innermost first, such as ``IXSCAN own > FETCH``."""
    planner = result.get("queryPlanner")
    if planner is None:  # an aggregation of which the query engine executes only the first stages
        stages = result.get("stages") or [{}]
        planner = stages[0].get("$cursor", {}).get("queryPlanner", {})
    plan = planner.get("winningPlan")
    if isinstance(plan, list):  # the local wire server returns the plan of SQLite
        return " > ".join(str(step.get("detail")) for step in plan) or NO_PLAN
    if not isinstance(plan, Mapping):
        return NO_PLAN
    stages = _stages(plan.get("queryPlan", plan))
    return " > ".join(reversed(stages)) if stages not in ([], ["EOF"]) else NO_PLAN


def _stages(plan: Mapping[str, Any]) -> list[str]:
    stage = str(plan.get("stage", ""))
    name = f"{stage} {plan['indexName']}" if "indexName" in plan else stage
    inner = [plan["inputStage"]] if "inputStage" in plan else plan.get("inputStages", [])
    return [name, *(each for part in inner for each in _stages(part))]
