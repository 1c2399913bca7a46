"""New projects and creation plans."""

from __future__ import annotations

from typing import Any

from rehearsal.engine.state import ResourceState
from rehearsal.providers.fresh_project.model import DEFAULT_QUOTAS, CreationPlan, FreshProject, Obstacle
from rehearsal.pulumi.properties import Secret


def urn(name: str, type_: str = "toy:index:Thing") -> str:
    return f"urn:pulumi:prod::kingdom::{type_}::{name}"


def resource(name: str, *needs: str, type_: str = "toy:index:Thing", **fields: Any) -> ResourceState:
    """Return a custom resource that depends on the things `needs`; other fields are those of its record."""
    return ResourceState(urn(name, type_), type_, True, dependencies=tuple(map(urn, needs)), **fields)


def plan_of(*resources: ResourceState) -> CreationPlan:
    return CreationPlan.of(resources)


def test_resources_wait_for_all_that_they_refer_to() -> None:
    provider = resource("p", "x", type_="pulumi:providers:toy")
    plan = plan_of(
        resource("x"),
        provider,
        resource("a", provider=f"{provider.urn}::id", property_dependencies={"key": (urn("b"),)}),
        resource("b", "c"),
        resource("c"),
        resource("unrelated"),
    )
    assert plan.before(urn("a")) == {provider.urn, *map(urn, "xbc")}
    assert plan.before(urn("c")) == plan.before(urn("absent")) == frozenset()


def test_cycle_ends() -> None:
    assert plan_of(resource("a", "b"), resource("b", "a")).before(urn("a")) == {urn("a"), urn("b")}


def test_inputs_are_plain_and_those_of_custom_resources() -> None:
    component = ResourceState(urn("c"), "toy:index:Thing", False, inputs={"key": 1})
    plan = plan_of(
        resource("a", inputs={"key": Secret("s")}), resource("b", type_="toy:index:Other"), component
    )
    assert list(plan.of_type("toy:index:Thing")) == [(urn("a"), {"key": "s"})]
    assert len(list(plan.of_type("toy:index:Thing", "toy:index:Other"))) == 2


def test_project_has_the_quotas_and_the_plan_of_the_stack() -> None:
    assert FreshProject.of_stack({}) == FreshProject()
    project = FreshProject.of_stack(
        {"kingdom:edge": '{"plan": "enterprise"}', "quotas:granted": '{"CPUS": 96}'}
    )
    assert project.plan == "enterprise"
    assert project.quotas == {**DEFAULT_QUOTAS, "CPUS": 96}


def test_names_of_deleted_resources_stay_taken_where_the_cloud_reserves_them() -> None:
    ring = resource("ring", type_="gcp:kms/keyRing:KeyRing", inputs={"name": "main"})
    key = resource(
        "key", type_="gcp:kms/cryptoKey:CryptoKey", inputs={"keyRing": "projects/p/r/main", "name": "media"}
    )
    network = resource("network", type_="gcp:compute/network:Network", inputs={"name": "main"})
    component = ResourceState(urn("c"), "gcp:kms/keyRing:KeyRing", False, inputs={"name": "other"})
    project = FreshProject().after([ring, network, component])
    assert project.taken == {("gcp:kms/keyRing:KeyRing", "main")}
    assert project.after([key]).taken == project.taken | {("gcp:kms/cryptoKey:CryptoKey", "main/media")}
    assert FreshProject().after([]) == FreshProject()


def test_obstacle_is_shown_with_the_name_of_its_resource() -> None:
    assert str(Obstacle(urn("a"), "it is disabled", "Enable it")) == "a: it is disabled. Enable it"
    assert str(Obstacle("", "it is disabled", "Enable it")) == "stack: it is disabled. Enable it"
