"""Interruption by Ctrl-C and SIGTERM: as an exception, as an event, or deferred during a cleanup."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
# A signal that arrives just before a wait blocks is handled only when the wait ends.
_WAIT_SECONDS: Final = 0.5


@contextmanager
def terminable() -> Iterator[None]:
    """Raise KeyboardInterrupt on SIGTERM too: a job that a runner cancels must clean up as well.

    Has no effect outside of the main thread.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    with _handled({signal.SIGTERM: interrupt}):
        yield


@contextmanager
def deferred() -> Iterator[None]:
    """Raise KeyboardInterrupt at the end of the block instead of within it.

    For cleanup: a second Ctrl-C must not leave half of it. Has no effect outside of the main thread.
    """
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)

    with _handled(dict.fromkeys(_SIGNALS, note)):
        yield
    if received:
        raise KeyboardInterrupt


@contextmanager
def stopping(stop: threading.Event) -> Iterator[None]:
    """Set `stop` on SIGINT and SIGTERM. Has no effect outside of the main thread."""

    def handle(number: int, frame: FrameType | None) -> None:
        # In a thread, because the interrupted main thread may hold the lock of the event.
        threading.Thread(target=stop.set, daemon=True).start()

    with _handled(dict.fromkeys(_SIGNALS, handle)):
        yield


def wait(stop: threading.Event) -> None:
    """Block until `stop` is set, and handle every signal within half a second."""
    while not stop.wait(_WAIT_SECONDS):
        pass


@contextmanager
def _handled(handlers: dict[signal.Signals, Any]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
