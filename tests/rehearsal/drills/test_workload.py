"""Outcomes of requests, by the rules of histories."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from rehearsal.drills import workload
from rehearsal.drills.history import Completion, History
from rehearsal.drills.workload import Client, DrillTarget


@dataclass(frozen=True)
class FixedTarget(DrillTarget):
    """Every request gets the same response, or raises the same error."""

    response: httpx.Response | Exception

    def client(self) -> httpx.Client:
        def respond(request: httpx.Request) -> httpx.Response:
            if isinstance(self.response, Exception):
                raise self.response
            return self.response

        return httpx.Client(base_url=self.url, transport=httpx.MockTransport(respond))


@pytest.mark.parametrize(
    ("response", "outcome"),
    [
        (httpx.Response(201, json={"id": "1"}), Completion.OK),
        (httpx.Response(404), Completion.FAIL),
        (httpx.Response(409, json={"type": "conflict"}), Completion.FAIL),
        (httpx.Response(409, json={"type": "in-progress"}), Completion.INFO),
        (httpx.Response(503), Completion.INFO),
        (httpx.ConnectError("refused"), Completion.FAIL),
        (httpx.ReadTimeout("slow"), Completion.INFO),
        (httpx.RemoteProtocolError("cut"), Completion.INFO),
    ],
)
def test_a_response_decides_the_outcome(
    response: httpx.Response | Exception, outcome: Completion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workload, "_RETRY_SECONDS", 0.0)
    history = History()
    target = FixedTarget("https://double", Path(), response)
    client = Client(0, target, history, random.Random(1), 0.0)
    client.create()
    assert {operation.outcome for operation in history} == {outcome}
    assert len(history) == (4 if outcome is Completion.INFO else 1)
    assert len({operation.value for operation in history}) == 1


def test_a_repeated_drill_signs_up_other_accounts() -> None:
    target = FixedTarget("https://double", Path(), httpx.Response(503))
    clients = [Client(0, target, History(), random.Random(1), 0.0) for _ in range(2)]
    for client in clients:
        client.sign_up()
    assert clients[0].email != clients[1].email
