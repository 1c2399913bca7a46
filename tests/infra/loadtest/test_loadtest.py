"""A load test adds its own resources, changes no other, and passes every mandatory policy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from policies.model.stack import Stack
from policies.pack.rule import MANDATORY
from policies.rules import RULES
from rehearsal.cli.render import objects
from rehearsal.pulumi.properties import unwrap
from tests.infra.audits.hardening import unhardened
from tests.infra.audits.labels import unlabelled
from tests.infra.loadtest.conftest import documented
from tests.infra.manifests.test_schemas import OLDEST, misfits
from tests.infra.mutations.killers import evaluated
from tests.infra.rehearsal import Declared, configuration, rehearse


def findings(declared: Declared, values: Mapping[str, Any]) -> list[str]:
    """The findings of all mandatory policies with the stack's own configuration."""
    own = values.get("policies:config", {})
    stack = Stack.of([evaluated(item) for item in declared.resources])
    found: list[str] = []
    for rule in RULES:
        if rule.level is not MANDATORY or own.get(rule.name) == "disabled":
            continue
        settings = dict(own.get(rule.name, {}))
        if rule.name == "monthly-cost-ceiling":
            settings["monthly"] = float(values["policies:monthlyCeiling"])
        found += [f"{rule.name}: {finding}" for finding in rule.evaluate(stack, settings)]
    return found


def by_urn(declared: Declared) -> dict[str, dict[str, Any]]:
    return {item.urn: unwrap(item.inputs) for item in declared.resources}


def test_other_resources_are_unchanged(prod: Declared, with_load_test: Declared) -> None:
    before, after = by_urn(prod), by_urn(with_load_test)
    assert before.keys() <= after.keys()
    assert {urn for urn in before if before[urn] != after[urn]} == set()
    added = after.keys() - before.keys()
    assert added
    assert all("kingdom:loadtest:LoadTest" in urn for urn in added)


def test_production_with_a_window_has_no_finding(with_load_test: Declared) -> None:
    values = configuration("prod") | documented()[1]
    assert findings(with_load_test, values) == []
    added = [item for item in with_load_test.resources if "kingdom:loadtest:" in item.urn]
    assert not list(unhardened(added))
    assert not list(unlabelled(added, values["kingdom:environment"]["labels"]))


def test_its_objects_fit_the_schemas_of_the_oldest_cluster(with_load_test: Declared) -> None:
    found = [
        item.manifest
        for item in objects(with_load_test.result.snapshot)
        if item.manifest["metadata"].get("namespace") == "kingdom-loadtest"
    ]
    assert {"Job", "Service", "ResourceQuota", "NetworkPolicy"} <= {each["kind"] for each in found}
    assert not {each["kind"]: why for each in found if (why := misfits(each, OLDEST))}


@pytest.mark.slow
def test_production_without_a_window_is_refused(with_load_test: Declared, tmp_path: Path) -> None:
    values = configuration("prod") | documented()[1]
    values["kingdom:loadtest"]["run"]["window"] = None
    found = findings(rehearse("prod", tmp_path, values), values)
    assert [each.partition(":")[0] for each in found] == ["load-test-window"]
    assert "without kingdom.studio/window-start and kingdom.studio/window-end" in found[0]


@pytest.mark.slow
def test_development_without_a_window_has_no_finding(tmp_path: Path) -> None:
    values = configuration("dev") | documented()[0]
    assert findings(rehearse("dev", tmp_path, values), values) == []


def test_the_node_pool_is_empty_between_runs_and_holds_one(with_load_test: Declared) -> None:
    pool = with_load_test.one("NodePool", "loadtest-pool")
    assert pool["autoscaling"]["totalMinNodeCount"] == 0
    assert pool["initialNodeCount"] == 0
    assert pool["nodeConfig"]["taints"] == [
        {"key": "kingdom.studio/pool", "value": "loadtest", "effect": "NO_SCHEDULE"}
    ]
    # 25 pods of one core; 7 fit beside the daemons of a node with 8 cores.
    assert pool["autoscaling"]["totalMaxNodeCount"] * 7 >= 25


def test_the_quota_is_that_of_its_pods(with_load_test: Declared) -> None:
    hard = with_load_test.one("ResourceQuota", "loadtest-namespace")["spec"]["hard"]
    assert hard["pods"] == "25"
    assert hard["requests.cpu"] == "25000m"
    assert hard["limits.memory"] == f"{25 * 1024}Mi"
    limits = with_load_test.one("LimitRange", "loadtest-namespace")["spec"]["limits"]
    assert limits[0]["max"] == {"cpu": "1000m", "memory": "1024Mi", "ephemeral-storage": "128Mi"}
    labels = with_load_test.one("Namespace", "loadtest-namespace")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
