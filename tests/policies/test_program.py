"""Each violation planted in the deployed program gives exactly one finding of the pack."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from policies.rules import RULES
from policies.testing import changed
from rehearsal.engine.events import Violation
from rehearsal.engine.policy_checks import PolicyChecks
from rehearsal.engine.state.resource_state import ResourceState
from rehearsal.policy.pack import PolicyPack
from tests.infra.rehearsal import ROOT, configuration, name_of, rehearse
from tests.policies.program import Row, clouds, kubernetes

ROWS = (*kubernetes.ROWS, *clouds.ROWS)


@dataclass
class Production:
    """The resources of production and a running pack that has evaluated each of them once."""

    resources: dict[str, ResourceState]  # by Kind/name
    pack: PolicyPack

    def violations(self, row: Row) -> list[Violation]:
        """Return all violations when the program declares `row`."""
        resources = dict(self.resources)
        if row.gone:
            del resources[row.resource]
            return self._evaluate([], list(resources.values()))
        broken = planted(row) if row.plant else broke(resources[row.resource], row)
        resources[row.resource] = broken
        try:
            return self._evaluate([broken], list(resources.values()))
        finally:
            # The pack retains the last state of each resource, so restore the unchanged one.
            if row.resource in self.resources:
                self._evaluate([self.resources[row.resource]], None)

    def _evaluate(self, one: Sequence[ResourceState], every: list[ResourceState] | None) -> list[Violation]:
        checks = PolicyChecks(self.pack)
        for resource in one:
            checks.resource(resource, None)
        if every is not None:
            checks.stack(every)
        return checks.violations


def broke(resource: ResourceState, row: Row) -> ResourceState:
    """Return `resource` with the row's changes in its inputs and outputs."""
    return replace(
        resource,
        inputs=changed(resource.inputs, row.changes),
        outputs=changed(resource.outputs, row.changes),
    )


def planted(row: Row) -> ResourceState:
    """Return the record of the resource that the row adds."""
    return ResourceState(
        urn=f"urn:pulumi:prod::kingdom::{row.plant}::planted",
        type=row.plant,
        custom=True,
        inputs=dict(row.changes),
        outputs=dict(row.changes),
        source_position="infra/planted.py:1",
    )


def key(resource: ResourceState) -> str:
    return f"{resource.type.rsplit(':', 1)[-1]}/{name_of(resource.urn)}"


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    values: dict[str, Any] = configuration("prod")
    with PolicyPack.start(
        ROOT / "policies",
        project="kingdom",
        stack="prod",
        dry_run=False,
        stack_config={
            name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()
        },
    ) as pack:
        declared = rehearse("prod", tmp_path_factory.mktemp("prod")).resources
        resources = {key(resource): resource for resource in declared}
        assert len(resources) == len(declared), "kind and name identify a resource"
        checks = PolicyChecks(pack)
        for resource in declared:
            checks.resource(resource, None)
        checks.stack(declared)
        assert checks.violations == [], "production as it is has no finding"
        yield Production(resources, pack)


def test_every_rule_is_broken_once() -> None:
    assert sorted({row.policy for row in ROWS}) == sorted(rule.name for rule in RULES)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.policy)
def test_a_break_is_found_by_its_rule_alone_and_at_its_place(production: Production, row: Row) -> None:
    if not row.plant:
        assert row.resource in production.resources, "the program declares it no more: change the row"
    found = production.violations(row)
    about = production.resources.get(row.about) or planted(row)
    assert {(item.policy, name_of(item.urn), item.source) for item in found} == {
        (row.policy, name_of(about.urn), about.source_position)
    }, [f"{item.policy} {item.level} {item.message}" for item in found]


def test_added_resources_have_types_that_the_program_does_not_declare(production: Production) -> None:
    """For declared types, a row must change the declared resource instead of adding one."""
    # The program declares these types, but only in forms that the rule does not evaluate.
    forms = {
        "kubernetes:core/v1:Service",
        "cloudflare:index/dnsRecord:DnsRecord",
        "kubernetes:autoscaling.k8s.io/v1:VerticalPodAutoscaler",
    }
    declared = {resource.type for resource in production.resources.values()}
    assert {row.plant for row in ROWS if row.plant} & declared <= forms


def test_places_are_lines_of_the_program(production: Production) -> None:
    for name, resource in production.resources.items():
        file, _, line = resource.source_position.rpartition(":")
        assert Path(file).parts[0] == "infra", name
        assert 0 < int(line) <= len((ROOT / file).read_text().splitlines()), name
