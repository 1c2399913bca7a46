"""SIGINT and SIGTERM: raised as KeyboardInterrupt, or deferred to the end of a cleanup."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from rehearsal.interrupts import deferred, stopping, terminable, wait


def test_sigterm_raises_keyboard_interrupt_and_its_handler_is_restored() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), terminable():
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_deferred_signal_is_raised_when_the_block_has_ended(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    done: list[str] = []

    def clean_up() -> None:
        with deferred():
            os.kill(os.getpid(), number)
            os.kill(os.getpid(), number)
            done.append("all of it")

    with pytest.raises(KeyboardInterrupt):
        clean_up()
    assert done == ["all of it"]
    assert signal.getsignal(number) is before


def test_an_error_of_the_block_is_not_replaced_by_a_deferred_signal() -> None:
    def clean_up() -> None:
        with deferred():
            os.kill(os.getpid(), signal.SIGINT)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        clean_up()


def test_without_a_signal_nothing_is_raised() -> None:
    with deferred(), terminable():
        pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_wait_for_an_event(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    stop = threading.Event()
    with stopping(stop):
        os.kill(os.getpid(), number)
        wait(stop)
    assert signal.getsignal(number) is before


def test_a_signal_while_the_event_is_locked_does_not_block() -> None:
    stop = threading.Event()
    with stopping(stop):
        with vars(stop)["_cond"]:  # as when the signal interrupts the main thread within `wait`
            os.kill(os.getpid(), signal.SIGTERM)
        wait(stop)


class LateEvent(threading.Event):
    """An event that is set only after the first wait ended without it, as if its signal came too early."""

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None, "a lost signal would block forever"
        if not super().wait(0):
            self.set()
            return False
        return True


def test_a_signal_just_before_the_wait_blocks_is_not_lost() -> None:
    stop = LateEvent()
    wait(stop)
    assert stop.is_set()


def test_other_threads_have_no_effect_on_signals() -> None:
    before = signal.getsignal(signal.SIGINT)
    seen: list[object] = []

    def work() -> None:
        with deferred(), terminable():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]
