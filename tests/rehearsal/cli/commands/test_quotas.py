"""`kingdom quotas`: granted quotas compared with the needs at the maximum scale."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from rehearsal.cli.app import app
from rehearsal.cli.commands import quotas as command
from rehearsal.providers.fresh_project import quotas as needed


def quotas(monkeypatch: pytest.MonkeyPatch, *needs: tuple[str, int, int, int], options: list[str]) -> Any:
    """The command for a stack with these needs: quota, granted, at first, at the largest scale."""
    found = [
        SimpleNamespace(quota=name, granted=granted, first=first, max_scale=maximum)
        for name, granted, first, maximum in needs
    ]
    session = SimpleNamespace(
        stack=SimpleNamespace(config={}),
        plan_from_nothing=lambda: SimpleNamespace(snapshot=SimpleNamespace(resources=[])),
    )

    def session_of(_: str) -> Any:
        return session

    def needs(*_: Any) -> Any:
        return found

    monkeypatch.setattr(command, "session_of", session_of)
    monkeypatch.setattr(needed, "needs", needs)
    return CliRunner().invoke(app, ["quotas", "--stack", "dev", *options])


@pytest.mark.parametrize(("granted", "enough"), [(121, True), (120, True), (119, False)])
def test_exit_code_is_1_where_less_is_granted_than_the_maximum_needs(
    monkeypatch: pytest.MonkeyPatch, granted: int, enough: bool
) -> None:
    found = quotas(monkeypatch, ("CPUS", granted, 24, 120), ("IN_USE_ADDRESSES", 8, 1, 2), options=["--json"])
    assert found.exit_code == (0 if enough else 1)
    assert json.loads(found.stdout) == {
        "stack": "dev",
        "enough": enough,
        "quotas": {
            "CPUS": {"granted": granted, "first": 24, "largest": 120},
            "IN_USE_ADDRESSES": {"granted": 8, "first": 1, "largest": 2},
        },
    }


def test_quota_that_is_too_low_is_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    found = quotas(monkeypatch, ("CPUS", 24, 24, 120), ("SSD_TOTAL_GB", 500, 100, 500), options=[])
    assert found.exit_code == 1
    cpus, disks = found.stdout.splitlines()
    assert cpus.split() == ["CPUS", "granted", "24", "first", "24", "largest", "120", "too", "little"]
    assert disks.split() == ["SSD_TOTAL_GB", "granted", "500", "first", "100", "largest", "500"]


def test_stack_without_nodes_needs_none(monkeypatch: pytest.MonkeyPatch) -> None:
    found = quotas(monkeypatch, options=["--json"])
    assert (found.exit_code, json.loads(found.stdout)["enough"]) == (0, True)
