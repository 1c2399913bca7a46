"""Resource options: both engines plan, execute and record the same steps."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.rehearsal.minimal import Tiny
from tests.rehearsal.parity.kingdom_cli import Kingdom
from tests.rehearsal.parity.pulumi_cli import Pulumi, Ran
from tests.rehearsal.parity.records import Record, comparable, differences

PROGRAM = Path(__file__).parent / "options" / "__main__.py"
STEPS = range(4)
ON = ("--stack", "local")

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900), pytest.mark.xdist_group("parity")]


@dataclass(frozen=True)
class Stood:
    """Plan, executed steps and records of an engine at one step."""

    planned: Counter[str]
    done: Counter[str]
    records: dict[str, Record]


@pytest.fixture(scope="module")
def stood(providers: str, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Stood, Stood]]:
    """Return the results of both engines per step: the CLI's and `kingdom`'s."""
    pulumi = Pulumi(_project(tmp_path_factory), tmp_path_factory.mktemp("home"), providers)
    kingdom = Kingdom(_project(tmp_path_factory))
    _go_to(pulumi.project, 0)
    assert pulumi.run("stack", "init", "local").code == 0
    accounts = []
    with ThreadPoolExecutor() as pool:
        for step in STEPS:
            _go_to(pulumi.project, step)
            _go_to(kingdom.project, step)
            ours = pool.submit(_under_kingdom, kingdom)
            accounts.append((_under_pulumi(pulumi), ours.result()))
    return accounts


def _project(folders: pytest.TempPathFactory) -> Path:
    project = Tiny.make(folders.mktemp("options"))
    project.program.write_text(PROGRAM.read_text())
    return project.root


def _go_to(project: Path, step: int) -> None:
    file = project / "stacks" / "Pulumi.local.yaml"
    salt = [line for line in file.read_text().splitlines() if line.startswith("encryptionsalt:")]
    settings = ["config:", "  gcp:project: ours", f"  tiny:step: {step}", "  tiny:said: aloud", ""]
    file.write_text("\n".join([*salt, *settings]))


def _under_pulumi(pulumi: Pulumi) -> Stood:
    counts: list[dict[str, int]] = []
    for command in (("preview", *ON), ("up", *ON, "--yes", "--skip-preview")):
        _succeeded(pulumi.run(*command))
        events = map(json.loads, (pulumi.home / "events.jsonl").read_text().splitlines())
        counts += [event["summaryEvent"]["resourceChanges"] for event in events if "summaryEvent" in event]
    planned, done = counts
    return Stood(_alike(planned), _alike(done), comparable(pulumi.export("local")))


def _under_kingdom(kingdom: Kingdom) -> Stood:
    planned, done = (
        json.JSONDecoder().raw_decode(_succeeded(kingdom.run(command, *ON)).output)[0]["counts"]
        for command in ("preview", "up")
    )
    return Stood(_alike(planned), _alike(done), comparable(kingdom.export("local")))


def _succeeded(ran: Ran) -> Ran:
    assert ran.code == 0, ran.output
    return ran


def _alike(counts: dict[str, int]) -> Counter[str]:
    """Normalize steps: the CLI omits reads and names the removal of retained resources differently."""
    found = Counter({op: count for op, count in counts.items() if op not in ("read", "discard")})
    found["delete"] += counts.get("discard", 0)
    return found


@pytest.mark.parametrize("step", STEPS)
def test_both_engines_plan_the_same(stood: list[tuple[Stood, Stood]], step: int) -> None:
    theirs, ours = stood[step]
    assert ours.planned == theirs.planned


@pytest.mark.parametrize("step", STEPS)
def test_both_engines_do_the_same(stood: list[tuple[Stood, Stood]], step: int) -> None:
    theirs, ours = stood[step]
    assert ours.done == theirs.done
    assert {op for op, count in ours.done.items() if count} >= ({"replace", "update"} if step else {"create"})


@pytest.mark.parametrize("step", STEPS)
def test_both_engines_record_the_same(stood: list[tuple[Stood, Stood]], step: int) -> None:
    theirs, ours = stood[step]
    assert len(theirs.records) > 60
    assert differences(theirs.records, ours.records) == []
