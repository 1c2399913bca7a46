"""Every disabled hardening setting is detected."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import yaml

from tests.infra.mutations.killers import Evaluator
from tests.infra.mutations.source import commented
from tests.infra.mutations.table import FILE, PROGRAM, REASONING, Table, explained, settings, table, text
from tests.infra.rehearsal import Declared

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]  # three hundred changes are evaluated one by one


@pytest.fixture(scope="module")
def evaluated(stack_of: Callable[[str], Declared]) -> Table:
    """The checks that detect each mutation of prod."""
    return table(stack_of("prod"))


def test_unmutated_program_has_no_findings(prod: Declared) -> None:
    assert Evaluator(prod).sound == set()


def test_every_setting_that_prevents_something_lands_somewhere(evaluated: Table) -> None:
    assert len(evaluated) > 150
    nowhere = [setting for setting, ways in evaluated.items() if not ways]
    assert not nowhere, (
        f"a comment that only explains belongs into explained.yaml, with the reason: {nowhere}"
    )


def test_every_mutant_is_killed(evaluated: Table) -> None:
    unnoticed = [
        f"{setting}, {way}" for setting, ways in evaluated.items() for way, who in ways.items() if not who
    ]
    assert not unnoticed, f"add a rule to audits/hardening.yaml, or a policy, for: {unnoticed}"


def test_the_table_lists_the_checks_that_kill_each_mutant(evaluated: Table) -> None:
    """More checks may detect a mutation than listed; a listed one that no longer does fails this test."""
    written = yaml.safe_load(FILE.read_text())
    found = yaml.safe_load(text(evaluated))
    assert written.keys() == found.keys(), "the table is not up to date: run `make inventory` and review it"
    for setting, named in written.items():
        ways = {"": named} if isinstance(named, list) else named
        now = {"": found[setting]} if isinstance(named, list) else found[setting]
        assert all(set(who) <= set(now[way]) for way, who in ways.items()), setting


def test_omitted_settings_exist_and_have_a_reason() -> None:
    there = {
        setting.id
        for path in PROGRAM.rglob("*.py")
        if path.relative_to(PROGRAM).as_posix() not in REASONING
        for setting in commented(path, PROGRAM)
    }
    assert explained().keys() <= there
    assert all(len(reason) > 20 for reason in explained().values())
    assert len(explained()) < len(settings()) / 5
