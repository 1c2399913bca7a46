"""Errors of a stack file: the key as the file has it, the value, the remedy, and all of them at once."""

from __future__ import annotations

from typing import Any

import pytest

from infra.settings.errors import (
    SHOWN,
    SettingProblem,
    SettingsError,
    cross_field_error,
    fields_by_alias,
    format_key,
)
from infra.settings.loader import parse
from infra.settings.platform import DatabaseSettings
from tests.infra.rehearsal import configuration, merge
from tests.infra.settings.problems import setting_problems


@pytest.fixture
def values() -> dict[str, Any]:
    return configuration("prod")


def test_an_error_names_stack_file_key_value_and_remedy(values: dict[str, Any]) -> None:
    values["kingdom:database"]["minSize"] = "M41"
    with pytest.raises(SettingsError) as caught:
        parse("prod", values)
    text = str(caught.value)
    for part in (
        'stack "prod"',
        "stacks/Pulumi.prod.yaml",
        "kingdom:database.minSize",
        '"M41"',
        "'M40'",
        "smallest tier autoscaling may choose",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("section", "key", "value", "expected"),
    [
        ("workload", "apy", {}, "did you mean api?"),
        ("network", "nodes", "10.0.0.0", "IPv4 range such as 10.0.0.0/20"),
        ("network", "nodes", "10.0.0.300/20", "IPv4 range such as 10.0.0.0/20"),
        ("cache", "minGb", 0, "greater than or equal to 1"),
        ("cache", "minGb", "16", "valid integer"),
        ("storage", "bucket", "Upper_Case", "globally unique bucket name"),
    ],
)
def test_a_wrong_value_is_reported_with_valid_values(
    values: dict[str, Any], section: str, key: str, value: Any, expected: str
) -> None:
    values[f"kingdom:{section}"][key] = value
    assert expected in setting_problems(values)[f"kingdom:{section}.{key}"]


def test_a_misspelled_section_is_reported_with_a_suggestion(values: dict[str, Any]) -> None:
    values["kingdom:databse"] = values.pop("kingdom:database")
    found = setting_problems(values)
    assert "did you mean kingdom:database?" in found["kingdom:databse"]
    assert "is missing" in found["kingdom:database"]


def test_a_missing_section_lists_the_keys_it_needs(values: dict[str, Any]) -> None:
    del values["kingdom:cache"]
    assert "version, minGb" in setting_problems(values)["kingdom:cache"]


@pytest.mark.parametrize(
    ("change", "key", "expected"),
    [
        ({"everyHour": 1}, "everyHour", "did you mean everyHours?"),
        ({"everyHours": 5}, "everyHours", "hours between reports: 1, 2, 3, 4 or 6"),
        ({"resources": {"cpuMilli": 2000}}, "resources", "cpuLimitMilli 1000 is below cpuMilli 2000"),
    ],
)
def test_a_wrong_value_in_a_section_that_may_be_null_is_reported(
    values: dict[str, Any], change: dict[str, Any], key: str, expected: str
) -> None:
    merge(values["kingdom:observability"]["monitor"], change)
    assert expected in setting_problems(values)[f"kingdom:observability.monitor.{key}"]


def test_a_section_that_may_be_null_is_still_required(values: dict[str, Any]) -> None:
    del values["kingdom:observability"]["monitor"]
    found = setting_problems(values)["kingdom:observability.monitor"]
    assert "(an object with everyHours, reportHours, keepDays, resources)" in found


@pytest.mark.parametrize(
    ("location", "key"),
    [
        (("workload", "api", "maxReplicas"), "kingdom:workload.api.maxReplicas"),
        (("cluster", "zones", 0), "kingdom:cluster.zones.0"),
        (("gcp:", "project"), "gcp:project"),
        (("gcp:",), "gcp:"),
    ],
)
def test_a_key_is_written_as_in_the_stack_file(location: tuple[int | str, ...], key: str) -> None:
    assert format_key(location) == key


def test_a_wrong_value_below_a_free_name_is_explained(values: dict[str, Any]) -> None:
    values["kingdom:edge"]["rates"]["api"]["requests"] = 0
    values["kingdom:edge"]["rates"]["api"]["request"] = 5
    values["kingdom:edge"]["cache"]["media"] = "v1/media"
    found = setting_problems(values)
    assert "requests a period" in found["kingdom:edge.rates.api.requests"]
    assert "did you mean requests?" in found["kingdom:edge.rates.api.request"]
    assert "does not have the right form" in found["kingdom:edge.cache.media"]


def test_an_unknown_key_lists_the_known_ones_without_those_of_google(values: dict[str, Any]) -> None:
    values["kingdom:zzz"] = 3
    text = setting_problems(values)["kingdom:zzz"]
    assert "is not a setting; known here: kingdom:environment, kingdom:network" in text
    assert "did you mean" not in text
    assert "gcp:" not in text


@pytest.mark.parametrize(("length", "shortened"), [(SHOWN - 2, False), (SHOWN - 1, True)])
def test_a_long_value_is_shortened(length: int, shortened: bool) -> None:
    shown = cross_field_error("edge.hostname", "x" * length, "is too long").value.removeprefix(" = ")
    assert len(shown) <= SHOWN
    assert shown.endswith("…") is shortened


def test_problems_are_sorted_by_key_and_counted() -> None:
    found = [SettingProblem("kingdom:b", " = 1", "give 2"), SettingProblem("kingdom:a", "", "is missing")]
    text = str(SettingsError("qa", found))
    assert text.splitlines()[0] == (
        'stack "qa": 2 settings are wrong in stacks/Pulumi.qa.yaml, and nothing was changed'
    )
    assert text.index("kingdom:a") < text.index("kingdom:b = 1\n      give 2")
    assert "one setting is wrong" in str(SettingsError("qa", found[:1]))


def test_fields_are_named_as_in_the_stack_file() -> None:
    assert {"minSize", "pointInTimeRecovery", "custodian"} <= fields_by_alias(DatabaseSettings).keys()
