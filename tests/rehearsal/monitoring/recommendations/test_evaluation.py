"""A recommendation with a problem of its plan is not accepted."""

from __future__ import annotations

from dataclasses import replace

from rehearsal.monitoring.recommendations.evaluation import Evaluated, evaluate
from rehearsal.monitoring.recommendations.recommendation import ExpectedEffect, StackRecommendation
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


def test_a_recommendation_without_a_setting_is_not_applied() -> None:
    report = replace(CHANGE, path=(), instead="kingdom quotas")
    assert not Evaluated(report, "", "text", (), "10", "").accepted
    assert Evaluated(report, "", "text", (), "10", "").to_json()["instead"] == "kingdom quotas"


def test_nothing_is_planned_without_a_recommendation() -> None:
    assert evaluate(Project.at(ROOT), "local", None, []) == []
