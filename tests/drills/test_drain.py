"""Rolling updates and scaling under traffic lose no request, and are marks on the plots of the dashboard."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from rehearsal.monitoring.annotations import annotated
from tests.support.backends import free_port
from tests.support.projects import Project, wait_for
from tests.support.traffic import running_traffic

pytestmark = pytest.mark.drill

# A few seconds on a quiet machine.
SECONDS = 180.0


@contextmanager
def dashboard(platform: Project) -> Iterator[str]:
    """Record the platform during the block; yields the address of the dashboard."""
    platform.run("dashboard", "--stop")
    url = platform.run("dashboard", "--port", str(free_port())).split()[-1]
    try:
        yield url
    finally:
        platform.run("dashboard", "--stop")


def overview(url: str) -> dict[str, Any]:
    """Return the state of the platform as the dashboard shows it."""
    return dict(httpx.get(f"{url}api/overview", timeout=30).json())


def events(url: str, kind: str) -> list[dict[str, Any]]:
    """Return the marks of a kind on the plots of the last quarter of an hour."""
    panels = httpx.get(f"{url}api/panels/application", params={"range": "15m"}, timeout=30).json()
    return [event for event in panels["events"] if event["kind"] == kind]


def drills(url: str) -> list[dict[str, Any]]:
    return events(url, "drill")


def pods(platform: Project) -> set[str]:
    """Return the names of the running api pods."""
    return {process.name for process in platform.status().processes if "/api" in process.name}


def test_a_rolling_update_under_traffic_loses_no_request(platform: Project) -> None:
    before = pods(platform)
    with running_traffic(platform) as traffic, dashboard(platform) as url:
        wait_for("a scrape of the revision before", lambda: overview(url)["at"], SECONDS)
        rewrite(platform, "    logLevel: info", "    logLevel: warning")
        with annotated(platform.state, "drill", "rolling update"):
            platform.run("up", seconds=300)
            wait_for("every process is ready", platform.is_healthy, SECONDS)
        wait_for("the end of the drill", lambda: drills(url) and drills(url)[0]["until"], SECONDS)
        deployments = {event["detail"]["role"]: event for event in events(url, "deployment")}
        (drill,) = drills(url)
    assert pods(platform).isdisjoint(before), "every pod was replaced"
    print(f"{traffic.served} answered")
    assert set(deployments) == {"api", "worker"}
    for event in deployments.values():
        assert drill["at"] < event["at"] <= drill["until"] + 15
        assert event["detail"]["changes"] == ['metadata.annotations["kingdom.studio/configuration"]']
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
                SECONDS,
            )
    print(f"{traffic.served} answered")
    traffic.require_nothing_lost()


def scale(platform: Project, replicas: int) -> None:
    """Set minimum and maximum of the api's autoscaler to ``replicas``."""
    bounds = r"(    api:\n      minReplicas: )\d+(\n      maxReplicas: )\d+"
    rewrite(platform, bounds, rf"\g<1>{replicas}\g<2>{replicas}")


def rewrite(platform: Project, lines: str, by: str) -> None:
    """Replace the only occurrence of a text in the settings."""
    text, found = re.subn(rf"(?m)^{lines}$", by, platform.settings.read_text())
    assert found == 1, lines
    platform.settings.write_text(text)
