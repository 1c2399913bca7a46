"""PriorityClasses: interactive pods preempt background pods."""

from __future__ import annotations

from tests.infra.rehearsal import Declared


def test_only_the_api_preempts_other_pods(declared: Declared) -> None:
    classes = {item["metadata"]["name"]: item for item in declared.of("PriorityClass").values()}
    assert classes["kingdom-api"]["preemptionPolicy"] == "PreemptLowerPriority"
    assert classes["kingdom-worker"]["preemptionPolicy"] == "Never"
    assert classes["kingdom-api"]["value"] > classes["kingdom-worker"]["value"]


def test_no_class_is_the_default_of_the_cluster(declared: Declared) -> None:
    assert not any(item["globalDefault"] for item in declared.of("PriorityClass").values())
