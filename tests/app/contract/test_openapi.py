"""Conformance of the service to its OpenAPI document, tested with all checks of Schemathesis."""

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


def token_with_all_roles(platform: Platform, person: Person) -> str:
    """Return an access token with all roles, for a session that no request can revoke."""
    key = (Path(platform.settings["KINGDOM_SECRETS_DIR"]) / "session-key").read_text()
    session = Session(
        account=person.account["id"],
        expires=int(time.time()) + 900,
        id=new_id(),
        roles=("administrator", "analyst"),
    )
    return Tokens((base64.b64decode(key),)).sign(session)


def run_schemathesis(platform: Platform, person: Person, folder: Path, *options: str) -> str:
    """Run Schemathesis, require that it finds nothing, and return its report."""
    rules = ["--config-file", str(ROOT / "schemathesis.toml")]
    command = [str(SCHEMATHESIS), *rules, "run", f"{platform.url}/openapi.json", "--url", platform.url]
    token = f"Authorization: Bearer {token_with_all_roles(platform, person)}"
    # Signing out would revoke the session used by the rest of the run; test_refresh_sessions covers it.
    rest = ["--exclude-operation-id", "sessions_sign_out", "--header", token, "--no-color"]
    ended = subprocess.run(
        [*command, *rest, *options],
        cwd=folder,  # Schemathesis writes files to the current folder
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-20_000:] + ended.stderr[-2_000:]
    return ended.stdout


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_responses_match_the_openapi_schema(platform: Platform, ada: Person, tmp_path: Path) -> None:
    content = ada.create("for the examples")
    ada.finished(content["id"])
    brief = ("--phases", "coverage,fuzzing", "--max-examples", "4")
    report = run_schemathesis(platform, ada, tmp_path, *brief, "--seed", "1")
    assert "Authentication failed" not in report, "requests rejected with 401 are not checked"


@pytest.mark.drill
@pytest.mark.timeout(600)
def test_stateful_sequences_match_the_openapi_schema(platform: Platform, ada: Person, tmp_path: Path) -> None:
    """More examples, and sequences in which operations use the resources created by earlier ones."""
    run_schemathesis(platform, ada, tmp_path, "--max-examples", "60", "--seed", "2")
