"""The dispatcher against an HTTP server: open arrivals, the cap, and the classes of errors."""

from __future__ import annotations

import gc
import json
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent.pywsgi import WSGIServer
from gevent.server import StreamServer
from locust.env import Environment
from locust.exception import StopUser

from loadtest.generator import dispatcher as module
from loadtest.generator.accounts import Account
from loadtest.generator.dispatcher import Plan, ScheduledUser, tls_of
from loadtest.generator.recorder import DROPPED
from rehearsal.host.envoy.certificate_authority import Authority
from rehearsal.scenarios.rate_curve import RateCurve

pytestmark = pytest.mark.slow

FEED = "GET /v1/feed"
SEED = 3


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """Undo the exemption of all objects from garbage collection, which would affect later tests."""
    yield
    gc.unfreeze()


class Server:
    """An HTTP server with one response, sent after ``delay`` seconds."""

    def __init__(self) -> None:
        self.delay = 0.0
        self.status = "200 OK"
        self.body = b'{"items": []}'
        self.requests: list[tuple[str, str, bytes]] = []
        self.at_once = self.max_at_once = 0
        self._server = WSGIServer(("127.0.0.1", 0), self._respond, log=None)
        self._server.start()
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def _respond(self, environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        path = f"{environ['PATH_INFO']}?{environ['QUERY_STRING']}".removesuffix("?")
        self.requests.append((environ["REQUEST_METHOD"], path, environ["wsgi.input"].read()))
        self.at_once += 1
        self.max_at_once = max(self.max_at_once, self.at_once)
        gevent.sleep(self.delay)
        self.at_once -= 1
        start(self.status, [("Content-Type", "application/json")])
        return [self.body]

    def close(self) -> None:
        self._server.stop(timeout=0)


@pytest.fixture
def server() -> Iterator[Server]:
    with closing(Server()) as found:
        yield found


def plan(rate: float, seconds: float = 0.5, **changes: Any) -> Plan:
    account = Account("ada@example.com", "a", "t", ["r"], ["c"], [{"id": "f"}])
    curve = RateCurve(((0.0, rate), (seconds, rate)))
    given: dict[str, Any] = {"accounts": 1, "seed": SEED, "prepared": [account], **changes}
    return Plan(curve, {FEED: 1.0}, **given)


@contextmanager
def user(address: str, given: Plan, **attributes: Any) -> Iterator[ScheduledUser]:
    """A user of this plan; its connections are closed afterwards."""
    kind = type(
        "Dispatcher", (ScheduledUser,), {"plan": given, "abstract": False, "host": address, **attributes}
    )
    found: ScheduledUser = kind(Environment(user_classes=[kind], host=address))
    with closing(found.client.client):
        yield found


def dispatch(address: str, given: Plan, **attributes: Any) -> Plan:
    """Dispatch the whole schedule of a plan."""
    with user(address, given, **attributes) as dispatcher, pytest.raises(StopUser):
        dispatcher.dispatch()
    return given


def errors(given: Plan) -> dict[str, int]:
    return dict(given.recorder.window(0, 60).errors)


def test_slow_responses_do_not_delay_later_requests(server: Server) -> None:
    server.delay = 0.4
    finished: list[str] = []
    done = dispatch(server.address, plan(60, finished=lambda: finished.append("finished")))
    found = done.recorder.window(0, 2)
    # 60 requests/s for 0.5 s, at random times.
    assert 15 <= found.arrivals <= 45
    assert found.good == found.arrivals == len(server.requests)
    # A closed loop would send one request at a time.
    assert server.max_at_once > 10
    assert 0.4 <= found.p50 < 0.7
    assert finished == ["finished"]
    assert (done.recorder.in_flight, done.began is not None) == (0, True)
    assert set(server.requests) == {("GET", "/v1/feed?limit=20", b"")}


def test_arrivals_beyond_the_cap_are_dropped_and_counted(server: Server) -> None:
    server.delay = 5.0
    given = plan(100, max_in_flight=3)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "_DRAIN_SECONDS", 0.05)
        dispatch(server.address, given)
    total = given.recorder.window(0, 60)
    assert server.max_at_once == 3
    # Requests that have not ended when the wait for the last ones is over are cancelled.
    assert total.errors == {"cancelled": 3, DROPPED: total.arrivals - 3}
    assert given.recorder.in_flight == 0


def test_processes_of_one_run_send_different_shares(server: Server) -> None:
    counts = [
        dispatch(server.address, plan(160, share=0.5, index=index)).recorder.window(0, 2).arrivals
        for index in (0, 0, 1)
    ]
    # Half of 80 arrivals, each process with its own and reproducible times.
    assert counts[0] == counts[1] != counts[2]
    assert all(20 <= count <= 60 for count in counts)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        ("503 Service Unavailable", b"{}", "HTTP 503"),
        ("404 Not Found", b"{}", "HTTP 404"),
        ("200 OK", b"<html>", "body: JSONDecodeError"),
        ("200 OK", b'{"other": 1}', "body: KeyError"),
    ],
)
def test_unexpected_status_or_body_is_an_error_of_its_class(
    server: Server, status: str, body: bytes, error: str
) -> None:
    server.status, server.body = status, body
    given = dispatch(server.address, plan(60, 0.2))
    count = given.recorder.window(0, 2).arrivals
    assert count
    assert errors(given) == {error: count}


def test_missing_response_is_classified_by_its_cause(server: Server) -> None:
    server.delay = 5.0
    slow = dispatch(server.address, plan(60, 0.1), network_timeout=0.1)
    assert set(errors(slow)) == {"timeout"}
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    refused = dispatch(f"http://127.0.0.1:{port}", plan(60, 0.1))
    assert set(errors(refused)) == {"connection refused"}

    def hang_up(connection: socket.socket, address: Any) -> None:
        connection.recv(100)
        connection.close()

    hanging_up = StreamServer(("127.0.0.1", 0), hang_up)
    hanging_up.start()
    try:
        lost = dispatch(f"http://127.0.0.1:{hanging_up.server_port}", plan(60, 0.1))
    finally:
        hanging_up.stop(timeout=0)
    assert set(errors(lost)) == {"connection lost"}


def test_response_updates_the_account_that_sent_the_request(server: Server) -> None:
    server.body = json.dumps({"items": [{"id": "new"}]}).encode()
    given = dispatch(server.address, plan(60, 0.2))
    assert given.prepared[0].feed == [{"id": "new"}]


def test_accounts_are_prepared_once_and_reported_before_the_schedule(server: Server) -> None:
    calls: list[str] = []

    def prepare(send: Any, count: int, *rest: Any, **options: Any) -> list[Account]:
        server.status, server.body = "201 Created", b'{"id": "x"}'
        calls.append(f"prepare {count} {send('POST', '/v1/contents', json={'prompt': 'a fox'})}")
        return plan(1).prepared

    given = plan(1, prepared=[], accounts=5, ready=lambda: calls.append("ready"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "prepare", prepare)
        for _ in range(2):
            with user(server.address, given) as found:
                found.on_start()
    assert calls == ["prepare 5 (201, {'id': 'x'})", "ready", "ready"]
    assert server.requests == [("POST", "/v1/contents", b'{"prompt": "a fox"}')]
    # Preparations are not measured.
    assert given.recorder.endpoints == []


def test_preparation_gets_the_text_of_other_bodies_and_the_error_of_no_response(server: Server) -> None:
    server.status, server.body = "502 Bad Gateway", b"upstream connect error"
    with user(server.address, plan(1)) as found:
        assert found._send_plain("GET", "/v1/feed") == (502, b"upstream connect error")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with user(f"http://127.0.0.1:{port}", plan(1)) as found:
        status, error = found._send_plain("GET", "/v1/feed")
    assert status == 0
    assert isinstance(error, ConnectionRefusedError)


def test_only_the_authority_of_the_platform_is_trusted(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    context = tls_of(str(authority.certificate))()
    assert len(context.get_ca_certs()) == 1
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
