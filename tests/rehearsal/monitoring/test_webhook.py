"""The webhook: signature, retries, and refusal of an incomplete configuration."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from dataclasses import replace

import httpx
import pytest

from rehearsal.errors import InputError
from rehearsal.monitoring.alerts import Alert
from rehearsal.monitoring.webhook import SIGNATURE, TIMESTAMP, Notifications, Webhook

SECRET_TEXT = "0123456789abcdef"
ALERT = Alert("errors", "Errors", "", "warning", 7.0, 5.0, "%", 100.0)


class Receiver:
    def __init__(self, *statuses: int) -> None:
        self.requests: list[httpx.Request] = []
        self._statuses = list(statuses)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(self._statuses.pop(0))


def webhook(receiver: Receiver) -> Webhook:
    return Webhook("http://receiver/", SECRET_TEXT, httpx.MockTransport(receiver))


def test_the_signature_covers_time_and_body() -> None:
    receiver = Receiver(204)
    assert webhook(receiver).send("local", ALERT) == ""
    (request,) = receiver.requests
    signed = request.headers[TIMESTAMP].encode() + b"." + request.content
    expected = hmac.new(SECRET_TEXT.encode(), signed, hashlib.sha256).hexdigest()
    assert request.headers[SIGNATURE] == f"sha256={expected}"
    assert json.loads(request.content)["status"] == "firing"


def test_an_alert_and_its_recovery_have_one_id() -> None:
    receiver = Receiver(200, 200)
    hook = webhook(receiver)
    hook.send("local", ALERT)
    hook.send("local", replace(ALERT, value=1.0, recovered=900.0))
    first, second = (json.loads(request.content) for request in receiver.requests)
    assert first["id"] == second["id"]
    assert second["status"] == "resolved"


def test_a_server_error_is_tried_again_and_a_refusal_is_not() -> None:
    receiver = Receiver(503, 200)
    assert webhook(receiver).send("local", ALERT) == ""
    receiver = Receiver(401)
    assert "returned status 401" in webhook(receiver).send("local", ALERT)
    assert len(receiver.requests) == 1


def test_webhook_needs_an_address_and_a_secret() -> None:
    assert Webhook.from_environment({}) is None
    found = Webhook.from_environment(
        {"KINGDOM_WEBHOOK_URL": "http://receiver/", "KINGDOM_WEBHOOK_SECRET": SECRET_TEXT}
    )
    assert found is not None
    found.close()
    for wrong in ({"KINGDOM_WEBHOOK_URL": "http://receiver/"}, {"KINGDOM_WEBHOOK_SECRET": SECRET_TEXT}):
        with pytest.raises(InputError, match="at least 16 characters"):
            Webhook.from_environment(wrong)


def test_alerts_are_sent_in_their_order_while_others_are_added() -> None:
    received: list[float] = []
    sending, release = threading.Event(), threading.Event()

    def send(alert: Alert) -> str:
        sending.set()
        release.wait(10)
        received.append(alert.value)
        return "refused" if alert.value == 2 else ""

    problems: list[tuple[float, str]] = []
    notifications = Notifications(send, lambda alert, problem: problems.append((alert.value, problem)), 2)
    notifications.add(replace(ALERT, value=1.0))
    assert sending.wait(10)
    for value in (2.0, 3.0, 4.0):
        notifications.add(replace(ALERT, value=value))
    assert received == []
    assert problems == [(4.0, "dropped: 2 notifications wait for the webhook")]
    release.set()
    notifications.close()
    assert received == [1.0, 2.0, 3.0]
    assert problems[1:] == [(2.0, "refused")]


def test_closing_does_not_wait_for_a_receiver_that_hangs() -> None:
    release = threading.Event()
    notifications = Notifications(lambda alert: str(release.wait(10)), lambda alert, problem: None)
    notifications.add(ALERT)
    notifications.close(0.05)
    assert not release.is_set()
    release.set()
