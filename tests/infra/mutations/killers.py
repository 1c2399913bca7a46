"""Checks that detect a mutation of a valid state: the policy pack, audits, documents and tests."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from policies.model.property_tree import Node
from policies.model.stack import Resource, Stack
from policies.pack.rule import MANDATORY
from policies.rules import RULES
from rehearsal.engine.state.resource_state import ResourceState
from rehearsal.pulumi.properties import unwrap
from tests.infra import (
    controls,
    test_cluster,
    test_cluster_backup,
    test_node_pools,
    test_program,
    test_service_identity,
)
from tests.infra.audits.addresses import DOORS, unmeant_addresses
from tests.infra.audits.hardening import hardening, unhardened
from tests.infra.audits.labels import unlabelled
from tests.infra.audits.stores import unguarded
from tests.infra.delivery import test_delivery, test_github_deployer
from tests.infra.edge import test_cache, test_edge, test_load_balancer, test_origin, test_rulesets
from tests.infra.observability import test_observability
from tests.infra.rehearsal import ROOT, Declared, configuration, name_of
from tests.infra.settings import test_loader
from tests.infra.workload import test_autoscaling, test_deployment, test_gateway, test_monitor

TESTS = (
    test_cluster_backup,
    test_load_balancer,
    test_loader,
    test_cache,
    test_cluster,
    test_delivery,
    test_deployment,
    test_edge,
    test_gateway,
    test_monitor,
    test_github_deployer,
    test_node_pools,
    test_observability,
    test_origin,
    test_rulesets,
    test_program,
    test_service_identity,
    test_autoscaling,
)
DOCUMENTS = ("hardening.md", "requirements.md")
# Types that stack policies read; they ignore changes of other types.
SEEN_TOGETHER = (
    "cloudflare:",
    "gcp:compute/",
    "gcp:container/",
    "gcp:monitoring/",
    "gcp:redis/",
    "kubernetes:",
    "mongodbatlas:index/advancedCluster",
)
Changes = Mapping[str, ResourceState | None]  # by URN; None removes the resource


class Evaluator:
    """Evaluates changes of a valid state with policies, audits, documents and tests that only read a state.

    Advisory policies are not included, because they do not stop a deployment.
    """

    def __init__(self, declared: Declared) -> None:
        values = configuration(declared.stack)
        self._declared = declared
        self._labels = values["kingdom:environment"]["labels"]
        self._settings = {rule.name: rule.defaults for rule in RULES}
        self._settings["monthly-cost-ceiling"]["monthly"] = float(values["policies:monthlyCeiling"])
        self._rows = [
            (name, row) for name in DOCUMENTS for row in controls.rows((ROOT / "docs" / name).read_text())
        ]
        self._tests = dict(_tests())
        self._evaluated = {item.urn: evaluated(item) for item in declared.resources}
        self._doors = [item for item in declared.resources if (name_of(item.urn), item.type) in DOORS]
        self._before = self._by_reach(declared, self._evaluated, {})
        self._alone: dict[str, set[tuple[str, str]]] = {}

    @property
    def sound(self) -> set[str]:
        """Return the checks that fail for the unchanged state, which should be none."""
        return {who for who, _ in self._before} | {
            who for item in self._declared.resources for who, _ in self._of_one(item)
        }

    def detections(self, changes: Changes) -> set[str]:
        """Return the checks that detect changes, such as `policy tls-redis`, `audits stores` or `test_…`."""
        changed = Declared(
            self._declared.stack,
            dataclasses.replace(
                self._declared.result,
                snapshot=dataclasses.replace(
                    self._declared.result.snapshot,
                    resources=tuple(
                        item
                        for old in self._declared.result.snapshot.resources
                        if (item := changes.get(old.urn, old)) is not None
                    ),
                ),
            ),
        )
        found: set[tuple[str, str]] = set()
        for urn, item in changes.items():
            if item is not None:
                if urn not in self._alone:
                    (old,) = [one for one in self._declared.result.snapshot.resources if one.urn == urn]
                    self._alone[urn] = set(self._of_one(old))
                found |= set(self._of_one(item)) - self._alone[urn]
        evaluated_now = {
            item.urn: evaluated(item) if item.urn in changes else self._evaluated[item.urn]
            for item in changed.resources
        }
        found |= self._by_reach(changed, evaluated_now, changes) - self._before
        return {who for who, _ in found}

    def _of_one(self, item: ResourceState) -> Iterator[tuple[str, str]]:
        subject = evaluated(item)
        for rule in RULES:
            if rule.level is MANDATORY and rule.applies_to(subject.type):
                assert rule.check is not None
                for finding in rule.check(subject, self._settings[rule.name]):
                    yield f"policy {rule.name}", str(finding)
        # Intended public resources are identified by their addresses.
        doors = [door for door in self._doors if door.urn != item.urn]
        for findings in (
            unlabelled([item], self._labels),
            unhardened([item]),
            unmeant_addresses([item, *doors]),
        ):
            for finding in findings:
                yield f"audits {finding.promise}", str(finding)

    def _by_reach(
        self, declared: Declared, evaluated_now: Mapping[str, Resource], changes: Changes
    ) -> set[tuple[str, str]]:
        """Return the findings of checks that read more than one resource."""
        stack = Stack.of(list(evaluated_now.values()))
        types = {urn.split("::")[2].rpartition("$")[2] for urn in changes}
        found: set[tuple[str, str]] = set()
        if changes and not any(type_.startswith(SEEN_TOGETHER) for type_ in types):
            found |= {(who, what) for who, what in self._before if who.startswith("policy ")}
        else:
            found |= {
                (f"policy {rule.name}", str(finding))
                for rule in RULES
                if rule.check_stack is not None and rule.level is MANDATORY
                for finding in rule.evaluate(stack, self._settings[rule.name])
            }
        found |= {(f"audits {finding.promise}", str(finding)) for finding in unguarded(declared.resources)}
        there = {
            key for item in declared.resources for key in (item.type, f"{item.type}#{name_of(item.urn)}")
        }
        found |= {("audits hardening", f"no {key}") for key in hardening().keys() - there}
        for name, row in self._rows:
            if not changes or row.kind.partition("#")[0] in types:
                holders = list(row.holders(declared))
                if not holders or not all(row.holds(inputs) for inputs in holders):
                    found.add((f"docs/{name} {row.control}", row.path))
        for name, test in self._tests.items():
            try:
                test(declared)
            except Exception:
                found.add((name, ""))
        return found


def _tests() -> Iterator[tuple[str, Callable[[Declared], None]]]:
    """Yield tests that only take a state; a test with a role runs for each role."""
    for module in TESTS:
        for name, test in inspect.getmembers(module, inspect.isfunction):
            if not name.startswith("test_"):
                continue
            title = f"{module.__name__.removeprefix('tests.infra.').replace('.', '/')}.py {name}"
            names = list(inspect.signature(test).parameters)
            if names in (["declared"], ["prod"]):
                yield title, test
            elif names == ["declared", "role"]:
                yield title, partial(_for_each_role, test)


def _for_each_role(test: Callable[[Declared, str], None], declared: Declared) -> None:
    for role in ("api", "worker"):
        test(declared, role)


def evaluated(item: ResourceState) -> Resource:
    """Convert a resource to the form in which a preview passes it to policies: declared inputs."""
    return Resource(
        urn=item.urn,
        type=item.type,
        name=name_of(item.urn),
        node=Node(unwrap(item.inputs)),
        protect=item.protect,
        ignore_changes=item.ignore_changes,
        parent=item.parent,
    )
