"""Every setting that says what it prevents is missed when it is turned off."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import yaml

from tests.infra.mutations.killers import Judge
from tests.infra.mutations.source import commented
from tests.infra.mutations.table import FILE, PROGRAM, REASONING, Table, explained, settings, table, text
from tests.infra.rehearsal import Declared

pytestmark = pytest.mark.timeout(300)  # three hundred changes are judged one by one


@pytest.fixture(scope="module")
def judged(stack_of: Callable[[str], Declared]) -> Table:
    """Who objects to what, in prod."""
    return table(stack_of("prod"))


def test_nobody_objects_to_the_program_as_it_is(prod: Declared) -> None:
    assert Judge(prod).sound == set()


def test_every_setting_that_prevents_something_lands_somewhere(judged: Table) -> None:
    assert len(judged) > 150
    nowhere = [setting for setting, ways in judged.items() if not ways]
    assert not nowhere, (
        f"a comment that only explains belongs into explained.yaml, with the reason: {nowhere}"
    )


def test_whoever_turns_a_setting_off_meets_an_objection(judged: Table) -> None:
    unnoticed = [
        f"{setting}, {way}" for setting, ways in judged.items() for way, who in ways.items() if not who
    ]
    assert not unnoticed, f"add a rule to audits/hardening.yaml, or a policy, for: {unnoticed}"


def test_the_table_names_those_who_object(judged: Table) -> None:
    """Others may have joined them; who is named and has gone over to silence is missed."""
    written = yaml.safe_load(FILE.read_text())
    found = yaml.safe_load(text(judged))
    assert written.keys() == found.keys(), "the table is not up to date: run `make inventory` and review it"
    for setting, named in written.items():
        ways = {"": named} if isinstance(named, list) else named
        now = {"": found[setting]} if isinstance(named, list) else found[setting]
        assert all(set(who) <= set(now[way]) for way, who in ways.items()), setting


def test_what_is_left_out_is_there_and_has_a_reason() -> None:
    there = {
        setting.id
        for path in PROGRAM.rglob("*.py")
        if path.relative_to(PROGRAM).as_posix() not in REASONING
        for setting in commented(path, PROGRAM)
    }
    assert explained().keys() <= there
    assert all(len(reason) > 20 for reason in explained().values())
    assert len(explained()) < len(settings()) / 5
