"""Services of a process: all are prepared at startup, and each use of Redis has its own server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import redis

from app.services import Services
from tests.app.conftest import sign_up
from tests.support import backends
from tests.support.backends import Platform, Process

_USES = ("shared", "limits", "queue")


class FakeService:
    def __init__(self, name: str, prepared: list[str]) -> None:
        self.name, self.prepared = name, prepared

    async def prepare(self) -> None:
        self.prepared.append(self.name)


@pytest.mark.anyio
async def test_every_service_with_indexes_is_prepared_once() -> None:
    prepared: list[str] = []
    fakes: dict[str, Any] = {item.name: FakeService(item.name, prepared) for item in fields(Services)}
    await Services(**fakes).prepare()
    hints = get_type_hints(Services)
    expected = [name for name in fakes if hasattr(hints[name], "prepare")]
    assert "accounts" in expected
    assert sorted(prepared) == sorted(expected)


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[dict[str, Process]]:
    found = {use: backends.redis(tmp_path / use) for use in _USES}
    with contextlib.ExitStack() as stack:
        for each in found.values():
            stack.callback(each.kill)
            each.start()
        yield found


def keys(server: Process) -> set[str]:
    """The first part of each key of a server."""
    with redis.Redis(port=server.port, decode_responses=True) as client:
        return {str(key).split(":", maxsplit=1)[0] for key in client.scan_iter()}


def test_each_use_has_its_keys_on_its_own_server(
    platform: Platform, servers: dict[str, Process], tmp_path: Path
) -> None:
    urls = {use: f"redis://127.0.0.1:{each.port}/0" for use, each in servers.items()}
    own = {
        "KINGDOM_REDIS_URL": urls["shared"],
        "KINGDOM_LIMITS_REDIS_URL": urls["limits"],
        "KINGDOM_QUEUE_REDIS_URL": urls["queue"],
    }
    pods = [backends.pod(role, tmp_path, platform.settings | own) for role in ("api", "worker")]
    try:
        for each in pods:
            each.start()
        platform.wait_until_ready(*pods)
        person = sign_up(f"http://127.0.0.1:{pods[0].port}")
        with contextlib.closing(person.client):
            created = person.create("a castle")
            assert person.finished(created["id"])["state"] == "ready"
        assert keys(servers["limits"]) == {"{limits}"}
        assert keys(servers["queue"]) == {"queue", "progress"}
        shared = keys(servers["shared"])
        assert "cache" in shared
        assert shared.isdisjoint({"{limits}", "queue", "progress"})
    finally:
        for each in pods:
            each.kill()
