"""The command of the index advisor."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest

from app.connections import open_mongodb
from app.database.index_advisor.cli import Report, declared
from app.database.index_advisor.inventory import read_indexes
from app.settings import MongoAuth, MongoSettings
from tests.app.conftest import Person
from tests.support.backends import ROOT, Platform

pytestmark = pytest.mark.anyio


async def test_all_indexes_of_the_service_are_recognized_as_declared(platform: Platform, ada: Person) -> None:
    url = f"mongodb://127.0.0.1:{platform.mongodb.port}/"
    kingdom = MongoSettings(url, "kingdom", MongoAuth.CERTIFICATE, None)
    ada.create("an index")
    async with open_mongodb(kingdom, app_name="test") as database:
        inventory = await read_indexes(database, [database], declared())
    assert [each.name for each in inventory.indexes if each.name != "_id_" and not each.declared] == []
    assert len(inventory.indexes) > 6


def test_command_without_apply_changes_nothing(platform: Platform, ada: Person) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "app", "advise", "--json"],
        cwd=ROOT,
        env=platform.settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    report = msgspec.json.decode(ended.stdout, type=Report)
    assert report.indexes > 3
    assert report.changes == []


def test_command_reports_invalid_settings(platform: Platform) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "app", "advise"],
        cwd=ROOT,
        env=platform.settings | {"KINGDOM_INDEX_ADVISOR": "maybe"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert "KINGDOM_INDEX_ADVISOR is 'maybe'; it must be one of off, advise, apply" in ended.stderr
    assert "Traceback" not in ended.stderr
