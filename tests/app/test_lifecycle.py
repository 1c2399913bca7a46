"""The three probes of a pod mean different things."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import backends
from tests.support.backends import Platform, Process, status


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Process]:
    """A MongoDB that is not there yet."""
    process = backends.mongodb(tmp_path / "late")
    try:
        yield process
    finally:
        process.kill()


def probes(pod: Process) -> tuple[int, int, int]:
    """Startup, readiness, liveness."""
    return status(pod, "/startupz"), status(pod, "/readyz"), status(pod, "/livez")


def test_a_pod_lives_before_it_has_started_starts_with_its_database_and_outlives_it(
    platform: Platform, database: Process, tmp_path: Path
) -> None:
    own = {"KINGDOM_MONGODB_URL": f"mongodb://127.0.0.1:{database.port}/"}
    pod = backends.pod("api", tmp_path, platform.settings | own)
    pod.start()
    try:
        assert probes(pod) == (503, 503, 200), "nothing to restart it for, and nothing to send it"
        database.start()
        backends.wait_for("started", lambda: probes(pod) == (200, 200, 200))
        database.kill()
        # It has started once and for all; it lives; it should get no traffic.
        backends.wait_for("not ready", lambda: probes(pod) == (200, 503, 200))
        database.start()
        backends.wait_for("ready again", lambda: probes(pod) == (200, 200, 200))
    finally:
        pod.kill()
