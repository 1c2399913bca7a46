"""A recommendation as data."""

from __future__ import annotations

from rehearsal.monitoring.recommendations.recommendation import ExpectedEffect, StackRecommendation


def test_a_recommendation_is_plain_data() -> None:
    effect = ExpectedEffect("replicas", "1", 4, 4, 6)
    found = StackRecommendation(
        "rule", "finding", ("a", "b"), "4", "6", {"share": 0.5}, effect, "risk", "undo"
    )
    data = found.to_json()
    assert (data["path"], data["evidence"], data["instead"]) == (("a", "b"), {"share": 0.5}, "")
    assert data["effect"] == {"quantity": "replicas", "unit": "1", "now": 4, "low": 4, "high": 6}
