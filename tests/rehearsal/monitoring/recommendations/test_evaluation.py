"""A recommendation with a problem of its plan is not accepted."""

from __future__ import annotations

from rehearsal.monitoring.recommendations.evaluation import Evaluated, evaluate
from rehearsal.monitoring.recommendations.rules import ExpectedEffect, StackRecommendation
from rehearsal.pulumi.project import Project
from tests.repository._tree import ROOT

PATH = ("kingdom:workload", "api", "maxReplicas")
CHANGE = StackRecommendation(
    "max-replicas", "", PATH, "4", "6", {}, ExpectedEffect("replicas", "1", 4, 4, 6), "", ""
)


def test_only_a_plan_without_problems_is_accepted() -> None:
    assert Evaluated(CHANGE, "patch", "text", (), "10", "+1").accepted
    refused = Evaluated(CHANGE, "patch", "text", ("above the ceiling",), "10", "+1")
    assert not refused.accepted
    assert refused.to_json()["problems"] == ["above the ceiling"]


def test_nothing_is_planned_without_a_recommendation() -> None:
    assert evaluate(Project.at(ROOT), "local", None, []) == []
