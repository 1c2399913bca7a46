"""Outages and slowness of dependencies: behavior as in docs/failure-modes.md, and recovery without loss of
acknowledged writes and without duplicates.
"""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from uuid import uuid4

import httpx
import pytest

from tests.drills.service import Service, service, serving
from tests.support.backends import status
from tests.support.client import Ledger, is_serving, writing
from tests.support.projects import wait_for

pytestmark = pytest.mark.drill

BACK_SECONDS = 90.0
_REQUESTS = 16  # a free plan has 20 at a time


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service(tmp_path_factory.mktemp("service")) as whole:
        yield whole


@pytest.fixture(scope="module")
def modelled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service(tmp_path_factory.mktemp("modelled"), modelled=True) as whole:
        yield whole


@pytest.fixture
def ledger(running: Service) -> Ledger:
    """An account with generated content items."""
    return settled(running)


def settled(whole: Service) -> Ledger:
    known = Ledger()
    with whole.client() as client:
        known.write(client)
        wait_for("all is made", lambda: known.are_made(client))
    return known


def require_back(whole: Service, *ledgers: Ledger) -> None:
    """Require recovery, and that each acknowledged item exists and was generated once."""
    began = time.monotonic()

    def left() -> float:
        return BACK_SECONDS - (time.monotonic() - began)

    wait_for("every pod is ready", whole.is_ready, left())
    wait_for("the service works", lambda: is_serving(whole), left())
    with whole.client() as client:
        for ledger in ledgers:
            wait_for("all is made", lambda ledger=ledger: ledger.are_made(client), left())
    print(f"back after {time.monotonic() - began:.1f} s")
    with whole.client() as client:
        for ledger in ledgers:
            ledger.require_readable(client)
            for _, piece, _ in ledger.pieces:
                assert whole.ends(piece) in (["ready"], []), "one final event per item"


def headers(ledger: Ledger) -> dict[str, str]:
    account, _, _ = ledger.pieces[0]
    return {"authorization": f"Bearer {ledger.tokens[account]}"}


def require_refusal(response: httpx.Response) -> None:
    """Require a 503 with Retry-After and problem details."""
    assert response.status_code == 503, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert int(response.headers["retry-after"]) >= 1


@contextmanager
def killed(whole: Service, name: str) -> Iterator[None]:
    """Kill a process, and restart it at the end of the context."""
    process = getattr(whole.whole, name)
    process.kill()
    try:
        yield
    finally:
        process.start()


def test_without_redis_reads_and_writes_work_and_jobs_run_after_recovery(
    running: Service, ledger: Ledger
) -> None:
    account, piece, prompt = ledger.pieces[0]
    with running.client() as client:
        with killed(running, "redis"):
            wait_for("the worker is not ready", lambda: running.readiness(running.whole.worker)[0] == 503, 10)
            api = running.whole.api
            wait_for("the outage is noticed", lambda: running.readiness(api)[1]["redis"] != "ok", 10)
            code, report = running.readiness(api)
            assert (code, report["stage"]) == (200, "serving"), "an api pod stays ready"
            assert ledger.read(client, account, piece)["prompt"] == prompt
            assert client.get("/v1/feed").status_code == 200
            during = Ledger()
            during.write(client)  # an account, and content items whose jobs cannot be enqueued
            during.require_readable(client)
        require_back(running, ledger, during)


def test_without_mongodb_cached_reads_work_and_writes_are_rejected(running: Service, ledger: Ledger) -> None:
    account, piece, prompt = ledger.pieces[0]
    api = running.whole.api
    with running.client() as client:
        ledger.read(client, account, piece)
        assert client.get("/v1/feed").status_code == 200
        with killed(running, "mongodb"):
            assert ledger.read(client, account, piece)["prompt"] == prompt
            wait_for("the outage is noticed", lambda: running.readiness(api)[1]["mongodb"] != "ok", 10)
            assert running.readiness(api)[0] == 200, "cached reads are served"
            assert status(api, "/livez") == 200, "a restart would not repair MongoDB"
            assert status(api, "/startupz") == 200
            assert client.get("/v1/feed").status_code == 200, "stale, for a while"
            credentials = {"email": ledger.emails[account], "password": "correct horse battery"}
            require_refusal(client.post("/v1/sessions", json=credentials))
            payload = {"prompt": "never acknowledged"}
            require_refusal(client.post("/v1/contents", json=payload, headers=headers(ledger)))
        require_back(running, ledger)


@pytest.mark.parametrize("name", ["redis", "mongodb"])
def test_acknowledged_writes_survive_an_outage(running: Service, name: str) -> None:
    with writing(running) as ledger:
        with killed(running, name):
            time.sleep(3)  # the duration of the outage, not a wait for a condition
        wait_for("the service works", lambda: is_serving(running), BACK_SECONDS)
    print(f"{len(ledger.pieces)} pieces acknowledged, {ledger.refused} rounds refused")
    require_back(running, ledger)


def test_slow_storage_delays_only_images(running: Service, ledger: Ledger) -> None:
    account, piece, _ = ledger.pieces[0]
    mine = headers(ledger)
    with running.client() as client:
        running.delay.seconds = 3.0
        try:
            during = Ledger()
            during.write(client)
            times: list[float] = []
            for _ in range(100):
                began = time.perf_counter()
                ledger.read(client, account, piece)
                times.append(time.perf_counter() - began)
            assert statistics.quantiles(times, n=20)[-1] < 0.5
            wait_for("slowness noticed", lambda: running.readiness(running.whole.api)[1]["storage"] != "ok")
            code, _ = running.readiness(running.whole.api)
            assert code == 200, "a pod without storage serves the rest"
            image = client.get(f"/v1/contents/{piece}/image", headers=mine)
            assert image.status_code in {200, 503}, image.text
        finally:
            running.delay.seconds = 0.0
        require_back(running, ledger, during)
        during.require_image(client)


def test_without_the_generator_requests_wait_until_it_recovers(modelled: Service) -> None:
    with modelled.client() as client:
        with serving(modelled.model.handle, modelled.model.port):
            known = settled(modelled)
        account, piece, prompt = known.pieces[0]
        during = Ledger()
        during.write(client)
        assert known.read(client, account, piece)["prompt"] == prompt
        # On a busy machine a ping of another dependency may be late for a moment.
        wait_for("the pods are ready without the generator", modelled.is_ready)
        with serving(modelled.model.handle, modelled.model.port):
            require_back(modelled, known, during)


def test_killed_worker_loses_and_duplicates_no_job(modelled: Service) -> None:
    worker = modelled.whole.worker
    with serving(modelled.model.handle, modelled.model.port), modelled.client() as client:
        modelled.model.hanging, before = True, modelled.model.begun
        ledger = Ledger()
        ledger.write(client)
        wait_for("a job is in progress", lambda: modelled.model.begun > before)
        worker.kill()
        modelled.model.hanging = False
        worker.start()
        require_back(modelled, ledger)
        for _, piece, _ in ledger.pieces:
            assert modelled.ends(piece) == ["ready"]


def test_killed_api_pod_loses_no_acknowledged_write_and_duplicates_none(
    running: Service,
) -> None:
    """Each request has an idempotency key; those without a response are sent again, as by a client."""
    api = running.whole.api
    ledger = Ledger()
    with running.client() as client:
        account = ledger.sign_up(client)
    mine = {"authorization": f"Bearer {ledger.tokens[account]}"}
    prompts = {uuid4().hex: f"in flight {number}" for number in range(_REQUESTS)}
    acknowledged: dict[str, str] = {}

    def send(key: str) -> None:
        with running.client() as client, contextlib.suppress(httpx.HTTPError):
            acknowledged[key] = request_content(client, key, prompts[key], mine)

    with ThreadPoolExecutor(_REQUESTS) as pool:
        for key in prompts:
            pool.submit(send, key)
        wait_for("the first is acknowledged", lambda: acknowledged)
        api.kill()
    cut_off = len(prompts) - len(acknowledged)
    assert cut_off, "nothing was in flight"
    api.start()
    running.whole.wait_until_ready(api)
    with running.client() as client:
        for key, prompt in prompts.items():
            piece = request_content(client, key, prompt, mine)
            assert acknowledged.get(key, piece) == piece
            ledger.pieces.append((account, piece, prompt))
        listed = client.get("/v1/contents?limit=50", headers=mine).json()["items"]
        assert sorted(piece["id"] for piece in listed) == sorted(piece for _, piece, _ in ledger.pieces)
    print(f"{len(acknowledged)} acknowledged, {cut_off} cut off")
    require_back(running, ledger)


def request_content(client: httpx.Client, key: str, prompt: str, mine: dict[str, str]) -> str:
    """Request a content item with an idempotency key; return its ID. Raises httpx.HTTPError."""
    response = client.post("/v1/contents", json={"prompt": prompt}, headers=mine | {"idempotency-key": key})
    assert response.status_code == 202, response.text
    return str(response.json()["id"])
