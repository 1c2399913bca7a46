"""Tests of the summary by component."""

from __future__ import annotations

from rehearsal.cli.summary import by_component, component_of, listed
from rehearsal.engine.events import Op, Step

STACK = "urn:pulumi:dev::p::pulumi:pulumi:Stack::p-dev"
NETWORK = "urn:pulumi:dev::p::my:index:Network::network"
SUBNET = "urn:pulumi:dev::p::my:index:Network$gcp:compute/subnetwork:Subnetwork::subnet"
DATABASE = "urn:pulumi:dev::p::my:index:Database::database"
CLUSTER = "urn:pulumi:dev::p::my:index:Database$gcp:sql/databaseInstance:DatabaseInstance::cluster"
BUCKET = "urn:pulumi:dev::p::gcp:storage/bucket:Bucket::bucket"
PROVIDER = "urn:pulumi:dev::p::pulumi:providers:gcp::default_10_2_0"


def _step(op: Op, urn: str, parent: str = STACK) -> Step:
    type_ = urn.split("::")[2].rpartition("$")[2]
    return Step(op, urn, type_, not type_.startswith(("my:", "pulumi:pulumi:")), parent)


STEPS = [
    _step(Op.SAME, STACK, ""),
    _step(Op.CREATE, PROVIDER, ""),
    _step(Op.CREATE, NETWORK),
    _step(Op.CREATE, SUBNET, NETWORK),
    _step(Op.SAME, DATABASE),
    _step(Op.UPDATE, CLUSTER, DATABASE),
    _step(Op.CREATE, BUCKET),
]


def test_descendants_count_for_the_component_below_the_stack() -> None:
    found = {item.name: dict(item.counts) for item in by_component(STEPS)}
    assert found == {"network": {Op.CREATE: 2}, "database": {Op.SAME: 1, Op.UPDATE: 1}}


def test_time_of_a_component_spans_its_steps() -> None:
    times = {NETWORK: (1.0, 2.0), SUBNET: (1.5, 4.0)}
    assert {item.name: item.seconds for item in by_component(STEPS, times)} == {
        "network": 3.0,
        "database": None,
    }


def test_components_that_are_created_whole_are_not_listed() -> None:
    assert [step.urn for step in listed(STEPS)] == [STACK, DATABASE, CLUSTER, BUCKET]


def test_component_of_a_nested_resource() -> None:
    parents = {step.urn: step.parent for step in STEPS}
    assert component_of(STEPS[3], parents) == "network"
    assert component_of(STEPS[6], parents) == ""
