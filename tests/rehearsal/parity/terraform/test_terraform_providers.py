"""The rehearsal beside the Terraform providers in the folder ``PROVIDERS``, over the plugin protocol."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.rehearsal.parity.terraform import plugin
from tests.rehearsal.parity.terraform.comparison import Comparison, Difference
from tests.rehearsal.parity.terraform.differences import ACCEPTED
from tests.rehearsal.parity.terraform.probes import probes
from tests.rehearsal.providers.constraints.mutations import invalid, valid
from tests.rehearsal.providers.constraints.stacks import planned

pytestmark = [pytest.mark.providers, pytest.mark.timeout(1800)]


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
