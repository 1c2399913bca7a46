"""Every hardening setting that is turned off is reported by a check."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import yaml

from tests.infra.mutations.killers import Evaluator
from tests.infra.mutations.source import commented
from tests.infra.mutations.table import FILE, PROGRAM, REASONING, Table, explained, settings, table, text
from tests.infra.rehearsal import Declared

pytestmark = pytest.mark.timeout(300)  # three hundred changes are table_of_prod one by one


@pytest.fixture(scope="module")
def table_of_prod(stack_of: Callable[[str], Declared]) -> Table:
    """Checks that report each mutation of prod."""
    return table(stack_of("prod"))


def test_the_unchanged_program_has_no_violations(prod: Declared) -> None:
    assert Evaluator(prod).sound == set()


def test_every_hardening_setting_reaches_the_plan(table_of_prod: Table) -> None:
    assert len(table_of_prod) > 150
    nowhere = [setting for setting, ways in table_of_prod.items() if not ways]
    assert not nowhere, (
        f"a comment that only explains belongs into explained.yaml, with the reason: {nowhere}"
    )


def test_every_setting_turned_off_is_reported(table_of_prod: Table) -> None:
    unnoticed = [
        f"{setting}, {way}" for setting, ways in table_of_prod.items() for way, who in ways.items() if not who
    ]
    assert not unnoticed, f"add a rule to audits/hardening.yaml, or a policy, for: {unnoticed}"


def test_the_table_names_the_reporting_checks(table_of_prod: Table) -> None:
    """More checks may report it than named; a named check that no longer reports it is an error."""
    written = yaml.safe_load(FILE.read_text())
    found = yaml.safe_load(text(table_of_prod))
    assert written.keys() == found.keys(), "the table is not up to date: run `make inventory` and review it"
    for setting, named in written.items():
        ways = {"": named} if isinstance(named, list) else named
        now = {"": found[setting]} if isinstance(named, list) else found[setting]
        assert all(set(who) <= set(now[way]) for way, who in ways.items()), setting


def test_every_excluded_setting_exists_and_has_a_reason() -> None:
    there = {
        setting.id
        for path in PROGRAM.rglob("*.py")
        if path.relative_to(PROGRAM).as_posix() not in REASONING
        for setting in commented(path, PROGRAM)
    }
    assert explained().keys() <= there
    assert all(len(reason) > 20 for reason in explained().values())
    assert len(explained()) < len(settings()) / 5
