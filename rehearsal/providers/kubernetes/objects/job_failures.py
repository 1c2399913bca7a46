"""Checks of how a Job counts failures of its pods (`validateJobSpec`, `validatePodFailurePolicy`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rehearsal.providers.kubernetes.values import items, mapping, missing, one_of, opened
from rehearsal.providers.validation import Problem, problem
from rehearsal.pulumi.properties import UNKNOWN, Path

_PER_INDEX = ("backoffLimitPerIndex", "maxFailedIndexes", "successPolicy")


def job_failure_problems(spec: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    """Problems of the limits per index, of the policy for failed pods, and of their replacement."""
    mode = opened(spec.get("completionMode"))
    for name in _PER_INDEX:
        if mode in (None, "NonIndexed") and opened(spec.get(name)) not in (None, UNKNOWN):
            yield problem((*path, name), "may be set only where completionMode is Indexed")
    if spec.get("maxFailedIndexes") is not None and spec.get("backoffLimitPerIndex") is None:
        yield problem((*path, "backoffLimitPerIndex"), "required where maxFailedIndexes is set")
    policy = opened(spec.get("podFailurePolicy"))
    yield from one_of(spec, path, "podReplacementPolicy", ("Failed", "TerminatingOrFailed"))
    if policy is not None and opened(spec.get("podReplacementPolicy")) == "TerminatingOrFailed":
        yield problem((*path, "podReplacementPolicy"), "is Failed where podFailurePolicy is set")
    if not isinstance(policy, Mapping):
        return
    restart = opened(mapping(mapping(spec.get("template")).get("spec")).get("restartPolicy"))
    if restart == "OnFailure":
        at = (*path, "template", "spec", "restartPolicy")
        yield problem(at, "is Never where podFailurePolicy is set")
    for number, rule in enumerate(items(policy.get("rules"))):
        if isinstance(rule, Mapping):
            per_index = spec.get("backoffLimitPerIndex") is not None
            yield from _rule(rule, (*path, "podFailurePolicy", "rules", number), per_index=per_index)


def _rule(rule: Mapping[str, Any], path: Path, *, per_index: bool) -> Iterator[Problem]:
    yield from one_of(rule, path, "action", ("Count", "FailIndex", "FailJob", "Ignore"))
    if opened(rule.get("action")) == "FailIndex" and not per_index:
        yield problem((*path, "action"), "may be FailIndex only where backoffLimitPerIndex is set")
    codes, conditions = opened(rule.get("onExitCodes")), opened(rule.get("onPodConditions"))
    if UNKNOWN not in (codes, conditions) and (codes is None) == missing(conditions):
        yield problem(path, "exactly one of onExitCodes, onPodConditions must be set")
    if not isinstance(codes, Mapping):
        return
    yield from one_of(codes, (*path, "onExitCodes"), "operator", ("In", "NotIn"))
    values, at = opened(codes.get("values")), (*path, "onExitCodes", "values")
    if missing(values):
        yield problem(at, "at least one exit code is required")
    known = [value for value in items(values) if isinstance(value, (int, float))]
    if known != sorted(known) or len(set(known)) != len(known):
        yield problem(at, "must be in ascending order, each once")
    if 0 in known and opened(codes.get("operator")) == "In":
        yield problem(at, "must not contain 0 where operator is In")
