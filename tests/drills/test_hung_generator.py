"""Hang the text generator and compare what the service does with docs/failure-modes.md.

The generator is a process of its own, stopped with SIGSTOP: it keeps its connections open and sends nothing.
``make drills`` hangs it for 30 seconds, ``make soak`` for 130, as the other dependencies (``test_hangs``).
"""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.app.conftest import sign_up
from tests.drills.test_hangs import LONG_SECONDS, RECOVERY_SECONDS, SHORT_AND_LONG
from tests.support import backends
from tests.support.backends import Platform, Process, free_port
from tests.support.projects import wait_for
from tools.demo import gradient

pytestmark = pytest.mark.timeout(LONG_SECONDS + 120)

# The bound on one text; the breaker opens after several of them.
TEXT_SECONDS = 60
# Until the breaker opens, images wait for calls that hang: a call ends after 10 seconds without a byte.
IMAGE_SECONDS = 15.0
# More texts than the slots of a worker; a free plan allows 20 at once.
USERS = 4
TEXTS = 60
PNG = gradient(64, 40)


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    port = free_port()
    command = [sys.executable, "-m", "tests.support.text_generator", str(port)]
    process = Process(command, port, tmp_path_factory.mktemp("generator") / "generator.log")
    process.start()
    yield process
    process.kill()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, generator: Process) -> Iterator[Platform]:
    own = {
        "KINGDOM_GENERATOR_URL": f"http://127.0.0.1:{generator.port}/v1",
        "KINGDOM_GENERATOR_MODEL": "small",
    }
    whole = backends.platform(tmp_path_factory.mktemp("service"), own)
    yield whole
    backends.end(whole)


@SHORT_AND_LONG
def test_a_hung_generator_delays_texts_only(service: Platform, generator: Process, seconds: float) -> None:
    with contextlib.ExitStack() as stack:
        users = [sign_up(service.url).client for _ in range(USERS)]
        for client in users:
            stack.enter_context(contextlib.closing(client))
        first = users[0].post("/v1/contents", json={"prompt": "a fox"}).json()["id"]
        wait_for("a text", lambda: state(users[0], f"/v1/contents/{first}") == "ready")
        waiting: list[tuple[httpx.Client, str]] = []
        slowest = 0.0
        generator.signal(signal.SIGSTOP)
        try:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                began = time.monotonic()
                for client in users:
                    if len(waiting) < TEXTS:
                        created = client.post("/v1/contents", json={"prompt": f"a fox {len(waiting)}"})
                        assert created.status_code == 202, created.text
                        waiting.append((client, f"/v1/contents/{created.json()['id']}"))
                assert users[0].get(f"/v1/contents/{first}").status_code == 200
                assert users[0].get("/v1/feed").status_code == 200
                assert backends.status(service.worker, "/readyz") == 200
                slowest = max(slowest, time.monotonic() - began)
                image = users[0].post("/v1/uploads", content=PNG, headers={"content-type": "image/png"})
                path = f"/v1/uploads/{image.json()['id']}"
                wait_for(
                    "an image is processed",
                    lambda path=path: state(users[0], path) == "ready",
                    IMAGE_SECONDS,
                )
        finally:
            generator.signal(signal.SIGCONT)
        recovered = wait_for(
            "every text is written",
            lambda: {state(*each) for each in waiting} == {"ready"},
            RECOVERY_SECONDS,
        )
    print(f"{len(waiting)} texts written {recovered:.1f} s after the hang; slowest requests {slowest:.2f} s")


def state(client: httpx.Client, path: str) -> str:
    """The state of a content item or an image."""
    return str(client.get(path).json()["state"])
