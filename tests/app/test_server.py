"""The server of a pod: drained before it stops."""

from __future__ import annotations

import signal

import httpx

from tests.support.backends import Platform, pod


def test_pod_drains_before_it_stops(platform: Platform) -> None:
    api = pod("api", platform.folder, platform.settings | {"KINGDOM_DRAIN_SECONDS": "1"})
    api.start()
    platform.wait_until_ready(api)
    with httpx.Client(base_url=f"http://127.0.0.1:{api.port}") as client:
        assert client.get("/readyz").status_code == 200
        api.signal(signal.SIGTERM)
        while (response := client.get("/readyz")).status_code == 200:
            pass
        assert (response.status_code, response.json()["stage"]) == (503, "draining")
        assert client.get("/docs").status_code == 200, "requests are served while draining"
    assert api.wait() == 0
