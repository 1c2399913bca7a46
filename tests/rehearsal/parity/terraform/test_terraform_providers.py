"""The rehearsal beside the Terraform providers in the folder ``PROVIDERS``, over the plugin protocol."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest
import yaml

from tests.infra.rehearsal import ROOT
from tests.rehearsal.parity.terraform import plugin
from tests.rehearsal.parity.terraform.comparison import Comparison, Difference
from tests.rehearsal.parity.terraform.differences import ACCEPTED
from tests.rehearsal.parity.terraform.probes import probes
from tests.rehearsal.parity.terraform.random_values import draws
from tests.rehearsal.parity.terraform.rates import Rates
from tests.rehearsal.providers.constraints.mutations import invalid, valid
from tests.rehearsal.providers.constraints.stacks import STACKS, planned

pytestmark = [pytest.mark.providers, pytest.mark.timeout(1800)]
FAULTS = ROOT / "tests" / "rehearsal" / "providers" / "constraints"


@pytest.fixture(scope="module", params=sorted(plugin.NAMES))
def comparison(request: pytest.FixtureRequest) -> Iterator[Comparison]:
    """Each provider that is in the folder, configured without credentials and without a network."""
    found = plugin.find(request.param)
    if found is None:
        names = " or ".join(plugin.NAMES[request.param])
        pytest.skip(f"no {names} in the folder PROVIDERS ({plugin.folder() or 'not set'})")
    with plugin.running(found) as provider:
        yield Comparison(request.param, provider)


@pytest.fixture(scope="module")
def resources(comparison: Comparison) -> list[tuple[str, dict[str, Any]]]:
    """Up to three resources of each type that the largest stack declares and the provider knows."""
    found: list[tuple[str, dict[str, Any]]] = []
    for token, inputs in planned("prod"):
        if comparison.covers(token) and sum(token == other for other, _ in found) < 3:
            found.append((token, inputs))
    return found


def unexpected(differences: list[Difference]) -> list[str]:
    """The differences that no listed reason explains."""
    return [
        str(one)
        for one in differences
        if not any(one.token == token and one.case.startswith(case) for token, case in ACCEPTED)
    ]


def test_the_provider_accepts_its_configuration(comparison: Comparison) -> None:
    assert not comparison.configuration_errors


def test_both_accept_every_resource_of_the_program(
    comparison: Comparison, resources: list[tuple[str, dict[str, Any]]]
) -> None:
    assert resources
    found = [comparison.validation(token, "as declared", inputs) for token, inputs in resources]
    assert not unexpected([one for one in found if one is not None])


def test_both_refuse_the_same_mutations(
    comparison: Comparison, resources: list[tuple[str, dict[str, Any]]]
) -> None:
    found = [
        comparison.validation(token, f"{mutation.path}: {mutation.how}", mutation.inputs, inputs)
        for generator in (invalid, valid)
        for token, inputs in resources
        for mutation in generator(token, inputs)
    ]
    assert len(found) > 20
    assert not unexpected([one for one in found if one is not None])


def test_both_refuse_the_same_values_of_every_attribute(
    comparison: Comparison, resources: list[tuple[str, dict[str, Any]]]
) -> None:
    """The values are chosen without the facts: a rule that the facts lack is found here."""
    found = [
        comparison.validation(token, f"{probe.path}: {probe.how}", probe.inputs, inputs)
        for token, inputs in dict(resources).items()
        for probe in probes(token, inputs)
    ]
    assert len(found) > 100
    assert not unexpected([one for one in found if one is not None])


def test_both_replace_for_the_same_changes(
    comparison: Comparison, resources: list[tuple[str, dict[str, Any]]]
) -> None:
    found = [
        comparison.replacement(token, f"{mutation.path}: {mutation.how}", inputs, mutation.inputs)
        for token, inputs in resources
        for mutation in valid(token, inputs)
    ]
    assert not unexpected([one for one in found if one is not None])


def test_the_provider_plans_the_defaults_of_the_facts(
    comparison: Comparison, resources: list[tuple[str, dict[str, Any]]]
) -> None:
    found = [one for token, inputs in resources for one in comparison.defaults(token, inputs)]
    assert not unexpected(found)


@pytest.mark.parametrize("file", ["faults", "hand_faults", "neighbor_faults", "refused"])
def test_both_refuse_the_same_planted_faults(comparison: Comparison, file: str) -> None:
    faults = [fault for fault in planted(file) if comparison.covers(fault[0])]
    if not faults:
        pytest.skip(f"{file}.yaml has no fault of this provider")
    found = [
        comparison.validation(token, f"{path}: {inputs}", inputs, declared)
        for token, path, inputs, declared in faults
    ]
    assert not unexpected([one for one in found if one is not None])


def planted(file: str) -> Iterator[tuple[str, str, dict[str, Any], dict[str, Any]]]:
    """Yield type, path, inputs and valid inputs of each fault in a file, and the valid inputs themselves."""
    cases = yaml.safe_load((FAULTS / f"{file}.yaml").read_text())
    for token, case in cases.items():
        if isinstance(case, list):  # without valid inputs
            yield from ((token, fault["at"], fault["inputs"], fault["inputs"]) for fault in case)
            continue
        valid_inputs = case["valid"]
        yield token, "as declared", valid_inputs, valid_inputs
        for fault in case["faults"]:
            values = {**valid_inputs, **fault["set"]}
            inputs = {name: value for name, value in values.items() if value is not None}
            yield token, fault["at"], inputs, valid_inputs


def test_both_refuse_the_same_random_values(comparison: Comparison, request: pytest.FixtureRequest) -> None:
    """Values are drawn until the provider has refused `--draws` of them and accepted as many."""
    seed, number = request.config.getoption("--seed"), request.config.getoption("--draws")
    rates = Rates(comparison, number)
    for draw in islice(draws(seed, declared_resources(comparison)), 50 * number):
        if rates.complete:
            break
        rates.add(draw)
    assert rates.complete
    rates.report(request.config.stash, f"{comparison.package}, seed {seed}")
    assert len(rates.missed) <= 0.05 * number, [str(one) for one in rates.missed]
    assert not unexpected(rates.wrong)


def declared_resources(comparison: Comparison) -> list[tuple[str, dict[str, Any]]]:
    """The resources of all cloud stacks of which the provider has the type, each once."""
    found: list[tuple[str, dict[str, Any]]] = []
    for stack in STACKS:
        found += [one for one in planned(stack) if comparison.covers(one[0]) and one not in found]
    return found
