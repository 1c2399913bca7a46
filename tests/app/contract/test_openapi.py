"""The service does what its OpenAPI document says: Schemathesis asks, with all of its checks."""

from __future__ import annotations

import base64
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.auth.tokens import Session, Tokens
from app.ids import new_id
from tests.app.conftest import Person
from tests.support.backends import ROOT, Platform

SCHEMATHESIS = Path(sys.executable).parent / "schemathesis"


def everybody(platform: Platform, person: Person) -> str:
    """A token of somebody who may do everything, of a session that no request can end."""
    key = (Path(platform.settings["KINGDOM_SECRETS_DIR"]) / "session-key").read_text()
    session = Session(
        account=person.account["id"],
        expires=int(time.time()) + 900,
        id=new_id(),
        roles=("administrator", "analyst"),
    )
    return Tokens((base64.b64decode(key),)).sign(session)


def examine(platform: Platform, person: Person, folder: Path, *options: str) -> str:
    """The report of a run, which found nothing."""
    rules = ["--config-file", str(ROOT / "schemathesis.toml")]
    command = [str(SCHEMATHESIS), *rules, "run", f"{platform.url}/openapi.json", "--url", platform.url]
    token = f"Authorization: Bearer {everybody(platform, person)}"
    # Ending the session that asks would leave the rest of the run without one; test_sessions has it.
    rest = ["--exclude-operation-id", "sessions_sign_out", "--header", token, "--no-color"]
    ended = subprocess.run(
        [*command, *rest, *options],
        cwd=folder,  # it keeps notes where it stands
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-20_000:] + ended.stderr[-2_000:]
    return ended.stdout


def test_the_document_is_true(platform: Platform, ada: Person, tmp_path: Path) -> None:
    content = ada.create("for the examples")
    ada.finished(content["id"])
    brief = ("--phases", "coverage,fuzzing", "--max-examples", "4")
    report = examine(platform, ada, tmp_path, *brief, "--seed", "1")
    assert "Authentication failed" not in report, "what is refused at the door is not examined"


@pytest.mark.drill
@pytest.mark.timeout(600)
def test_the_document_is_true_at_length(platform: Platform, ada: Person, tmp_path: Path) -> None:
    """Longer, and in sequences: what one operation makes, the next ones are asked about."""
    examine(platform, ada, tmp_path, "--max-examples", "60", "--seed", "2")
