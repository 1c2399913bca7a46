"""People who read and write all the time, and to whom every request that is not answered well is a loss."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from tests.support.client import Ledger, Reachable
from tests.support.projects import wait_for

_PAUSE_SECONDS = 0.02  # leaves the processors to what is being changed meanwhile
_READS_A_WRITE = 4
_MOST_PIECES = 10  # of one account; a free plan has 20 at a time


@dataclass
class Crowd:
    """What was answered well, and what was not."""

    ledger: Ledger = field(default_factory=Ledger)
    answered: int = 0
    lost: list[str] = field(default_factory=list)

    def visit(self, place: Reachable, enough: threading.Event) -> None:
        """One person, until it is enough. A new connection for every round: drains end old ones."""
        while not enough.is_set():
            with place.client() as client:
                self._round(client, enough)

    def _round(self, client: httpx.Client, enough: threading.Event) -> None:
        try:
            account = self.ledger.sign_up(client)
            for _ in range(_MOST_PIECES):
                piece = self.ledger.create(client, account)
                self.answered += 1
                for _ in range(_READS_A_WRITE):
                    self.ledger.read(client, account, piece)
                    self.answered += 1
                    time.sleep(_PAUSE_SECONDS)
                if enough.is_set():
                    return
        except httpx.HTTPStatusError as error:
            self.lost.append(f"{error.request.method} {error.response.status_code} {error.response.text}")
        except httpx.HTTPError as error:
            self.lost.append(f"{type(error).__name__}: {error}")

    def require_nothing_lost(self) -> None:
        assert not self.lost, f"{len(self.lost)} of {self.answered}: {self.lost[:5]}"


@contextmanager
def crowding(place: Reachable, people: int = 3) -> Iterator[Crowd]:
    """A crowd that is there before, during and after the block."""
    crowd, enough = Crowd(), threading.Event()
    threads = [threading.Thread(target=crowd.visit, args=(place, enough)) for _ in range(people)]
    for thread in threads:
        thread.start()
    try:
        wait_for("the crowd is served", lambda: crowd.answered >= 10 * people)
        yield crowd
        before = crowd.answered
        wait_for("the crowd is still served", lambda: crowd.answered >= before + 10 * people or crowd.lost)
    finally:
        enough.set()
        for thread in threads:
            thread.join()
