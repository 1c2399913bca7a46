"""Server-sent events: complete, resumable, bounded, closed when the pod drains."""

from __future__ import annotations

import json
import signal
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx

from tests.app.conftest import Person
from tests.support.backends import Platform, Process, pod, wait_for


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
    with person.client.stream("GET", f"/v1/contents/{content_id}/events", headers=headers) as response:
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/event-stream"
        return list(parse(response.iter_lines()))


def test_events_contain_the_whole_text_and_the_final_state(ada: Person) -> None:
    content = ada.create("streamed as it is written")
    seen = events(ada, content["id"])
    assert seen[0][1] == "started"
    assert seen[-1][1] == "ready"
    text = "".join(data["text"] for _, name, data in seen if name == "text")
    assert text == seen[-1][2]["text"] == ada.finished(content["id"])["text"]


def test_disconnected_client_resumes_after_its_last_event(ada: Person) -> None:
    content = ada.create("cut off in the middle of it, and back again")
    whole = events(ada, content["id"])
    rest = events(ada, content["id"], after=whole[1][0])
    assert rest == whole[2:]
    over = ada.client.get(
        f"/v1/contents/{content['id']}/events", headers={"last-event-id": whole[-1][0] or "9999999999999-0"}
    )
    assert over.status_code == 204, "an EventSource does not reconnect"


def test_events_of_another_account_are_not_found(ada: Person, eve: Person) -> None:
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
        with httpx.stream("GET", url, headers=ada.client.headers, timeout=20) as response:
            lines = response.iter_lines()
            assert next(lines) == "retry: 1000"
            api.signal(signal.SIGTERM)
            assert not [line for line in lines if line.startswith("event: ready")]
        assert api.wait(15) == 0
    finally:
        api.kill()
        platform.worker.signal(signal.SIGCONT)
    ada.finished(content["id"])


def test_open_streams_per_account_are_limited(platform: Platform, ada: Person) -> None:
    platform.worker.signal(signal.SIGSTOP)
    try:
        content = ada.create("watched by many")
        path = f"/v1/contents/{content['id']}/events"
        with ExitStack() as open_streams:
            for _ in range(6):
                response = open_streams.enter_context(ada.client.stream("GET", path))
                assert response.status_code == 200
            refused = ada.client.get(path)
            assert refused.status_code == 429
            assert refused.headers["retry-after"] == "5"
        # Closed by the client, so the slots are free again.
        freed = threading.Event()
        for _ in range(200):
            with ada.client.stream("GET", path) as response:
                if response.status_code == 200:
                    freed.set()
                    break
        assert freed.is_set()
    finally:
        platform.worker.signal(signal.SIGCONT)
    ada.finished(content["id"])


STREAMS = 6  # of one account
RELEASE_SECONDS = 15  # less than the 25 s after which the slot of an undetected disconnect is freed
RESET = struct.pack("ii", 1, 0)  # SO_LINGER without a time: close sends RST instead of FIN


@contextmanager
def stopped(*processes: Process) -> Iterator[None]:
    """Stop processes with SIGSTOP, and continue them at the end."""
    for process in processes:
        process.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            process.signal(signal.SIGCONT)


def begin_stream(platform: Platform, person: Person, path: str, *, reset: bool) -> socket.socket:
    """A connection on which a stream was requested; closing it sends RST if ``reset``, else FIN."""
    connection = socket.create_connection(("127.0.0.1", platform.api.port), timeout=10)
    if reset:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    authorization = person.client.headers["authorization"]
    connection.sendall(
        f"GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: {authorization}\r\n\r\n".encode()
    )
    return connection


def places_are_free(person: Person, path: str) -> bool:
    """Return whether the maximum number of streams of an account can be opened at once."""
    with ExitStack() as streams:
        opened = [streams.enter_context(person.client.stream("GET", path)) for _ in range(STREAMS)]
        return [response.status_code for response in opened] == [200] * STREAMS


def test_a_stream_whose_client_leaves_during_setup_releases_its_place(
    platform: Platform, ada: Person
) -> None:
    with stopped(platform.worker):
        content = ada.create("left before it began")
        path = f"/v1/contents/{content['id']}/events"
        # The requests arrive while the pod does not run: it sets up streams whose clients have left.
        for reset in (False, True):
            with stopped(platform.api):
                for _ in range(STREAMS):
                    begin_stream(platform, ada, path, reset=reset).close()
            wait_for("the places are free", lambda: places_are_free(ada, path), RELEASE_SECONDS)
        # Resets at any moment of the set-up, which takes a few milliseconds.
        for number in range(3 * STREAMS):
            connection = begin_stream(platform, ada, path, reset=True)
            time.sleep(number * 0.0005)
            connection.close()
        wait_for("the places are free", lambda: places_are_free(ada, path), RELEASE_SECONDS)
    ada.finished(content["id"])
