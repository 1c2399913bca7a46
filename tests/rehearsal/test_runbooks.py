"""`kingdom runbook`: what is missing before the first step is listed, with the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from rehearsal import runbooks
from rehearsal.errors import InputError
from rehearsal.pulumi.project import Project

ROOT = Path(__file__).parents[2]
PROJECT = Project.at(ROOT)


def found(
    name: str, environment: dict[str, str], stack: str = "prod"
) -> dict[tuple[str, str], runbooks.Check]:
    checks = runbooks.checks(PROJECT, runbooks.load(PROJECT, name), stack, environment)
    return {(check.kind, check.name): check for check in checks}


@pytest.mark.parametrize("name", runbooks.names(PROJECT))
def test_every_runbook_has_steps_and_prerequisites_to_check(name: str) -> None:
    page = runbooks.load(PROJECT, name)
    assert len(page.steps) > 2
    kinds = {kind for kind, _ in found(name, {"PATH": ""})}
    assert {"tool", "variable"} <= kinds


def test_missing_tool_and_unset_variable_are_listed_with_the_remedy() -> None:
    checks = found("restore", {"PATH": ""})
    assert not checks["tool", "atlas"].ok
    assert checks["variable", "BUCKET"] == runbooks.Check(
        "variable", "BUCKET", False, "export BUCKET=kingdom-prod-media"
    )


def test_variable_of_another_environment_is_reported() -> None:
    checks = found("restore", {"PATH": "", "STACK": "prod", "BUCKET": "kingdom-staging-media"})
    assert checks["variable", "STACK"].ok
    assert checks["variable", "BUCKET"].detail.endswith("(it is kingdom-staging-media)")


def test_tool_on_path_and_settings_of_the_stack_are_shown(tmp_path: Path) -> None:
    (tmp_path / "atlas").write_text("")
    (tmp_path / "atlas").chmod(0o755)
    checks = found("restore", {"PATH": str(tmp_path)})
    assert checks["tool", "atlas"].ok
    assert checks["setting", "storage.softDeleteDays"].detail.isdecimal()
    assert checks["script", ".github/scripts/flush-redis"].ok


def test_unknown_runbook_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match="restore, rotation"):
        runbooks.load(PROJECT, "repair")
