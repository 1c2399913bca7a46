"""Run each stack through its lifecycle once under each engine; the tests compare the results."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from tests.rehearsal.parity.kingdom_cli import Kingdom
from tests.rehearsal.parity.pulumi_cli import Pulumi, Ran, clouds, copy_project
from tests.rehearsal.parity.records import Record, comparable

STACKS = ("dev", "staging", "prod")
# Operations on random programs that the CLI could not complete itself.
INTEGRITY_FAILURES = pytest.StashKey[list[str]]()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """List the random programs that the CLI could not run, which are not compared."""
    failed: list[str] = config.stash.get(INTEGRITY_FAILURES, [])
    if failed:
        terminalreporter.section(f"{len(failed)} updates of the CLI ended with an invalid state")
        for line in failed:
            terminalreporter.line(line)


@dataclass(frozen=True)
class Life:
    """Results of an engine from the creation of a stack to its deletion.

    `records` are the resource records after creation; `refused` is the result of an attempt to delete
    protected resources, and `after_refusal` are the records after it.
    """

    ran: dict[str, Ran]
    records: dict[str, Record]
    refused: Ran | None = None
    after_refusal: dict[str, Record] = field(default_factory=dict)


@pytest.fixture(scope="session")
def providers() -> Iterator[str]:
    """Serve the rehearsal providers to the CLI; yield the value of PULUMI_DEBUG_PROVIDERS."""
    if shutil.which("pulumi") is None:
        pytest.skip("the Pulumi CLI is not on PATH")
    with clouds() as value:
        yield value


@pytest.fixture(scope="session", params=STACKS)
def lives(
    request: pytest.FixtureRequest, providers: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Life, Life]:
    """Run one stack under the Pulumi CLI and `kingdom` in parallel."""
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
    file = pulumi.project / "stacks" / f"Pulumi.{stack}.yaml"
    before = file.read_text().splitlines()
    ran = {"init": pulumi.run("stack", "init", stack)}
    added = [line for line in file.read_text().splitlines() if line not in before]
    assert [line.partition(":")[0] for line in added] == ["encryptionsalt"], (
        f"`pulumi stack init` rewrote {file.name}: {added}"
    )
    ran["preview"] = pulumi.run("preview", *on, "--policy-pack", "policies")
    ran["up"] = pulumi.run("up", *on, "--yes", "--skip-preview", "--policy-pack", "policies")
    if ran["up"].code:
        return Life(ran, {})
    again = ("--yes", "--skip-preview", "--expect-no-changes", "--policy-pack", "witness")
    ran["again"] = pulumi.run("up", *on, *again)
    ran["refresh"] = pulumi.run("refresh", *on, "--yes", "--skip-preview", "--expect-no-changes")
    records = comparable(pulumi.export(stack))
    protected = any(record.get("protect") for record in records.values())
    refused = pulumi.run("destroy", *on, "--yes") if protected else None
    after_refusal = comparable(pulumi.export(stack))
    if protected:
        ran["unprotect"] = pulumi.run("config", "set", *on, "--path", "kingdom:environment.protect", "false")
        ran["unprotected"] = pulumi.run("up", *on, "--yes", "--skip-preview")
    ran["destroy"] = pulumi.run("destroy", *on, "--yes", "--skip-preview")
    ran["rm"] = pulumi.run("stack", "rm", stack, "--yes")
    return Life(ran, records, refused, after_refusal)


def _under_kingdom(kingdom: Kingdom, stack: str) -> Life:
    on = ("--stack", stack)
    ran = {"preview": kingdom.run("preview", *on), "up": kingdom.run("up", *on)}
    if ran["up"].code:
        return Life(ran, {})
    ran["again"] = kingdom.run("preview", *on, "--policy-pack", "witness")
    ran["refresh"] = kingdom.run("refresh", *on)
    records = comparable(kingdom.export(stack))
    protected = any(record.get("protect") for record in records.values())
    refused = kingdom.run("down", *on) if protected else None
    after_refusal = comparable(kingdom.export(stack))
    if protected:
        file = kingdom.project / "stacks" / f"Pulumi.{stack}.yaml"
        text = file.read_text()
        assert text.count("    protect: true\n") == 1
        file.write_text(text.replace("    protect: true\n", "    protect: false\n"))
        ran["unprotected"] = kingdom.run("up", *on, "--policy-pack", "witness")
    ran["destroy"] = kingdom.run("down", *on)
    return Life(ran, records, refused, after_refusal)
