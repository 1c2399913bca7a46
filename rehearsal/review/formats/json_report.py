"""A review as one JSON object, for programs. Its fields are described in docs/pull-requests.md."""

from __future__ import annotations

import math
from typing import Any, Final

from policies.api import Costs
from rehearsal.cli.display import changes_json
from rehearsal.engine.events import Step
from rehearsal.pulumi.urn import name_of, type_of
from rehearsal.review.changes.load_forecast import Carried, LoadForecast
from rehearsal.review.findings import Finding
from rehearsal.review.review import Review
from rehearsal.review.stack_review import StackReview

VERSION: Final = 1


def report(review: Review) -> dict[str, Any]:
    """Return the complete review, with masked secrets."""
    return {
        "version": VERSION,
        "ok": review.exit_code == 0,
        "exitCode": review.exit_code,
        "error": str(review.error) if review.error is not None else None,
        "head": {"commit": review.commit, "dirty": review.dirty},
        "base": {"ref": review.ref, "commit": review.base_commit} if review.ref else None,
        "stacks": [_stack(item) for item in review.stacks],
        "findings": [_finding(item) for item in review.findings],
        "unevaluated": [_finding(item) for item in review.unevaluated],
        "remediations": [
            {
                "policy": item.policy,
                "description": item.description,
                "resource": name_of(item.urn),
                "type": type_of(item.urn),
                "source": item.source,
                "changes": changes_json(item.changes),
                "stacks": list(stacks),
            }
            for item, stacks in review.remediations
        ],
        "ruleChanges": [
            {
                "rule": item.rule,
                "kind": item.kind,
                "before": item.before or None,
                "after": item.after or None,
                "stacks": list(item.stacks),
            }
            for item in review.rule_changes
        ],
        "withheld": [_finding(item) for item in review.withheld],
        "seconds": round(review.seconds, 3),
    }


def _stack(item: StackReview) -> dict[str, Any]:
    return {
        "stack": item.stack,
        "status": item.status.value,
        "error": item.error or None,
        "baseError": item.base_error or None,
        "protected": [
            {"urn": found.urn, "name": name_of(found.urn), "message": found.message, "source": found.source}
            for found in item.protected
        ],
        "digest": item.plan.digest if item.plan is not None else None,
        "counts": {op.value: number for op, number in item.counts.items()},
        "unchanged": item.unchanged,
        "changes": [_step(step) for step in item.changes],
        "capacity": [
            {"what": change.what, "before": change.before or None, "after": change.after or None}
            for change in item.capacity
        ],
        "forecast": _forecast(item.load_forecast),
        "effects": [{"weight": one.weight.name.lower(), "text": one.text} for one in item.effects],
        "wrongSettings": [
            {"key": one.key, "message": one.message, "line": one.line} for one in item.wrong_settings
        ],
        "billed": item.billed,
        "costs": _costs(item.costs),
        "baseCosts": _costs(item.base_costs),
    }


def _forecast(found: LoadForecast | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "text": found.text(),
        "atUsers": found.at_users or None,
        "before": _carried(found.before),
        "after": _carried(found.after),
    }


def _carried(found: Carried | None) -> dict[str, Any] | None:
    if found is None:
        return None
    users = None if math.isinf(found.users) else round(found.users)
    return {"limit": found.limit, "users": users, "usdPerHour": round(found.usd, 2)}


def _step(step: Step) -> dict[str, Any]:
    return {
        "op": step.op.value,
        "urn": step.urn,
        "type": step.type,
        "name": step.name,
        "source": step.source,
        "deletedFirst": step.delete_before_replace,
        "retained": step.retained,
        "changes": changes_json(step.changes),
    }


def _costs(costs: Costs | None) -> dict[str, Any] | None:
    if costs is None:
        return None
    return {
        "currency": "USD",
        "dated": costs.dated,
        "minimum": round(costs.minimum, 2),
        "maximum": round(costs.maximum, 2),
        "positions": [
            {
                "resource": name_of(line.urn),
                "what": line.what,
                "minimum": round(line.minimum, 2),
                "maximum": round(line.maximum, 2),
                "standIn": line.stand_in or None,
            }
            for line in costs.lines
        ],
        "unpriced": [{"resource": name_of(item.urn), "why": item.why} for item in costs.unpriced],
    }


def _finding(item: Finding) -> dict[str, Any]:
    return {
        "policy": item.rule.name,
        "level": item.level,
        "severity": item.rule.severity or None,
        "message": item.message,
        "description": item.rule.description,
        "remediation": item.rule.remediation,
        "tags": list(item.rule.tags),
        "resource": item.resource,
        "type": item.type,
        "file": item.file,
        "line": item.line,
        "setting": item.setting or None,
        "settingPlace": f"{item.setting_file}:{item.setting_line}" if item.setting else None,
        "stacks": list(item.stacks),
    }
