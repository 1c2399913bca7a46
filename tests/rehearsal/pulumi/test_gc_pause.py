"""The cyclic collector is off inside the block only."""

from __future__ import annotations

import gc

import pytest

from rehearsal.pulumi import gc_pause


def fail() -> None:
    assert not gc.isenabled()
    raise ValueError("stopped")


def test_collector_is_enabled_again_also_after_an_exception() -> None:
    assert gc.isenabled()
    with pytest.raises(ValueError, match="stopped"), gc_pause.off():
        fail()
    assert gc.isenabled()


def test_collector_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with gc_pause.off():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
