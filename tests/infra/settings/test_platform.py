"""Settings of the platform: values that a cloud would refuse are refused before, with the remedy."""

from __future__ import annotations

from typing import Any

import pytest

from infra.settings.loader import parse
from tests.infra.rehearsal import configuration, merge
from tests.infra.settings.problems import setting_problems


def accepted(section: str, change: dict[str, Any]) -> bool:
    """Whether prod with a change of one section is valid."""
    values = configuration("prod")
    merge(values[f"kingdom:{section}"], change)
    try:
        parse("prod", values)
    except Exception:
        return False
    return True


def problem(section: str, change: dict[str, Any]) -> str:
    """The text of the one problem of prod with a change of one section."""
    values = configuration("prod")
    merge(values[f"kingdom:{section}"], change)
    (text,) = setting_problems(values).values()
    return text


@pytest.mark.parametrize(
    ("section", "change", "expected"),
    [
        ("database", {"minSize": "M80", "maxSize": "M40"}, "maxSize M40 is smaller than minSize M80"),
        ("database", {"backup": {"hourlyEvery": 5}}, "hourlyEvery 5 is not offered: use 1, 2, 4, 6, 8 or 12"),
        ("edge", {"rates": {"api": {"periodSeconds": 61}}}, "periodSeconds 61 is not offered: use 10, 60"),
        (
            "edge",
            {
                "standby": {
                    key: {"hostname": f"{key}.kingdom.studio", "weightPercent": 50} for key in ("one", "two")
                }
            },
            "standby origins take 100 % together: leave the main one at least 10 %",
        ),
        ("cluster", {"zones": ["europe-west1-b"]}, "at least 2 items"),
        ("cluster", {"securityGroup": "admins@kingdom.studio"}, "gke-security-groups@"),
        ("storage", {"appCheckSeconds": 60}, "1800"),
        ("edge", {"plan": "free"}, "'pro', 'business' or 'enterprise'"),
        ("database", {"backup": {"copyRegion": "europe-west4"}}, "Atlas name of a second region"),
    ],
)
def test_a_value_that_a_cloud_refuses_is_reported_with_the_remedy(
    section: str, change: dict[str, Any], expected: str
) -> None:
    assert expected in problem(section, change)


@pytest.mark.parametrize("hours", [1, 2, 4, 6, 8, 12])
def test_every_offered_interval_of_snapshots_is_accepted(hours: int) -> None:
    assert accepted("database", {"backup": {"hourlyEvery": hours}})


@pytest.mark.parametrize("seconds", [10, 60, 120, 300, 600, 3600])
def test_every_offered_period_of_rate_limits_is_accepted(seconds: int) -> None:
    assert accepted("edge", {"rates": {"api": {"periodSeconds": seconds}}})


@pytest.mark.parametrize(("weights", "valid"), [((90,), True), ((50, 40), True), ((50, 41), False)])
def test_the_main_origin_keeps_at_least_a_tenth(weights: tuple[int, ...], valid: bool) -> None:
    standby = {
        f"region-{index}": {"hostname": f"r{index}.kingdom.studio", "weightPercent": weight}
        for index, weight in enumerate(weights)
    }
    assert accepted("edge", {"standby": standby}) is valid


def test_one_tier_for_both_bounds_turns_autoscaling_into_a_fixed_size() -> None:
    assert accepted("database", {"minSize": "M40", "maxSize": "M40"})


@pytest.mark.parametrize(
    ("section", "key", "minimum", "maximum"),
    [
        ("network", "privateServicesPrefix", 16, 24),
        ("network", "natAddresses", 1, 16),
        ("cache", "minGb", 1, 300),
        # Fewer MiB than 100,000 jobs take would refuse jobs that the service accepts.
        ("cache", "queueMi", 160, 65_536),
        ("storage", "softDeleteDays", 7, 90),
        ("storage", "appCheckSeconds", 1800, 604_800),
        ("edge", "hstsSeconds", 0, 63_072_000),
        ("database", "certificateMonths", 1, 24),
    ],
)
def test_bounds_are_those_of_the_cloud(section: str, key: str, minimum: int, maximum: int) -> None:
    assert accepted(section, {key: minimum})
    assert accepted(section, {key: maximum})
    assert not accepted(section, {key: minimum - 1})
    assert not accepted(section, {key: maximum + 1})


def test_separate_instances_are_for_known_uses_only() -> None:
    assert accepted("cache", {"separate": {"limits": 1}})
    assert not accepted("cache", {"separate": {"sessions": 1}})
    assert not accepted("cache", {"separate": {"limits": 0}})


@pytest.mark.parametrize(
    ("port", "url"), [(443, "https://api.kingdom.studio"), (8443, "https://api.kingdom.studio:8443")]
)
def test_the_public_address_names_a_port_other_than_443(port: int, url: str) -> None:
    values = configuration("prod")
    values["kingdom:edge"]["port"] = port
    assert parse("prod", values).edge.url == url
