"""The server of a pod: drained before it stops; memory of its threads."""

from __future__ import annotations

import platform as platform_module
import signal
import subprocess
import sys

import httpx
import pytest

from tests.support.backends import ROOT, Platform, pod


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


# Threads allocate small blocks at the same time; malloc_info(3) then lists the arenas.
_ARENAS = """
import ctypes, sys, threading
from app.server import limit_malloc_arenas
if sys.argv[1] == "limited":
    limit_malloc_arenas()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
together = threading.Barrier(12)
def allocate():
    together.wait()
    assert all(libc.malloc(ctypes.c_size_t(2_000)) for _ in range(100))
    together.wait()
threads = [threading.Thread(target=allocate) for _ in range(12)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
"""


@pytest.mark.skipif(platform_module.libc_ver()[0] != "glibc", reason="arenas are of glibc's malloc")
def test_threads_of_a_worker_share_two_malloc_arenas() -> None:
    def arenas(mode: str) -> int:
        command = [sys.executable, "-c", _ARENAS, mode]
        printed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
        return printed.count("<heap nr=")

    assert arenas("limited") <= 2 < arenas("default")
