"""What the service does while something that it depends on is gone or slow, as docs/failure-modes.md has it,
and that it recovers by itself: nothing acknowledged is lost, and nothing is made twice.
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

pytestmark = [pytest.mark.drill, pytest.mark.timeout(240)]

BACK_SECONDS = 30.0
_WISHES = 16  # a free plan has 20 at a time


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
    """An account with pieces that are made."""
    return settled(running)


def settled(whole: Service) -> Ledger:
    known = Ledger()
    with whole.client() as client:
        known.write(client)
        wait_for("all is made", lambda: known.are_made(client))
    return known


def require_back(whole: Service, *ledgers: Ledger) -> None:
    """Everything works within half a minute, and all that was acknowledged is there, made, and made once."""
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
                assert whole.ends(piece) in (["ready"], []), "watchers hear of one end"


def headers(ledger: Ledger) -> dict[str, str]:
    account, _, _ = ledger.pieces[0]
    return {"authorization": f"Bearer {ledger.tokens[account]}"}


def require_refusal(answer: httpx.Response) -> None:
    """A 503 that says when to come back, as problem details."""
    assert answer.status_code == 503, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) >= 1


@contextmanager
def gone(whole: Service, name: str) -> Iterator[None]:
    """A part is killed, and started again at the end."""
    part = getattr(whole.whole, name)
    part.kill()
    try:
        yield
    finally:
        part.start()


def test_without_redis_people_sign_in_read_and_ask_and_all_of_it_is_made_after(
    running: Service, ledger: Ledger
) -> None:
    account, piece, prompt = ledger.pieces[0]
    with running.client() as client:
        with gone(running, "redis"):
            wait_for("the worker is not ready", lambda: running.readiness(running.whole.worker)[0] == 503, 10)
            code, report = running.readiness(running.whole.api)
            assert (code, report["stage"]) == (200, "serving"), "an api pod goes on"
            assert report["redis"] != "ok"
            assert ledger.read(client, account, piece)["prompt"] == prompt
            assert client.get("/v1/feed").status_code == 200
            during = Ledger()
            during.write(client)  # an account, and pieces that the queue never hears of
            during.require_readable(client)
        require_back(running, ledger, during)


def test_without_mongodb_what_is_in_memory_is_read_and_nothing_is_promised(
    running: Service, ledger: Ledger
) -> None:
    account, piece, prompt = ledger.pieces[0]
    api = running.whole.api
    with running.client() as client:
        ledger.read(client, account, piece)
        assert client.get("/v1/feed").status_code == 200
        with gone(running, "mongodb"):
            assert ledger.read(client, account, piece)["prompt"] == prompt
            wait_for("the outage is noticed", lambda: running.readiness(api)[1]["mongodb"] != "ok", 10)
            assert running.readiness(api)[0] == 200, "cached reads are served"
            assert status(api, "/livez") == 200, "a restart would mend nothing"
            assert status(api, "/startupz") == 200
            assert client.get("/v1/feed").status_code == 200, "stale, for a while"
            credentials = {"email": ledger.emails[account], "password": "correct horse battery"}
            require_refusal(client.post("/v1/sessions", json=credentials))
            wish = {"prompt": "never acknowledged"}
            require_refusal(client.post("/v1/contents", json=wish, headers=headers(ledger)))
        require_back(running, ledger)


@pytest.mark.parametrize("name", ["redis", "mongodb"])
def test_who_writes_through_an_outage_loses_nothing_that_was_acknowledged(
    running: Service, name: str
) -> None:
    with writing(running) as ledger:
        with gone(running, name):
            time.sleep(3)  # how long it is away, not a wait for anything
        wait_for("the service works", lambda: is_serving(running), BACK_SECONDS)
    print(f"{len(ledger.pieces)} pieces acknowledged, {ledger.refused} rounds refused")
    require_back(running, ledger)


def test_a_slow_storage_holds_up_pictures_and_nothing_else(running: Service, ledger: Ledger) -> None:
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
            picture = client.get(f"/v1/contents/{piece}/image", headers=mine)
            assert picture.status_code in {200, 503}, picture.text
        finally:
            running.delay.seconds = 0.0
        require_back(running, ledger, during)
        during.require_image(client)


def test_without_the_generator_wishes_wait_and_are_made_when_it_is_back(modelled: Service) -> None:
    with modelled.client() as client:
        with serving(modelled.model.handle, modelled.model.port):
            known = settled(modelled)
        account, piece, prompt = known.pieces[0]
        during = Ledger()
        during.write(client)
        assert known.read(client, account, piece)["prompt"] == prompt
        assert modelled.is_ready(), "the rest of the service does not mind"
        with serving(modelled.model.handle, modelled.model.port):
            require_back(modelled, known, during)


def test_a_worker_killed_in_mid_job_loses_no_job_and_makes_none_twice(modelled: Service) -> None:
    worker = modelled.whole.worker
    with serving(modelled.model.handle, modelled.model.port), modelled.client() as client:
        modelled.model.hanging, before = True, modelled.model.begun
        ledger = Ledger()
        ledger.write(client)
        wait_for("a job is half done", lambda: modelled.model.begun > before)
        worker.kill()
        modelled.model.hanging = False
        worker.start()
        require_back(modelled, ledger)
        for _, piece, _ in ledger.pieces:
            assert modelled.ends(piece) == ["ready"]


def test_an_api_killed_in_mid_request_keeps_what_it_acknowledged_and_repeats_nothing(
    running: Service,
) -> None:
    """Each request carries a key; those without an answer are sent again, as a client would."""
    api = running.whole.api
    ledger = Ledger()
    with running.client() as client:
        account = ledger.sign_up(client)
    mine = {"authorization": f"Bearer {ledger.tokens[account]}"}
    wishes = {uuid4().hex: f"in flight {number}" for number in range(_WISHES)}
    acknowledged: dict[str, str] = {}

    def ask(key: str) -> None:
        with running.client() as client, contextlib.suppress(httpx.HTTPError):
            acknowledged[key] = wish(client, key, wishes[key], mine)

    with ThreadPoolExecutor(_WISHES) as people:
        for key in wishes:
            people.submit(ask, key)
        wait_for("the first is acknowledged", lambda: acknowledged)
        api.kill()
    cut_off = len(wishes) - len(acknowledged)
    assert cut_off, "nothing was in flight"
    api.start()
    running.whole.wait_until_ready(api)
    with running.client() as client:
        for key, prompt in wishes.items():
            piece = wish(client, key, prompt, mine)
            assert acknowledged.get(key, piece) == piece
            ledger.pieces.append((account, piece, prompt))
        listed = client.get("/v1/contents?limit=50", headers=mine).json()["items"]
        assert sorted(piece["id"] for piece in listed) == sorted(piece for _, piece, _ in ledger.pieces)
    print(f"{len(acknowledged)} acknowledged, {cut_off} cut off")
    require_back(running, ledger)


def wish(client: httpx.Client, key: str, prompt: str, mine: dict[str, str]) -> str:
    """Ask for a piece under a key; its id. Raises httpx.HTTPError without an answer."""
    answer = client.post("/v1/contents", json={"prompt": prompt}, headers=mine | {"idempotency-key": key})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])
