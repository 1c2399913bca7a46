"""Analytics over HTTP: every event once, and the numbers that follow."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from redis import Redis

from tests.app.conftest import Person
from tests.app.test_application import problem
from tests.support.backends import Platform, wait_for


def event(name: str = "content.viewed", **more: object) -> dict[str, object]:
    return {"id": uuid4().hex, "name": name, "at": datetime.now(UTC).isoformat(), **more}


def send(person: Person, *events: dict[str, object]) -> httpx.Response:
    return person.client.post("/v1/events", json={"events": events})


def send_until_accepted(person: Person, *events: dict[str, object]) -> httpx.Response:
    """Send events and repeat the request while the pod is overloaded, as the mobile client does."""
    responses: list[httpx.Response] = []

    def taken() -> bool:
        responses.append(send(person, *events))
        return responses[-1].status_code != 503

    wait_for("capacity", taken)
    return responses[-1]


def own(person: Person) -> dict[str, Any]:
    return person.client.get("/v1/analytics/me").json()


def test_repeated_events_are_counted_once(ada: Person) -> None:
    batch = [event("content.viewed"), event("content.viewed"), event("app.opened")]
    assert send(ada, *batch).json() == {"accepted": 3, "known": 0}
    assert send(ada, *batch, event("content.liked")).json() == {"accepted": 1, "known": 3}
    assert send(ada, batch[0], batch[0]).json() == {"accepted": 0, "known": 2}
    summary = own(ada)
    assert summary["active_days"] == 1
    assert summary["events"] == [
        {"name": "app.opened", "count": 1},
        {"name": "content.liked", "count": 1},
        {"name": "content.viewed", "count": 2},
    ]


def test_concurrent_batches_are_all_stored(ada: Person) -> None:
    batches = [[event() for _ in range(10)] for _ in range(40)]
    with ThreadPoolExecutor(16) as clients:
        asking = [clients.submit(send_until_accepted, ada, *batch) for batch in batches + batches[:10]]
        responses = [each.result() for each in asking]
    assert {response.status_code for response in responses} == {202}
    assert sum(response.json()["accepted"] for response in responses) == 400
    assert sum(response.json()["known"] for response in responses) == 100
    assert own(ada)["events"] == [{"name": "content.viewed", "count": 400}]


def test_event_ids_are_scoped_to_the_account(ada: Person, eve: Person) -> None:
    same = event()
    assert send(ada, same).json()["accepted"] == 1
    assert send(eve, same).json()["accepted"] == 1


def test_wrong_client_clock_is_replaced_by_the_arrival_time(ada: Person) -> None:
    now = datetime.now(UTC)
    odd = [now - timedelta(days=400), now + timedelta(days=400)]
    assert send(ada, *(event(at=at.isoformat()) for at in odd)).json()["accepted"] == 2
    late = now - timedelta(days=3)
    assert send(ada, event(at=late.isoformat())).json()["accepted"] == 1
    assert own(ada)["active_days"] == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "made.up"},
        {"id": "short"},
        {"id": "$where:1:12345678"},
        {"at": "2026-11-25T00:00:00"},
        {"at": {"$gt": ""}},
        {"seconds": -1},
        {"extra": 1},
        {"screen": "x" * 81},
    ],
)
def test_invalid_event_rejects_the_whole_batch(ada: Person, wrong: dict[str, object]) -> None:
    problem(send(ada, event(), event() | wrong), 422, "invalid")
    assert own(ada)["events"] == []


def test_batches_are_bounded(ada: Person) -> None:
    problem(send(ada, *(event() for _ in range(101))), 422, "invalid")
    problem(send(ada), 422, "invalid")


def test_platform_summaries_require_the_analyst_role(ada: Person, analyst: Person) -> None:
    for path in ("audience", "summary", "revenue"):
        problem(ada.client.get(f"/v1/analytics/{path}"), 403, "forbidden")
        assert analyst.client.get(f"/v1/analytics/{path}").status_code == 200


@pytest.mark.slow
def test_summary_counts_events_of_all_accounts(ada: Person, eve: Person, analyst: Person) -> None:
    def shared() -> tuple[int, int]:
        response = analyst.client.get("/v1/analytics/summary", params={"days": 1}).json()
        (day,) = response["days"]
        found = [each for each in day["events"] if each["name"] == "notification.opened"]
        return (found[0]["count"], found[0]["accounts"]) if found else (0, 0)

    count, accounts = shared()
    send(ada, event("notification.opened"), event("notification.opened"))
    send(eve, event("notification.opened"))
    # Event counts of today are reloaded every ten seconds, numbers of active accounts every second.
    wait_for("the count of today", lambda: shared() == (count + 3, accounts + 2), seconds=60)


def test_every_request_makes_its_account_active(analyst: Person, ada: Person) -> None:
    def audience() -> dict[str, Any]:
        return analyst.client.get("/v1/analytics/audience").json()

    wait_for("two are active", lambda: audience()["day"] >= 2)
    found = audience()
    assert found["day"] <= found["week"] <= found["month"]
    assert 0 < found["stickiness"] <= 1


def test_worker_rolls_up_past_days(platform: Platform) -> None:
    with Redis(port=platform.redis.port) as redis:
        # The result of the recurring job, which is retained for an hour.
        result = "queue:{jobs}:result:every:add-up-days"
        wait_for("added up", lambda: redis.get(result) == b'{"days":8}')


def test_worker_exports_active_accounts(platform: Platform, ada: Person) -> None:
    def shown() -> bool:
        text = httpx.get(f"http://127.0.0.1:{platform.worker.port}/metrics").text
        return 'kingdom_active_accounts{window="month"}' in text

    wait_for("active accounts", shown, seconds=40)
    assert "kingdom_active_accounts{" not in httpx.get(f"{platform.url}/metrics").text


@pytest.mark.parametrize(
    "query",
    [
        {"days": "0"},
        {"days": "93"},
        {"days": "many"},
        {"last": "yesterday"},
        {"last": "null"},
        {"last": "2026-02-30"},
        {"last": {"$gt": ""}},
        {"first": "2026-11-01"},
    ],
)
def test_invalid_day_ranges_are_rejected(ada: Person, query: dict[str, str]) -> None:
    problem(ada.client.get("/v1/analytics/me", params=query), 422, "invalid")


def test_range_before_the_first_date_is_accepted(ada: Person) -> None:
    response = ada.client.get("/v1/analytics/me", params={"last": "0001-01-05", "days": 90})
    assert (response.json()["first"], response.json()["last"]) == ("0001-01-01", "0001-01-05")


def test_repeated_query_parameter_is_rejected(ada: Person) -> None:
    problem(ada.client.get("/v1/analytics/me?days=1&days=2"), 422, "invalid")
