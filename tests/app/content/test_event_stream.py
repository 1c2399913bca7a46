"""Server-sent events: complete, resumable, bounded, and gone with the pod."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest
from redis.asyncio import Redis

from app.content.progress import FIRST, Progress, position
from app.http.problems import Problem
from tests.app.conftest import Person
from tests.support.backends import Platform, pod, until


def parse(lines: Iterator[str]) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Id, name and data of each event."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.strip()
        elif "event" in fields:
            yield fields.get("id", ""), fields["event"], json.loads(fields["data"])
            fields = {}


def events(
    person: Person, content_id: str, after: str | None = None
) -> list[tuple[str, str, dict[str, str]]]:
    headers = {"last-event-id": after} if after else {}
    with person.client.stream("GET", f"/v1/contents/{content_id}/events", headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/event-stream"
        return list(parse(answer.iter_lines()))


def test_the_events_tell_the_whole_text_and_the_end(ada: Person) -> None:
    content = ada.create("told as it is written")
    seen = events(ada, content["id"])
    assert seen[0][1] == "started"
    assert seen[-1][1] == "ready"
    text = "".join(data["text"] for _, name, data in seen if name == "text")
    assert text == seen[-1][2]["text"] == ada.finished(content["id"])["text"]


def test_a_client_goes_on_where_it_was_cut_off(ada: Person) -> None:
    content = ada.create("cut off in the middle of it, and back again")
    whole = events(ada, content["id"])
    rest = events(ada, content["id"], after=whole[1][0])
    assert rest == whole[2:]
    over = ada.client.get(
        f"/v1/contents/{content['id']}/events", headers={"last-event-id": whole[-1][0] or "9999999999999-0"}
    )
    assert over.status_code == 204, "an EventSource stops asking"


def test_another_persons_events_are_not_there(ada: Person, eve: Person) -> None:
    content = ada.create("mine")
    assert eve.client.get(f"/v1/contents/{content['id']}/events").status_code == 404


def test_streams_end_when_their_pod_drains(platform: Platform, ada: Person) -> None:
    api = pod("api", platform.folder, platform.settings)
    api.start()
    platform.worker.signal(signal.SIGSTOP)  # nothing is finished meanwhile
    try:
        platform.wait_until_ready(api)
        content = ada.create("still waiting")
        url = f"http://127.0.0.1:{api.port}/v1/contents/{content['id']}/events"
        with httpx.stream("GET", url, headers=ada.client.headers, timeout=20) as answer:
            lines = answer.iter_lines()
            assert next(lines) == "retry: 1000"
            api.signal(signal.SIGTERM)
            assert not [line for line in lines if line.startswith("event: ready")]
        assert api.wait(15) == 0
    finally:
        api.kill()
        platform.worker.signal(signal.SIGCONT)
    ada.finished(content["id"])


def test_one_account_has_a_few_streams_at_a_time(platform: Platform, ada: Person) -> None:
    platform.worker.signal(signal.SIGSTOP)
    try:
        content = ada.create("watched by many")
        path = f"/v1/contents/{content['id']}/events"
        with ExitStack() as open_streams:
            for _ in range(6):
                answer = open_streams.enter_context(ada.client.stream("GET", path))
                assert answer.status_code == 200
            refused = ada.client.get(path)
            assert refused.status_code == 429
            assert refused.headers["retry-after"] == "5"
        # Closed by the client: the places are free again.
        freed = threading.Event()
        for _ in range(200):
            with ada.client.stream("GET", path) as answer:
                if answer.status_code == 200:
                    freed.set()
                    break
        assert freed.is_set()
    finally:
        platform.worker.signal(signal.SIGCONT)
    ada.finished(content["id"])


@pytest.mark.parametrize("said", [None, "", "x", "1", "-1-0", "+", "$", "1-0 ", "9" * 30 + "-0", "0-0\n"])
def test_a_place_that_was_never_told_is_the_beginning(said: str | None) -> None:
    assert position(said) == FIRST


@pytest.mark.anyio
async def test_a_bell_rings_in_every_pod_and_after_an_outage(redis: Redis) -> None:
    here, there = Progress(redis), Progress(redis)
    running = [asyncio.create_task(each.run()) for each in (here, there)]
    try:
        with there.subscribe("ada", "content") as bell:

            async def heard() -> bool:
                await here.publish("content", "text", b"{}")
                return bell.is_set()

            await until(heard)
            first, *_ = await there.read("content", FIRST)
            assert (first.name, first.data) == ("text", b"{}")
        assert there.subscribers == 0
        there.close()
        with pytest.raises(Problem), there.subscribe("ada", "content"):
            raise AssertionError("a draining pod takes nobody in")
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
