"""Objects of every kind: those that the API server refuses are refused, at the path of the violation."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from rehearsal.providers.kubernetes.declared_types import declared_inputs
from rehearsal.providers.kubernetes.validation import problems
from rehearsal.pulumi.properties import UNKNOWN, parse_path
from tests.rehearsal.providers.calls import Calls, urn
from tests.rehearsal.providers.constraints.test_faults import only_at, with_an_unknown_value, without

CASES: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("faults.yaml").read_text())
SERVER: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("api_server_faults.yaml").read_text())
REFUSED: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("refused.yaml").read_text())
CONTROL_PLANE: dict[str, Any] = yaml.safe_load(
    Path(__file__).with_name("control_plane_faults.yaml").read_text()
)
DEPLOYMENT = "kubernetes:apps/v1:Deployment"


def changed(valid: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """`valid` with the value at `path` set, or removed where it is None."""
    inputs = copy.deepcopy(valid)
    at: Any = inputs
    *around, last = parse_path(path)
    for step in around:
        if isinstance(at, dict):
            at.setdefault(step, {})
        at = at[step]
    if value is None:
        at.pop(last, None)
    else:
        at[last] = value
    return inputs


@pytest.mark.parametrize(("token", "case"), [*CASES.items(), *SERVER.items()])
def test_a_valid_object_is_accepted_and_every_fault_in_it_is_reported(
    token: str, case: dict[str, Any], kubernetes: Calls
) -> None:
    assert not kubernetes.check(urn(token), case["valid"]).failures
    for fault in case["faults"]:
        inputs = changed(case["valid"], fault["path"], fault["value"])
        failures = kubernetes.check(urn(token), inputs).failures
        assert fault.get("at", fault["path"]) in failures, (fault, failures)


@pytest.mark.parametrize("token", REFUSED)
def test_an_object_that_the_server_refuses_is_refused(token: str, kubernetes: Calls) -> None:
    for case in REFUSED[token]:
        assert case["at"] in kubernetes.check(urn(token), case["inputs"]).failures, case


@pytest.mark.parametrize("token", REFUSED)
def test_an_object_without_the_refused_value_has_no_other_fault(token: str, kubernetes: Calls) -> None:
    for case in REFUSED[token]:
        failures = kubernetes.check(urn(token), without(case["inputs"], case["at"])).failures
        assert only_at(case["at"], failures), (case, failures)


@pytest.mark.parametrize(("token", "case"), [*CASES.items(), *SERVER.items()])
def test_a_value_that_is_not_known_is_accepted(token: str, case: dict[str, Any], kubernetes: Calls) -> None:
    for inputs in with_an_unknown_value(case["valid"]):
        if inputs is not UNKNOWN:
            assert not kubernetes.check(urn(token), inputs).failures, inputs


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec.template.spec.containers[0].resources.requests.cpu", 0.25),
        ("spec.template.spec.containers[0].image", UNKNOWN),
        ("spec.template.spec.volumes", UNKNOWN),
        ("spec.template.spec.containers[0].livenessProbe", UNKNOWN),
        ("spec.replicas", UNKNOWN),
        ("spec.strategy", {"type": "Recreate"}),
    ],
)
def test_valid_and_unknown_objects_are_accepted(path: str, value: Any, kubernetes: Calls) -> None:
    assert not kubernetes.check(urn(DEPLOYMENT), changed(CASES[DEPLOYMENT]["valid"], path, value)).failures


@pytest.mark.parametrize("token", CONTROL_PLANE)
def test_valid_variations_are_accepted_and_faults_are_reported_at_their_path(
    token: str, kubernetes: Calls
) -> None:
    case = CONTROL_PLANE[token]
    assert not kubernetes.check(urn(token), case["valid"]).failures
    for one in case.get("variations", ()):
        failures = kubernetes.check(urn(token), changed(case["valid"], one["path"], one["value"])).failures
        assert not failures, (one, failures)
    for fault in case["faults"]:
        failures = kubernetes.check(
            urn(token), changed(case["valid"], fault["path"], fault["value"])
        ).failures
        assert fault.get("at", fault["path"]) in failures, (fault, failures)


@pytest.mark.parametrize("token", CONTROL_PLANE)
def test_a_value_of_a_variation_that_is_not_known_is_accepted(token: str, kubernetes: Calls) -> None:
    valid = CONTROL_PLANE[token]["valid"]
    for one in (None, *CONTROL_PLANE[token].get("variations", ())):
        inputs = changed(valid, one["path"], one["value"]) if one else valid
        for unknown in with_an_unknown_value(inputs):
            if unknown is not UNKNOWN:
                assert not kubernetes.check(urn(token), unknown).failures, unknown


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the paths of all values below `value`."""
    entries: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, dict):
        entries = value.items()
    elif isinstance(value, list):
        entries = enumerate(value)
    for key, item in entries:
        yield (*path, key)
        yield from places(item, (*path, key))


OBJECTS = [
    *((token, case["valid"]) for token, case in (*CASES.items(), *SERVER.items(), *CONTROL_PLANE.items())),
    *((token, case["inputs"]) for token, cases in REFUSED.items() for case in cases),
]


# Lists and objects have no hash; a check that put one into a set raised TypeError.
@pytest.mark.parametrize("odd", [["x"], {"a": ["x"]}, True, -1.5], ids=repr)
def test_checks_accept_values_of_every_type(odd: Any) -> None:
    for token, inputs in OBJECTS:
        group, kind = token.split(":")[1].rpartition("/")[0], token.split(":")[2]
        custom = declared_inputs(token) is None
        for path in places(inputs):
            changed_inputs = copy.deepcopy(inputs)
            target: Any = changed_inputs
            for key in path[:-1]:
                target = target[key]
            target[path[-1]] = odd
            list(problems(changed_inputs, kind, custom=custom, group=group))
