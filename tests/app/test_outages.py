"""Responses of a pod while a dependency is unavailable: fast failures, and operations that still work."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from pymongo.errors import ExecutionTimeout, NetworkTimeout, OperationFailure, WaitQueueTimeoutError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from app.telemetry.error_groups import is_outage
from tests.app.conftest import Person
from tests.app.test_application import problem
from tests.support.backends import Platform, Process, black_hole, free_port, pod
from tools.demo import gradient


def lonely(platform: Platform, **settings: str) -> Process:
    process = pod("api", platform.folder, platform.settings | settings)
    process.start()
    return process


@pytest.fixture(params=["refused", pytest.param("black-holed", marks=pytest.mark.slow)])
def unavailable(request: pytest.FixtureRequest) -> Iterator[int]:
    """A port whose connections are refused at once, or dropped without a response."""
    if request.param == "refused":
        yield free_port()
    else:
        with black_hole() as port:
            yield port


@pytest.fixture
def without_mongodb(platform: Platform, unavailable: int) -> Iterator[httpx.Client]:
    process = lonely(platform, KINGDOM_MONGODB_URL=f"mongodb://127.0.0.1:{unavailable}/")
    with httpx.Client(base_url=f"http://127.0.0.1:{process.port}", timeout=20) as client:
        yield client
    process.kill()


@pytest.fixture
def without_redis(platform: Platform, unavailable: int) -> Iterator[httpx.Client]:
    process = lonely(platform, KINGDOM_REDIS_URL=f"redis://127.0.0.1:{unavailable}/0")
    platform.wait_until_ready(process)
    with httpx.Client(base_url=f"http://127.0.0.1:{process.port}", timeout=20) as client:
        yield client
    process.kill()


@pytest.fixture
def without_storage(platform: Platform, unavailable: int) -> Iterator[httpx.Client]:
    process = lonely(platform, KINGDOM_STORAGE_ENDPOINT=f"http://127.0.0.1:{unavailable}")
    platform.wait_until_ready(process)
    with httpx.Client(base_url=f"http://127.0.0.1:{process.port}", timeout=20) as client:
        yield client
    process.kill()


def test_uncached_reads_without_mongodb_return_503(without_mongodb: httpx.Client, analyst: Person) -> None:
    # PyMongo retries until the request's deadline, so that requests survive the election of a new primary.
    hurried = {"authorization": analyst.client.headers["authorization"], "x-deadline-ms": "1500"}
    paths = ["/v1/contents", "/v1/accounts/me", "/v1/analytics/revenue"]
    with ThreadPoolExecutor(len(paths)) as clients:
        requests = [clients.submit(without_mongodb.get, path, headers=hurried) for path in paths]
        responses = [each.result() for each in requests]
    for response in responses:
        assert response.status_code in {503, 504}, response.text
        assert response.json()["type"].rpartition("#")[2] in {"unavailable", "deadline-exceeded"}
        assert response.elapsed.total_seconds() < 5
    assert without_mongodb.get("/livez").status_code == 200
    assert without_mongodb.get("/readyz").status_code == 503
    assert without_mongodb.get("/v1/products").status_code == 200
    assert without_mongodb.get("/errorz").json() == [], "outages are not recorded as unhandled errors"


def test_reads_and_writes_work_without_redis(
    without_redis: httpx.Client, ada: Person, analyst: Person
) -> None:
    content = ada.create("no redis")
    ada.finished(content["id"])
    headers = {"authorization": ada.client.headers["authorization"]}
    for path in (
        "/v1/feed",
        "/v1/contents",
        f"/v1/contents/{content['id']}",
        "/v1/accounts/me",
        "/v1/orders",
    ):
        response = without_redis.get(path, headers=headers)
        assert response.status_code == 200
        assert response.elapsed.total_seconds() < 5
    payload = {"name": "Countess"}
    assert without_redis.put("/v1/accounts/me/profile", json=payload, headers=headers).status_code == 200
    assert without_redis.get("/v1/accounts/me", headers=headers).json()["name"] == "Countess"
    as_analyst = {"authorization": analyst.client.headers["authorization"]}
    problem(without_redis.get("/v1/analytics/audience", headers=as_analyst), 503, "unavailable")


def test_uploads_without_storage_are_refused_in_time(without_storage: httpx.Client, ada: Person) -> None:
    headers = {"authorization": ada.client.headers["authorization"], "content-type": "image/png"}
    for _ in range(5):
        response = without_storage.post("/v1/uploads", content=gradient(64, 40), headers=headers)
        problem(response, 503, "unavailable")
        assert int(response.headers["retry-after"]) >= 1
        assert response.elapsed.total_seconds() < 8
    assert response.elapsed.total_seconds() < 1, "the circuit breaker is open"
    assert without_storage.get("/v1/accounts/me", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("error", "outage"),
    [
        (NetworkTimeout("x"), True),
        (WaitQueueTimeoutError("x"), True),
        (ExecutionTimeout("x", 50, {"code": 50}), True),
        (RedisTimeoutError("x"), True),
        (TimeoutError("x"), True),
        (OperationFailure("x", 2, {"code": 2}), False),
        (ResponseError("x"), False),
        (ValueError("x"), False),
    ],
)
def test_programming_errors_are_not_reported_as_outages(error: Exception, outage: bool) -> None:
    assert is_outage(error) is outage
