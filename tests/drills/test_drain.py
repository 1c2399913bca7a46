"""Rolling updates and scaling under traffic lose no request."""

from __future__ import annotations

import re

import pytest

from tests.support.projects import Project, wait_for
from tests.support.traffic import running_traffic

pytestmark = pytest.mark.drill


def pods(platform: Project) -> set[str]:
    """Return the names of the running api pods."""
    return {process.name for process in platform.status().processes if "/api" in process.name}


def test_a_rolling_update_under_traffic_loses_no_request(platform: Project) -> None:
    before = pods(platform)
    with running_traffic(platform) as traffic:
        rewrite(platform, "    logLevel: info", "    logLevel: warning")
        platform.run("up", seconds=300)
        wait_for("every process is ready", platform.is_healthy)
    assert pods(platform).isdisjoint(before), "every pod was replaced"
    print(f"{traffic.served} answered")
    traffic.require_nothing_lost()
    with platform.client() as client:
        traffic.ledger.require_readable(client)


def test_scaling_up_and_down_under_traffic_loses_no_request(platform: Project) -> None:
    few = len(pods(platform))
    with running_traffic(platform) as traffic:
        for replicas in (few + 1, few):
            scale(platform, replicas)
            platform.run("up", seconds=300)
            wait_for(
                "as many pods serve",
                lambda replicas=replicas: len(pods(platform)) == replicas and platform.is_healthy(),
                120,
            )
    print(f"{traffic.served} answered")
    traffic.require_nothing_lost()


def scale(platform: Project, replicas: int) -> None:
    """Set minimum and maximum of the api's autoscaler to ``replicas``."""
    bounds = r"(    api:\n      minReplicas: )\d+(\n      maxReplicas: )\d+"
    rewrite(platform, bounds, rf"\g<1>{replicas}\g<2>{replicas}")


def rewrite(platform: Project, lines: str, by: str) -> None:
    """Replace the only place of the settings that is so."""
    text, found = re.subn(rf"(?m)^{lines}$", by, platform.settings.read_text())
    assert found == 1, lines
    platform.settings.write_text(text)
