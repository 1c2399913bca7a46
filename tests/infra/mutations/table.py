"""The table of settings and of the checks that detect their mutation, written by `make inventory`."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import yaml

from tests.infra.mutations.killers import Evaluator
from tests.infra.mutations.mutators import ways
from tests.infra.mutations.source import Setting, commented
from tests.infra.mutations.trace import SettingPositions, positions_of
from tests.infra.rehearsal import ROOT, Declared, rehearse

FILE: Final = Path(__file__).with_suffix(".yaml")
EXPLAINED: Final = Path(__file__).with_name("explained.yaml")
HEAD: Final = """\
# Every setting of infra/ whose comment states what it prevents, and the checks that detect its mutation:
# written by `make inventory`, reviewed with each change. Comments that only explain are in explained.yaml.
"""
# Modules that compute with settings: their values are not passed on unchanged. They are tested by
# tests/infra/test_setting_changes.py instead.
REASONING: Final = {
    "settings/errors.py",
    "settings/loader.py",
    "settings/machine_types.py",
    "settings/sizing.py",
    "settings/shutdown_timing.py",
}
PROGRAM: Final = ROOT / "infra"
Table = dict[str, dict[str, list[str]]]


@cache
def settings() -> tuple[Setting, ...]:
    """Return every setting with a comment, except those in `explained`."""
    left_out = explained()
    return tuple(
        setting
        for path in sorted(PROGRAM.rglob("*.py"))
        if path.relative_to(PROGRAM).as_posix() not in REASONING
        for setting in commented(path, PROGRAM)
        if setting.id not in left_out
    )


@cache
def explained() -> dict[str, str]:
    """Return settings whose comment only explains and states no prevented failure, each with the reason."""
    found: dict[str, str] = yaml.safe_load(EXPLAINED.read_text())
    return found


@cache
def positions() -> tuple[SettingPositions, ...]:
    """Return the positions of each of :func:`settings` in the plan."""
    with TemporaryDirectory() as folder:
        return tuple(positions_of(settings(), Path(folder)))


def table(declared: Declared) -> Table:
    """Return the checks that detect each setting's mutations, by the kind of mutation."""
    evaluator = Evaluator(declared)
    return {
        setting.id: {
            way: sorted(evaluator.detections(changes))
            for way, changes in ways(setting, place, declared.result.snapshot.resources)
        }
        for setting, place in zip(settings(), positions(), strict=True)
    }


def text(found: Table) -> str:
    """Return the text of the table's file."""
    short = {
        setting: detections["as a whole"] if detections.keys() == {"as a whole"} else detections
        for setting, detections in found.items()
    }
    return HEAD + yaml.safe_dump(short, sort_keys=False, width=110)


def write() -> None:
    """Write the table."""
    with TemporaryDirectory() as folder:
        FILE.write_text(text(table(rehearse("prod", Path(folder)))))
