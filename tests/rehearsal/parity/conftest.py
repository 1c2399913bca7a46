"""Each stack is taken through its life once under each engine; the tests look at what was seen."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.rehearsal.parity.kingdom_cli import Kingdom
from tests.rehearsal.parity.pulumi_cli import ROOT, Pulumi, Ran, copy_project
from tests.rehearsal.parity.records import Record, comparable

STACKS = ("dev", "staging", "prod")


@dataclass(frozen=True)
class Life:
    """What an engine answered on the way from nothing to a stack and back."""

    ran: dict[str, Ran]
    records: dict[str, Record]


@pytest.fixture(scope="session")
def providers() -> Iterator[str]:
    """The rehearsal clouds, served to the CLI: the value of PULUMI_DEBUG_PROVIDERS."""
    if shutil.which("pulumi") is None:
        pytest.skip("the Pulumi CLI is not on PATH")
    kingdom = Path(sys.executable).with_name("kingdom")
    clouds = subprocess.Popen(
        [str(kingdom), "cloud", "--json"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert clouds.stdout is not None
        yield json.loads(clouds.stdout.readline())["value"]
    finally:
        clouds.send_signal(signal.SIGINT)
        assert clouds.wait(20) == 0
        clouds.stdout.close()


@pytest.fixture(scope="session", params=STACKS)
def lives(
    request: pytest.FixtureRequest, providers: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Life, Life]:
    """One stack's life under the Pulumi CLI, and under `kingdom`; side by side, to save time."""
    stack = request.param
    project = copy_project(tmp_path_factory.mktemp(f"{stack}-pulumi"))
    pulumi = Pulumi(project, tmp_path_factory.mktemp(f"{stack}-home"), providers)
    kingdom = Kingdom(copy_project(tmp_path_factory.mktemp(f"{stack}-kingdom")))
    with ThreadPoolExecutor() as pool:
        ours = pool.submit(_under_kingdom, kingdom, stack)
        theirs = _under_pulumi(pulumi, stack)
        return theirs, ours.result()


def _under_pulumi(pulumi: Pulumi, stack: str) -> Life:
    on = ("--stack", stack)
    ran = {"init": pulumi.run("stack", "init", stack)}
    ran["preview"] = pulumi.run("preview", *on, "--policy-pack", "policies")
    ran["up"] = pulumi.run("up", *on, "--yes", "--skip-preview", "--policy-pack", "policies")
    if ran["up"].code:
        return Life(ran, {})
    again = ("--yes", "--skip-preview", "--expect-no-changes", "--policy-pack", "witness")
    ran["again"] = pulumi.run("up", *on, *again)
    ran["refresh"] = pulumi.run("refresh", *on, "--yes", "--skip-preview", "--expect-no-changes")
    records = comparable(pulumi.export(stack))
    ran["unprotect"] = pulumi.run("state", "unprotect", *on, "--all", "--yes")
    ran["destroy"] = pulumi.run("destroy", *on, "--yes", "--skip-preview")
    ran["rm"] = pulumi.run("stack", "rm", stack, "--yes")
    return Life(ran, records)


def _under_kingdom(kingdom: Kingdom, stack: str) -> Life:
    on = ("--stack", stack)
    ran = {"preview": kingdom.run("preview", *on), "up": kingdom.run("up", *on)}
    if ran["up"].code:
        return Life(ran, {})
    ran["again"] = kingdom.run("preview", *on, "--policy-pack", "witness")
    ran["refresh"] = kingdom.run("refresh", *on)
    records = comparable(kingdom.export(stack))
    ran["destroy"] = kingdom.run("down", *on, "--unprotect")
    return Life(ran, records)
