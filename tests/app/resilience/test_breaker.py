from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.resilience import Breaker, BreakerOpen
from app.resilience.breaker import BreakerConfig, BreakerState

pytestmark = pytest.mark.anyio


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def well() -> str:
    return "well"


async def badly() -> str:
    raise OSError("badly")


async def ask(breaker: Breaker, fails: bool) -> str:
    try:
        return await breaker.call(badly if fails else well)
    except BreakerOpen:
        return "refused"
    except OSError:
        return "failed"


def small(clock: Clock) -> Breaker:
    limits = BreakerConfig(window=10, minimum=4, failure_ratio=0.5, slow_seconds=1.0, probes=2, open_max=8.0)
    return Breaker("test", limits, clock=clock)


async def test_it_opens_when_half_fail_but_not_on_too_few_calls() -> None:
    breaker = small(Clock())
    assert [await ask(breaker, True) for _ in range(3)] == ["failed"] * 3
    assert breaker.state is BreakerState.CLOSED
    await ask(breaker, False)
    assert breaker.state is BreakerState.OPEN
    assert await ask(breaker, False) == "refused"


async def test_probes_that_do_well_close_it() -> None:
    clock = Clock()
    breaker = small(clock)
    for _ in range(4):
        await ask(breaker, True)
    clock.now += 1.3
    assert [await ask(breaker, False) for _ in range(2)] == ["well"] * 2
    assert breaker.state is BreakerState.CLOSED


async def test_breaks_grow_up_to_the_longest() -> None:
    clock = Clock()
    breaker = small(clock)
    lengths: list[float] = []
    for _ in range(6):
        while breaker.state is not BreakerState.OPEN:
            await ask(breaker, True)
        lengths.append(breaker._open_until - clock.now)
        clock.now = breaker._open_until
        assert await ask(breaker, True) == "failed"
    for length, nominal in zip(lengths, [1, 2, 4, 8, 8, 8], strict=True):
        assert 0.8 * nominal <= length <= 1.2 * nominal


async def test_slow_calls_open_it_too() -> None:
    clock = Clock()
    breaker = small(clock)

    async def slowly() -> None:
        clock.now += 2.0

    for _ in range(4):
        await breaker.call(slowly)
    assert breaker.state is BreakerState.OPEN


async def test_a_cancelled_call_is_no_failure() -> None:
    breaker = small(Clock())
    for _ in range(10):
        call = asyncio.create_task(breaker.call(asyncio.Event().wait))
        await asyncio.sleep(0)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
    assert breaker.state is BreakerState.CLOSED


async def test_no_more_probes_than_allowed_at_once() -> None:
    clock = Clock()
    breaker = small(clock)
    for _ in range(4):
        await ask(breaker, True)
    clock.now += 1.3
    gate = asyncio.Event()
    probes = [asyncio.create_task(breaker.call(gate.wait)) for _ in range(2)]
    await asyncio.sleep(0)
    assert await ask(breaker, False) == "refused"
    gate.set()
    await asyncio.gather(*probes)
    assert breaker.state is BreakerState.CLOSED


async def test_a_call_that_was_given_up_after_it_was_slow_counts_as_slow() -> None:
    clock = Clock()
    breaker = small(clock)
    for _ in range(4):
        call = asyncio.create_task(breaker.call(asyncio.Event().wait))
        await asyncio.sleep(0)
        clock.now += 2.0
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
    assert breaker.state is BreakerState.OPEN


async def test_a_probe_of_an_earlier_trial_counts_in_no_later_one() -> None:
    clock = Clock()
    breaker = small(clock)
    for _ in range(4):
        await ask(breaker, True)
    clock.now += 2.0
    late = asyncio.Event()
    forgotten = asyncio.create_task(breaker.call(late.wait))
    await asyncio.sleep(0)
    await ask(breaker, True)  # the other probe fails: open again
    clock.now += 10.0
    gate = asyncio.Event()
    probes = [asyncio.create_task(breaker.call(gate.wait)) for _ in range(2)]
    await asyncio.sleep(0)
    late.set()
    await forgotten
    assert breaker.state is BreakerState.HALF_OPEN, "its good end says nothing of now"
    assert await ask(breaker, False) == "refused", "and makes no room for a third"
    gate.set()
    await asyncio.gather(*probes)
    assert breaker.state is BreakerState.CLOSED


async def test_an_answer_that_is_no_failure_keeps_it_closed() -> None:
    breaker = Breaker("test", BreakerConfig(window=10, minimum=4), failures=(OSError,), clock=Clock())

    async def refuses() -> None:
        raise LookupError

    for _ in range(20):
        with pytest.raises(LookupError):
            await breaker.call(refuses)
    assert breaker.state is BreakerState.CLOSED


@given(st.lists(st.booleans(), max_size=60))
def test_while_closed_it_counts_as_a_plain_window_does(outcomes: list[bool]) -> None:
    """Against a model: a list of the last ten outcomes, looked through after every call."""

    async def compare() -> None:
        breaker = small(Clock())
        window: list[bool] = []
        for fails in outcomes:
            answer = await ask(breaker, fails)
            assert answer == ("failed" if fails else "well")
            window = [*window, fails][-10:]
            opens = len(window) >= 4 and sum(window) >= 0.5 * len(window)
            assert (breaker.state is BreakerState.OPEN) == opens
            if opens:
                return

    asyncio.run(compare())
