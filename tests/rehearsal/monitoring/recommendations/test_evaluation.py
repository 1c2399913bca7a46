"""A recommendation is planned, evaluated by the policy pack and priced before it is shown."""

from __future__ import annotations

from rehearsal.monitoring.recommendations.evaluation import evaluate
from rehearsal.monitoring.recommendations.rules import ExpectedEffect, StackRecommendation
from rehearsal.pulumi.project import Project
from tests.repository._tree import ROOT


def recommendation(new: str) -> StackRecommendation:
    path = ("kingdom:workload", "api", "maxReplicas")
    return StackRecommendation(
        "max-replicas", "", path, "4", new, {}, ExpectedEffect("replicas", "1", 4, 4, 6), "", ""
    )


def test_a_change_that_the_ceiling_forbids_is_not_accepted() -> None:
    project = Project.at(ROOT)
    before = project.stack_file("local").read_text()
    small, large = evaluate(project, "local", ROOT / "policies", [recommendation("5"), recommendation("900")])
    assert small.accepted, small.problems
    assert "+" in small.patch
    assert not large.accepted
    assert project.stack_file("local").read_text() == before
    assert not evaluate(project, "local", None, [])
