"""Settings of a load test: every problem with the remedy, and the scenarios of the generator."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from infra.settings.errors import SettingsError
from infra.settings.load_test import MAX_HOURS, Scenario
from infra.settings.loader import parse
from rehearsal.scenarios.catalog import load
from tests.infra.loadtest.conftest import documented
from tests.infra.rehearsal import STACKS, configuration

LARGE = {"resources": {"cpuMilli": 2000, "cpuLimitMilli": 2000, "memoryMi": 1024, "scratchMi": 128}}


def problems(run: dict[str, Any], **sections: Any) -> dict[str, str]:
    values = copy.deepcopy(configuration("prod"))
    values["kingdom:loadtest"] = {"run": {**documented()[1]["kingdom:loadtest"]["run"], **run}}
    for name, changes in sections.items():
        values[f"kingdom:{name}"] |= changes
    try:
        parse("prod", values)
    except SettingsError as error:
        return {problem.key: problem.remedy for problem in error.problems}
    return {}


@pytest.mark.parametrize("stack", STACKS)
def test_load_test_is_off_in_every_stack(stack: str) -> None:
    assert parse(stack, configuration(stack)).loadtest.run is None


def test_the_scenarios_are_those_of_the_generator() -> None:
    assert {each.value for each in Scenario} == set(load().scenarios)


def test_every_scenario_fits_into_a_window() -> None:
    assert all(each.seconds < MAX_HOURS * 3600 for each in load().scenarios.values())


@pytest.mark.parametrize(
    ("run", "key", "remedy"),
    [
        ({"scenario": "huge"}, "scenario", "'low'"),
        ({"workers": 0}, "workers", "generator pods"),
        (
            {"window": {"start": "2026-12-05T04:00:00Z", "end": "2026-12-05T04:00:00Z"}},
            "window",
            "give a later end",
        ),
        (
            {"window": {"start": "2026-12-05T02:00:00Z", "end": "2026-12-05T06:00:01Z"}},
            "window",
            "longer than 4 hours",
        ),
        ({"window": {"start": "2026-13-05T02:00:00Z", "end": "2026-12-05T06:00:01Z"}}, "window", "month"),
        ({"window": {"start": "2026-12-05 02:00", "end": "2026-12-05T04:00:00Z"}}, "window.start", "UTC"),
        ({"accountsVersion": 0}, "accountsVersion", "kingdom-loadtest-accounts"),
        ({"pool": {"machineType": "n2d-standard-2", "diskGb": 50}, **LARGE}, "pool.machineType", "too small"),
    ],
)
def test_invalid_setting_is_reported_with_its_remedy(run: dict[str, Any], key: str, remedy: str) -> None:
    found = problems(run)
    assert list(found) == [f"kingdom:loadtest.run.{key}"]
    assert remedy in found[f"kingdom:loadtest.run.{key}"]


def test_accounts_are_signed_up_where_addresses_are_not_confirmed() -> None:
    assert problems({"accountsVersion": 0}, mail={"confirmAddresses": False}) == {}
