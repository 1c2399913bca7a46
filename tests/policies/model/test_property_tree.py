"""Unknown values in every rule: no crash, no silent pass and no false finding.

Each value of every case is replaced by an unknown, from single leaves up to whole trees. The real value may
later be the one of the case, so a violation must remain a finding or be listed as not evaluated, and a
compliant case must not become a finding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from pulumi_policy import proxy

from policies.model.property_tree import UNKNOWN, Node, as_sent, known_from, to_send
from policies.rules import RULES, named
from policies.testing import ResourceFixture, Secret, evaluate_policy
from tests.policies.cases import Case
from tests.policies.test_cases import CASES

# This policy looks for plaintext secrets in the program, which an unknown value cannot be.
LOOKS_AT_WHAT_IS_WRITTEN = {"no-secret-values"}
Replace = Callable[[Any], Any]
BY_RULE = {rule.name: [case for case in CASES if case.policy == rule.name] for rule in RULES}


def variants(value: Any, replaced: Replace) -> Iterator[tuple[str, Any]]:
    """Yield (path, copy of `value`) for each nested value, which is replaced by ``replaced(part)`` there."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield f".{key}", {**value, key: replaced(item)}
            for place, inner in variants(item, replaced):
                yield f".{key}{place}", {**value, key: inner}
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield f"[{index}]", [*value[:index], replaced(item), *value[index + 1 :]]
            for place, inner in variants(item, replaced):
                yield f"[{index}]{place}", [*value[:index], inner, *value[index + 1 :]]


def everywhere(
    given: list[ResourceFixture], replaced: Replace
) -> Iterator[tuple[str, list[ResourceFixture]]]:
    """Yield (path, copy of `given`) for each nested value of the inputs, which is replaced in the copy."""
    for index, item in enumerate(given):
        for place, props in variants(item.props, replaced):
            changed = ResourceFixture(item.type, props, item.name, item.protect, item.parent)
            yield f"{item.name}{place}", [*given[:index], changed, *given[index + 1 :]]


def unknown(_: Any) -> Any:
    return UNKNOWN


def secret_throughout(value: Any) -> Any:
    """Return `value` with every scalar marked as secret."""
    if isinstance(value, Mapping):
        return {key: secret_throughout(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [secret_throughout(item) for item in value]
    return Secret(value)


def situations(case: Case) -> Iterator[tuple[list[ResourceFixture], bool]]:
    """Yield (resources, whether they comply) for the compliant resources of a case and each violation."""
    yield list(case.good), True
    for change in case.breaks:
        yield case.broken(change), False


@pytest.mark.slow
@pytest.mark.parametrize("rule", BY_RULE)
def test_an_unknown_anywhere_neither_crashes_nor_hides_nor_accuses(rule: str) -> None:
    policy = named(rule).policy()
    for case in BY_RULE[rule]:
        for given, passes in situations(case):
            for place, changed in everywhere(given, unknown):
                result = evaluate_policy(policy, changed, case.settings)
                if passes:
                    assert result.findings == [], f"{place} unknown is not a violation"
                elif rule not in LOOKS_AT_WHAT_IS_WRITTEN:
                    assert not result.clean, f"{place} unknown hides the violation"


@pytest.mark.parametrize("rule", BY_RULE)
def test_a_secret_is_evaluated_as_any_other_value(rule: str) -> None:
    policy = named(rule).policy()
    for case in BY_RULE[rule]:
        for given, _ in situations(case):
            hidden = [
                ResourceFixture(
                    item.type, secret_throughout(item.props), item.name, item.protect, item.parent
                )
                for item in given
            ]
            plain, secret = (evaluate_policy(policy, found, case.settings) for found in (given, hidden))
            assert (secret.findings, secret.unevaluated) == (plain.findings, plain.unevaluated)


def test_values_are_compared_with_their_types() -> None:
    node = Node({"one": 1, "true": True, "text": "1", "unknown": UNKNOWN})
    for name, same, others in (("one", 1, (True, "1")), ("true", True, (1, "true")), ("text", "1", (1,))):
        assert node[name].is_one_of(*others, same)
        assert not node[name].is_not_one_of(*others, same)
        assert not node[name].is_one_of(*others)
        assert node[name].is_not_one_of(*others)


def test_unknown_value_is_neither_one_of_the_values_nor_none_of_them() -> None:
    node = Node({"a": UNKNOWN})
    assert not node["a"].is_one_of("x")
    assert not node["a"].is_not_one_of("x")


def test_unknown_values_are_filled_from_the_state_where_it_has_them() -> None:
    declared = {"a": UNKNOWN, "b": [UNKNOWN, 1], "c": {"d": UNKNOWN}, "e": [UNKNOWN], "f": 2}
    state: dict[str, Any] = {"a": "x", "b": ["y", 9], "c": {}, "e": ["p", "q"], "f": 8}
    assert known_from(declared, state) == {
        "a": "x",
        "b": ["y", 1],
        "c": {"d": UNKNOWN},
        "e": [UNKNOWN],  # of another length: the places do not correspond
        "f": 2,
    }


def test_values_of_a_remediation_survive_the_way_there_and_back() -> None:
    sent = {"a": [1, "text", proxy.UNKNOWN_STRING_VALUE], "b": Secret({"c": proxy.UNKNOWN_STRING_VALUE})}
    received = as_sent(sent)
    assert received["a"] == [1, "text", UNKNOWN]
    assert received["b"].value == {"c": UNKNOWN}
    returned = to_send(received)
    assert returned["a"] == sent["a"]
    assert returned["b"].value == sent["b"].value
