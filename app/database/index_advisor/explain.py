"""What MongoDB means to do with a query, as one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pymongo.errors import PyMongoError

from app.connections import Database

_EXPLAINED: Final = frozenset({"find", "count", "distinct", "aggregate", "update", "delete", "findAndModify"})
# The envelope of a command: sessions, transactions and cluster times are of the original alone.
_ENVELOPE: Final = frozenset(
    {"lsid", "$db", "$clusterTime", "$readPreference", "txnNumber", "startTransaction", "autocommit"}
    | {"readConcern", "writeConcern", "maxTimeMS", "apiVersion"}
)
UNTOLD: Final = "not told by this server"


async def explain(database: Database, command: Mapping[str, Any]) -> str:
    """The plan of ``command``, which is not run again; why there is none when there is none. Never raises
    what the driver raises.
    """
    name = next(iter(command), "")
    if name not in _EXPLAINED:
        return f"no plan for {name}"
    inner = {key: value for key, value in command.items() if key not in _ENVELOPE}
    try:
        answer = await database.command({"explain": inner, "verbosity": "queryPlanner"})
    except PyMongoError as error:
        return f"no plan: {type(error).__name__}"
    return summary(answer)


def summary(answer: Mapping[str, Any]) -> str:
    """The stages of an ``explain``, from what reads to what answers, as ``IXSCAN own > FETCH``."""
    planner = answer.get("queryPlanner")
    if planner is None:  # an aggregation that the query engine does only in part
        stages = answer.get("stages") or [{}]
        planner = stages[0].get("$cursor", {}).get("queryPlanner", {})
    plan = planner.get("winningPlan")
    if isinstance(plan, list):  # the wire server of one machine: SQLite's own plan
        return " > ".join(str(step.get("detail")) for step in plan) or UNTOLD
    if not isinstance(plan, Mapping):
        return UNTOLD
    described = _stages(plan.get("queryPlan", plan))
    return " > ".join(reversed(described)) if described not in ([], ["EOF"]) else UNTOLD


def _stages(plan: Mapping[str, Any]) -> list[str]:
    stage = str(plan.get("stage", ""))
    name = f"{stage} {plan['indexName']}" if "indexName" in plan else stage
    inner = [plan["inputStage"]] if "inputStage" in plan else plan.get("inputStages", [])
    return [name, *(each for part in inner for each in _stages(part))]
