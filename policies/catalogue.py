"""All policies of the pack, in the order of their concerns."""

from __future__ import annotations

from typing import Final

from policies import (
    autoscaling,
    coherence,
    containers,
    costs,
    data,
    identity,
    limits,
    network,
    quotas,
    secret_values,
    tls,
    workloads,
)
from policies.configuration import PolicyShape
from policies.rules import Rule, rules_of

CONCERNS: Final = (
    containers,
    workloads,
    quotas,
    limits,
    costs,
    autoscaling,
    tls,
    network,
    data,
    identity,
    secret_values,
    coherence,
)
RULES: Final[tuple[Rule, ...]] = tuple(rule for module in CONCERNS for rule in rules_of(module))
SHAPES: Final[tuple[PolicyShape, ...]] = tuple(
    PolicyShape(rule.name, rule.level.value, rule.settings) for rule in RULES
)


def named(name: str) -> Rule:
    """The rule with this name. Raises KeyError."""
    for rule in RULES:
        if rule.name == name:
            return rule
    raise KeyError(name)
