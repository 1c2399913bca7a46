"""Delivery of alerts of one machine to a webhook, signed with HMAC-SHA256, in a separate thread."""

from __future__ import annotations

import hashlib
import hmac
import json
import queue
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from rehearsal.errors import InputError
from rehearsal.monitoring.alerts import Alert

if TYPE_CHECKING:
    import httpx

URL: Final = "KINGDOM_WEBHOOK_URL"
SECRET: Final = "KINGDOM_WEBHOOK_SECRET"  # noqa: S105 (the name of a variable)
SIGNATURE: Final = "x-kingdom-signature"
TIMESTAMP: Final = "x-kingdom-timestamp"
_ATTEMPTS: Final = 3
_TIMEOUT_SECONDS: Final = 5.0
_MIN_SECRET: Final = 16
# A day without the receiver, at an alert every fifteen minutes.
_MAX_WAITING: Final = 100


class Webhook:
    """Posts each alert as JSON. The signature covers the timestamp and the body, so it cannot be replayed."""

    def __init__(self, url: str, secret: str, transport: httpx.BaseTransport | None = None) -> None:
        import httpx  # 5 MB, which a recorder without a webhook does not need

        self._url = url
        self._secret = secret.encode()
        self._client = httpx.Client(timeout=_TIMEOUT_SECONDS, transport=transport)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Webhook | None:
        """Return the configured webhook, None without one. Raises InputError if a variable is missing."""
        url, secret = environment.get(URL, ""), environment.get(SECRET, "")
        if not url and not secret:
            return None
        if not url.startswith(("http://", "https://")) or len(secret) < _MIN_SECRET:
            raise InputError(
                f"{URL} must be an http or https address and {SECRET} at least {_MIN_SECRET} characters",
                remedy="Set both, or neither for no webhook.",
            )
        return cls(url, secret)

    def send(self, stack: str, alert: Alert) -> str:
        """Send an alert; return "" if it was received, else the problem. Server errors are retried."""
        import httpx

        payload: dict[str, Any] = {
            "stack": stack,
            "status": "firing" if alert.recovered is None else "resolved",
            # The same for the alert and its recovery: receivers drop duplicates by it.
            "id": hashlib.sha256("/".join((stack, *alert.key, f"{alert.since:.3f}")).encode()).hexdigest()[
                :16
            ],
            **alert.to_json(),
        }
        body = json.dumps(payload, sort_keys=True).encode()
        problem = ""
        for _ in range(_ATTEMPTS):
            timestamp = f"{time.time():.0f}"
            headers = {
                "content-type": "application/json",
                TIMESTAMP: timestamp,
                SIGNATURE: signature(self._secret, timestamp, body),
            }
            try:
                response = self._client.post(self._url, content=body, headers=headers)
            except httpx.HTTPError as error:
                problem = f"the webhook {self._url} is unavailable: {error!r}"
                continue
            if response.is_success:
                return ""
            problem = f"the webhook {self._url} returned status {response.status_code}"
            if response.status_code < 500:
                break
        return problem

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


class Notifications:
    """Sends alerts in order in a separate thread, so that a receiver that hangs delays no scrape.

    `send` returns "" when an alert was received, else the problem. `report` is called with the alert and the
    problem, from the thread of `add` when `max_waiting` alerts wait and this one is dropped.
    """

    def __init__(
        self,
        send: Callable[[Alert], str],
        report: Callable[[Alert, str], None],
        max_waiting: int = _MAX_WAITING,
    ) -> None:
        self._send = send
        self._report = report
        self._waiting: queue.Queue[Alert | None] = queue.Queue(max_waiting)
        self._thread = threading.Thread(target=self._run, name="notifications", daemon=True)
        self._thread.start()

    def add(self, alert: Alert) -> None:
        """Queue an alert; returns at once."""
        try:
            self._waiting.put_nowait(alert)
        except queue.Full:
            self._report(alert, f"dropped: {self._waiting.maxsize} notifications wait for the webhook")

    def close(self, seconds: float = _ATTEMPTS * _TIMEOUT_SECONDS) -> None:
        """Send the pending alerts for up to `seconds`; drop the rest."""
        ends = time.monotonic() + seconds
        with suppress(queue.Full):
            self._waiting.put(None, timeout=seconds)
        self._thread.join(max(0.0, ends - time.monotonic()))

    def _run(self) -> None:
        while (alert := self._waiting.get()) is not None:
            if problem := self._send(alert):
                self._report(alert, problem)


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """Return ``sha256=`` and the HMAC of the timestamp, a full stop and the body."""
    return "sha256=" + hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
