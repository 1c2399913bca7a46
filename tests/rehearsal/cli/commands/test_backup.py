"""Times and lines of backups on the command line."""

from __future__ import annotations

import re

import pytest

from rehearsal.cli.commands.backup import _line, _moment
from rehearsal.errors import InputError
from rehearsal.host.backups import Backup


def test_a_time_without_a_zone_is_utc() -> None:
    assert _moment("2026-11-25T12:34:56.5Z") == _moment("2026-11-25T12:34:56.5") == 1795610096.5


def test_time_without_a_fraction_finds_the_backup_that_list_shows_with_it() -> None:
    taken = 1795610096.75
    shown = re.search(r"taken (\S+) (\S+) UTC", _line(Backup("b", taken, 0, 0.0)))
    assert shown is not None
    assert taken <= _moment(f"{shown[1]}T{shown[2]}Z") < taken + 1


def test_a_malformed_time_is_an_error_with_an_example() -> None:
    with pytest.raises(InputError, match="--at 'noon' is not a time") as caught:
        _moment("noon")
    assert "2026-11-25T12:34:56Z" in str(caught.value.remedy)


def test_a_line_shows_when_how_large_and_how_long() -> None:
    line = _line(Backup("name", 1795610096.0, 2048, 0.006))
    assert line == "name  taken 2026-11-25 12:34:56 UTC, 2 KiB, servers suspended for 6 ms"
