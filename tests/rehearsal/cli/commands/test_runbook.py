"""`kingdom runbook`: the list of runbooks, and the exit code of a check."""

from __future__ import annotations

import pytest
import typer

from rehearsal.cli.commands.runbook import runbook


def test_without_a_name_the_runbooks_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    runbook()
    assert "restore: Restore (docs/runbooks/restore.md)" in capsys.readouterr().out


def test_command_ends_with_1_while_something_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STACK", "dev")
    with pytest.raises(typer.Exit) as caught:
        runbook("restore", "prod")
    assert caught.value.exit_code == 1
    assert "missing variable STACK: export STACK=prod (it is dev)" in capsys.readouterr().out
