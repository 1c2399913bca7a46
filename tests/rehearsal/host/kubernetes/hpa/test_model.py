"""Declared autoscalers and quantities as the API server and Go read them."""

from __future__ import annotations

from rehearsal.host.kubernetes.hpa.model import (
    AutoscalerSpec,
    AutoscalerState,
    Behavior,
    approximate_float,
    milli_value,
    selector_text,
)


def test_milli_values_round_away_from_zero() -> None:
    assert [milli_value(text) for text in ("1", "100m", "1u", "0.0001", "-1u", "1Ki")] == [
        1000, 100, 1, 1, -1, 1_024_000,
    ]  # fmt: skip


def test_tolerances_are_read_from_the_canonical_quantity() -> None:
    assert approximate_float("0.57") == 570 * 1e-3
    assert approximate_float("50m") == 50 * 1e-3
    assert approximate_float("2") == 2.0


def test_an_absent_behavior_is_not_an_empty_one() -> None:
    assert AutoscalerSpec.parse({"maxReplicas": 3}).behavior is None
    assert AutoscalerSpec.parse({"maxReplicas": 3, "behavior": {}}).behavior == Behavior()


def test_without_metrics_the_target_is_80_percent_of_cpu() -> None:
    (metric,) = AutoscalerSpec.parse({"maxReplicas": 3}).metrics
    assert metric["resource"]["target"]["averageUtilization"] == 80


def test_a_condition_retains_its_time_while_its_status_is_unchanged() -> None:
    state = AutoscalerState()
    state.set_condition(1.0, "AbleToScale", True, "A", "a")
    state.set_condition(2.0, "AbleToScale", True, "B", "b")
    assert [(item.reason, item.since) for item in state.conditions] == [("B", 1.0)]
    state.set_condition(3.0, "AbleToScale", False, "C", "c")
    assert state.conditions[0].since == 3.0


def test_selectors_are_written_as_go_writes_them() -> None:
    assert selector_text(None) == "nil"
    written = selector_text({"matchLabels": {"b": "2", "a": "1"}})
    assert written == (
        "&LabelSelector{MatchLabels:map[string]string{a: 1,b: 2,},"
        "MatchExpressions:[]LabelSelectorRequirement{},}"
    )


def test_requirements_of_selectors_are_written_as_go_writes_them() -> None:
    expressions = [
        {"key": "tier", "operator": "In", "values": ["a", "b"]},
        {"key": "zone", "operator": "Exists"},
    ]
    assert selector_text({"matchExpressions": expressions}) == (
        "&LabelSelector{MatchLabels:map[string]string{},MatchExpressions:[]LabelSelectorRequirement{"
        "LabelSelectorRequirement{Key:tier,Operator:In,Values:[a b],},"
        "LabelSelectorRequirement{Key:zone,Operator:Exists,Values:[],},},}"
    )


def test_declared_rules_replace_the_defaults_one_by_one() -> None:
    default = Behavior()
    found = Behavior.parse(
        {
            "scaleUp": {"stabilizationWindowSeconds": 30, "tolerance": "50m"},
            "scaleDown": {
                "selectPolicy": "Min",
                "policies": [{"type": "Pods", "value": 2, "periodSeconds": 60}],
            },
        }
    )
    assert (found.up.window, found.up.tolerance) == (30.0, 50 * 1e-3)
    assert (found.up.policies, found.up.select) == (default.up.policies, "Max")
    assert (found.down.window, found.down.tolerance, found.down.select) == (None, None, "Min")
    assert [(rule.type, rule.value, rule.period) for rule in found.down.policies] == [("Pods", 2, 60)]
    assert found.down.max_period == 60


def test_minimum_may_be_zero_and_is_one_by_default() -> None:
    assert AutoscalerSpec.parse({"maxReplicas": 3}).min_replicas == 1
    assert AutoscalerSpec.parse({"maxReplicas": 3, "minReplicas": 0}).min_replicas == 0


def test_conditions_of_other_types_are_not_changed() -> None:
    state = AutoscalerState()
    state.set_condition(1.0, "AbleToScale", True, "A", "a")
    state.set_condition(2.0, "ScalingActive", False, "B", "b")
    state.set_condition(3.0, "ScalingActive", True, "C", "c")
    assert [(item.type, item.status, item.since) for item in state.conditions] == [
        ("AbleToScale", "True", 1.0),
        ("ScalingActive", "True", 3.0),
    ]
    assert state.condition("ScalingLimited") is None
