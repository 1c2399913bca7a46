"""The replay on real servers: what it repeats, counts and refuses."""

from __future__ import annotations

import pytest
import redis

from loadtest.redis_cost import replay
from loadtest.redis_cost.commands import Command
from loadtest.redis_cost.replay import ReplayError, cost, seconds_of, seconds_of_delivery, server
from tests.loadtest.redis_cost.test_commands import monitored


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "_MIN_CPU_SECONDS", 0.1)


def test_more_work_costs_more() -> None:
    small = [Command((b"GET", b"key%d" % number)) for number in range(400)]
    large = [Command((b"EVAL", b"for i = 1, 3000 do redis.call('GET', KEYS[1]) end", b"1", b"key"))] * 40
    assert 0 < seconds_of(small) < seconds_of(large)


def test_empty_recording_costs_nothing() -> None:
    assert (seconds_of([]), seconds_of_delivery([])) == (0.0, 0.0)


def test_commands_that_fail_are_refused() -> None:
    unknown = [Command((b"EVALSHA", b"0" * 40, b"0"))] * 50
    with pytest.raises(ReplayError, match="repeated commands failed: the recording is of another version"):
        seconds_of(unknown)


def test_delivery_to_a_subscriber_costs() -> None:
    assert seconds_of_delivery([Command((b"PUBLISH", b"cache:{a}:backplane", b"x"))] * 100) > 0


def test_server_has_the_scripts_of_the_service() -> None:
    with server() as own, redis.Redis(port=own.port) as client:
        client.script_flush()
        loaded = [client.script_load(text) for text in replay._scripts()]
        assert len(set(loaded)) >= 10


def test_uses_are_measured_separately() -> None:
    line = monitored(b"INCR", b"queue:{jobs}:n") * 200 + monitored(b"INCR", b"{limits}:n") * 100
    message = monitored(b"PUBLISH", b"cache:{responses}:backplane", b"x", source=b"lua")
    found = cost(line + message * 3, monitored(b"PING") * 50)
    assert found["commands"] == {"shared": 0, "limits": 100, "queue": 200}
    assert (found["messages"], found["seconds"]["shared"], found["idle"]["queue"]) == (3, 0.0, 0.0)
    assert min(found["seconds"]["limits"], found["seconds"]["queue"], found["idle"]["shared"]) > 0
