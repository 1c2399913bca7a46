"""All policies of the pack, in the order of their concerns."""

from __future__ import annotations

from typing import Final

from policies.pack.configuration import PolicyShape
from policies.pack.rule import Rule, rules_of
from policies.rules import (
    autoscaling,
    consistency,
    costs,
    data_protection,
    identity,
    limit_ranges,
    load_tests,
    network,
    plaintext_secrets,
    pod_security,
    quotas,
    tls,
    workloads,
)

_MODULES: Final = (
    pod_security,
    workloads,
    quotas,
    limit_ranges,
    load_tests,
    costs,
    autoscaling,
    tls,
    network,
    data_protection,
    identity,
    plaintext_secrets,
    consistency,
)
# The module of each concern, in the order of the documentation.
CONCERNS: Final = {module.CONCERN: module for module in _MODULES}
RULES: Final[tuple[Rule, ...]] = tuple(rule for module in _MODULES for rule in rules_of(module))
SHAPES: Final[tuple[PolicyShape, ...]] = tuple(
    PolicyShape(rule.name, rule.level.value, rule.settings) for rule in RULES
)


def named(name: str) -> Rule:
    """Return the rule with this name. Raises KeyError."""
    for rule in RULES:
        if rule.name == name:
            return rule
    raise KeyError(name)
