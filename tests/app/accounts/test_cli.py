"""Granting a role from the command line."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pymongo.errors import ServerSelectionTimeoutError

from app.accounts import cli
from app.connections import Database

pytestmark = pytest.mark.anyio


@pytest.fixture
def database(own_database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    @asynccontextmanager
    async def opened(settings: Any, *, app_name: str) -> AsyncIterator[Database]:
        yield own_database

    class Settings:
        mongodb: Any = None

    def load(environ: Mapping[str, str]) -> Settings:
        return Settings()

    monkeypatch.setattr(cli, "open_mongodb", opened)
    monkeypatch.setattr(cli, "load", load)
    return own_database


async def test_role_is_granted_once_to_the_account_of_the_address(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    await database["accounts"].insert_one({"_id": "a", "email_key": "ada@example.com", "roles": []})
    for _ in range(2):
        assert await cli.grant("ADA@example.com", "administrator", {}) == 0
    found = await database["accounts"].find_one({"_id": "a"})
    assert found is not None
    assert found["roles"] == ["administrator"]
    assert "has the role administrator" in capsys.readouterr().out


async def test_unknown_address_and_role_are_errors(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await cli.grant("eve@example.com", "administrator", {}) == 1
    assert "no account has the address eve@example.com" in capsys.readouterr().err
    assert await cli.grant("ada@example.com", "owner", {}) == 2
    assert "unknown role 'owner': use one of analyst, administrator" in capsys.readouterr().err


async def test_outage_is_an_error(
    database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @asynccontextmanager
    async def unavailable(settings: Any, *, app_name: str) -> AsyncIterator[Database]:
        raise ServerSelectionTimeoutError("no server")
        yield database

    monkeypatch.setattr(cli, "open_mongodb", unavailable)
    assert await cli.grant("ada@example.com", "analyst", {}) == 1
    assert "MongoDB is unavailable: no server" in capsys.readouterr().err
