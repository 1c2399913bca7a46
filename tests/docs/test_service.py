"""The page on the service lists all variables and commands of the service."""

import re
from pathlib import Path

from app.settings import ProcessRole
from tests.repository._tree import ROOT
from tools.docs.markdown import table

PAGE = ROOT / "docs" / "service.md"
VARIABLE = re.compile(r'"(KINGDOM_[A-Z_]+)"')


def test_every_variable_is_documented_and_no_other() -> None:
    read = set(VARIABLE.findall((ROOT / "app/settings/__init__.py").read_text()))
    rows = table(PAGE, "Variables")
    assert {row[0].strip("`") for row in rows} == read
    assert all(row[1] for row in rows)


def test_every_command_is_documented() -> None:
    documented = {row[0].strip("`").split()[3] for row in table(PAGE, "Commands")}
    assert documented == {*ProcessRole, "grant", "advise", "jobs"}


def test_every_file_the_page_names_is_there() -> None:
    named = re.findall(r"`(app/[\w/.]+)`", PAGE.read_text())
    assert named
    assert [each for each in named if not (Path(ROOT) / each).exists()] == []
