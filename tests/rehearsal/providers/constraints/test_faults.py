"""Faults planted in valid resources of the program's types and related ones are reported at their path."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from rehearsal.pulumi.properties import UNKNOWN, parse_path
from tests.rehearsal.providers.calls import Calls, urn

CASES: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("faults.yaml").read_text())
NEIGHBORS: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("neighbor_faults.yaml").read_text())
BY_HAND: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("hand_faults.yaml").read_text())

_ONE_MUST_BE_SET = re.compile(r"one of .* must be set")
REFUSED: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("refused.yaml").read_text())


@pytest.mark.parametrize(("token", "case"), [*CASES.items(), *NEIGHBORS.items(), *BY_HAND.items()])
def test_a_valid_resource_is_accepted_and_every_planted_fault_is_refused(
    token: str, case: dict[str, Any]
) -> None:
    cloud = Calls.of(token.partition(":")[0])
    assert not cloud.check(urn(token), case["valid"]).failures
    for fault in case["faults"]:
        inputs = {
            name: value for name, value in {**case["valid"], **fault["set"]}.items() if value is not None
        }
        failures = cloud.check(urn(token), inputs).failures
        assert fault["at"] in {parse_path(path)[0] for path in failures}, (fault, failures)


@pytest.mark.parametrize("token", REFUSED)
def test_inputs_that_an_api_refuses_are_refused(token: str) -> None:
    cloud = Calls.of(token.partition(":")[0])
    for case in REFUSED[token]:
        assert case["at"] in cloud.check(urn(token), case["inputs"]).failures, case


def without(inputs: dict[str, Any], path: str) -> dict[str, Any]:
    """Return a copy of `inputs` without the value at `path`; unchanged if there is none."""
    copied = copy.deepcopy(inputs)
    around: Any = copied
    *above, last = parse_path(path)
    try:
        for step in above:
            around = around[step]
        del around[last]
    except (KeyError, IndexError, TypeError):
        return inputs
    return copied


def value_at(inputs: Any, path: str) -> str:
    """Return the `repr` of the value at `path`; "" if there is none."""
    for step in parse_path(path):
        try:
            inputs = inputs[step]
        except (KeyError, IndexError, TypeError):
            return ""
    return repr(inputs)


def only_at(path: str, failures: dict[str, str]) -> bool:
    """Return whether failures are at `path`, above or below it; "one of … must be set" may be anywhere."""
    at = parse_path(path)
    found = [
        parse_path(failure) for failure, reason in failures.items() if not _ONE_MUST_BE_SET.search(reason)
    ]
    return all(one[: len(at)] == at[: len(one)] for one in found)


@pytest.mark.parametrize("token", REFUSED)
def test_inputs_without_the_refused_value_have_no_other_fault(token: str) -> None:
    cloud = Calls.of(token.partition(":")[0])
    for case in REFUSED[token]:
        failures = cloud.check(urn(token), without(case["inputs"], case["at"])).failures
        assert only_at(case["at"], failures), (case, failures)


@pytest.mark.parametrize("token", REFUSED)
def test_a_case_is_refused_for_a_value_or_a_reason_of_its_own(token: str) -> None:
    cloud = Calls.of(token.partition(":")[0])
    found: set[tuple[str, str, str]] = set()
    for case in REFUSED[token]:
        path = case["at"]
        refusal = (
            path,
            cloud.check(urn(token), case["inputs"]).failures[path],
            value_at(case["inputs"], path),
        )
        assert refusal not in found, case
        found.add(refusal)


def with_an_unknown_value(value: Any) -> Iterator[Any]:
    """Yield copies of `value`, each with one unknown value."""
    yield UNKNOWN
    if isinstance(value, dict):
        for name, item in value.items():
            yield from ({**value, name: changed} for changed in with_an_unknown_value(item))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            for changed in with_an_unknown_value(item):
                yield [*value[:index], changed, *value[index + 1 :]]


@pytest.mark.parametrize(("token", "case"), [*CASES.items(), *NEIGHBORS.items(), *BY_HAND.items()])
def test_a_value_that_is_not_known_is_accepted(token: str, case: dict[str, Any]) -> None:
    cloud, valid = Calls.of(token.partition(":")[0]), case["valid"]
    for inputs in with_an_unknown_value(valid):
        if inputs is not UNKNOWN:
            assert not cloud.check(urn(token), inputs).failures, inputs


@pytest.mark.parametrize(
    ("token", "inputs", "path", "source"),
    [
        ("gcp:redis/instance:Instance", {"tier": "GOLD"}, "tier", "terraform-provider-google-beta validates"),
        ("gcp:kms/keyRing:KeyRing", {"name": "a b"}, "name", "the Google Cloud API validates"),
        (
            "gcp:compute/sSLPolicy:SSLPolicy",
            {"profile": "CUSTOM"},
            "customFeatures",
            "terraform-provider-google-beta refuses this plan",
        ),
        ("mongodbatlas:index/auditing:Auditing", {"auditFilter": "{"}, "auditFilter", "the Atlas"),
    ],
)
def test_a_refusal_names_its_source(token: str, inputs: dict[str, Any], path: str, source: str) -> None:
    failures = Calls.of(token.partition(":")[0]).check(urn(token), CASES[token]["valid"] | inputs).failures
    assert source in failures[path]
