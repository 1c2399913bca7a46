"""Drills of docs/runbooks/rotation.md and restore.md on one machine, under traffic."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import httpx
import pytest

from tests.support.client import Ledger, is_serving
from tests.support.projects import Project, wait_for
from tests.support.traffic import running_traffic

pytestmark = pytest.mark.drill

_GENERATION = re.compile(r"(?m)^(    sessionKeyGeneration: )(\d+)$")


def rotate_session_keys(platform: Project) -> None:
    """Raise `identity.sessionKeyGeneration` by one in the stack file and deploy it."""
    text, found = _GENERATION.subn(
        lambda match: match[1] + str(int(match[2]) + 1), platform.settings.read_text()
    )
    assert found == 1
    platform.settings.write_text(text)
    platform.run("up", seconds=300)
    wait_for("every process is ready", platform.is_healthy, 60)


def account_status(client: httpx.Client, token: str) -> int:
    return client.get("/v1/accounts/me", headers={"authorization": f"Bearer {token}"}).status_code


def test_one_rotation_keeps_sessions_valid_and_a_second_one_expires_them(platform: Project) -> None:
    ledger = Ledger()
    with platform.client() as client:
        account = ledger.sign_up(client)
    token = ledger.tokens[account]
    with running_traffic(platform) as traffic:
        rotate_session_keys(platform)
    traffic.require_nothing_lost()
    with platform.client() as client:
        assert account_status(client, token) == 200
        traffic.ledger.require_readable(client)
    rotate_session_keys(platform)
    with platform.client() as client:
        assert account_status(client, token) == 401
        ledger.require_readable(client)  # with a new session


def test_restore_returns_to_the_moment_of_the_backup(platform: Project) -> None:
    wait_for("the service works", lambda: is_serving(platform))
    before, after = Ledger(), Ledger()
    with platform.client() as client:
        before.write(client)
        wait_for("content is generated", lambda: before.are_made(client), 60)
        platform.run("backup", "create")
        moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        after.write(client)
    platform.run("backup", "restore", "--at", moment, seconds=300)
    wait_for("the service works", lambda: is_serving(platform))
    with platform.client() as client:
        before.require_readable(client)
        before.require_image(client)
        (email,) = after.emails.values()
        credentials = {"email": email, "password": "correct horse battery"}
        assert client.post("/v1/sessions", json=credentials).status_code == 401
