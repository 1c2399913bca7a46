"""Clients that read and write continuously; a request without a successful response counts as lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from tests.support.client import Ledger, Reachable
from tests.support.projects import wait_for

_PAUSE_SECONDS = 0.02  # leaves CPU time to the operation under test
_READS_A_WRITE = 4
_MAX_PIECES = 10  # per account; the free plan allows 20 concurrent generations


@dataclass
class Traffic:
    """The number of successful requests, and the lost ones."""

    ledger: Ledger = field(default_factory=Ledger)
    served: int = 0
    lost: list[str] = field(default_factory=list)

    def visit(self, target: Reachable, enough: threading.Event) -> None:
        """Simulate one user until the event is set, with a new connection per round."""
        while not enough.is_set():
            with target.client() as client:
                self._round(client, enough)

    def _round(self, client: httpx.Client, enough: threading.Event) -> None:
        try:
            account = self.ledger.sign_up(client)
            for _ in range(_MAX_PIECES):
                piece = self.ledger.create(client, account)
                self.served += 1
                for _ in range(_READS_A_WRITE):
                    self.ledger.read(client, account, piece)
                    self.served += 1
                    time.sleep(_PAUSE_SECONDS)
                if enough.is_set():
                    return
        except httpx.HTTPStatusError as error:
            self.lost.append(f"{error.request.method} {error.response.status_code} {error.response.text}")
        except httpx.HTTPError as error:
            self.lost.append(f"{type(error).__name__}: {error}")

    def require_nothing_lost(self) -> None:
        assert not self.lost, f"{len(self.lost)} of {self.served}: {self.lost[:5]}"


@contextmanager
def running_traffic(target: Reachable, clients: int = 3) -> Iterator[Traffic]:
    """Run traffic before, during and after the block."""
    traffic, enough = Traffic(), threading.Event()
    threads = [threading.Thread(target=traffic.visit, args=(target, enough)) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        wait_for("the traffic is served", lambda: traffic.served >= 10 * clients)
        yield traffic
        before = traffic.served
        wait_for(
            "the traffic is still served", lambda: traffic.served >= before + 10 * clients or traffic.lost
        )
    finally:
        enough.set()
        for thread in threads:
            thread.join()
