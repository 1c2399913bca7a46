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


async def test_breaker_opens_at_the_failure_ratio_and_not_below_the_minimum() -> None:
    breaker = small(Clock())
    assert [await ask(breaker, True) for _ in range(3)] == ["failed"] * 3
    assert breaker.state is BreakerState.CLOSED
    await ask(breaker, False)
    assert breaker.state is BreakerState.OPEN
    assert await ask(breaker, False) == "refused"


async def test_successful_probes_close_the_breaker() -> None:
    clock = Clock()
    breaker = small(clock)
    for _ in range(4):
        await ask(breaker, True)
    clock.now += 1.3
    assert [await ask(breaker, False) for _ in range(2)] == ["well"] * 2
    assert breaker.state is BreakerState.CLOSED


async def test_open_duration_doubles_up_to_its_maximum() -> None:
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


async def test_slow_calls_open_the_breaker() -> None:
    clock = Clock()
    breaker = small(clock)

    async def slowly() -> None:
        clock.now += 2.0

    for _ in range(4):
        await breaker.call(slowly)
    assert breaker.state is BreakerState.OPEN


async def test_cancelled_call_is_not_a_failure() -> None:
    breaker = small(Clock())
    for _ in range(10):
        call = asyncio.create_task(breaker.call(asyncio.Event().wait))
        await asyncio.sleep(0)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
    assert breaker.state is BreakerState.CLOSED


async def test_concurrent_probes_are_limited() -> None:
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


async def test_slow_cancelled_call_counts_as_slow() -> None:
    clock = Clock()
    breaker = small(clock)
    for _ in range(4):
        call = asyncio.create_task(breaker.call(asyncio.Event().wait))
        await asyncio.sleep(0)
        clock.now += 2.0
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
    assert breaker.state is BreakerState.OPEN


async def test_probe_of_an_earlier_half_open_state_does_not_count() -> None:
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
    assert breaker.state is BreakerState.HALF_OPEN, "a success of an earlier state does not count"
    assert await ask(breaker, False) == "refused", "and does not admit a third probe"
    gate.set()
    await asyncio.gather(*probes)
    assert breaker.state is BreakerState.CLOSED


async def test_other_exceptions_do_not_open_the_breaker() -> None:
    breaker = Breaker("test", BreakerConfig(window=10, minimum=4), failures=(OSError,), clock=Clock())

    async def refuses() -> None:
        raise LookupError

    for _ in range(20):
        with pytest.raises(LookupError):
            await breaker.call(refuses)
    assert breaker.state is BreakerState.CLOSED


@given(st.lists(st.booleans(), max_size=60))
def test_closed_breaker_matches_a_plain_window(outcomes: list[bool]) -> None:
    """Against a model: a list of the last ten outcomes, looked through after every call."""

    async def compare() -> None:
        breaker = small(Clock())
        window: list[bool] = []
        for fails in outcomes:
            response = await ask(breaker, fails)
            assert response == ("failed" if fails else "well")
            window = [*window, fails][-10:]
            opens = len(window) >= 4 and sum(window) >= 0.5 * len(window)
            assert (breaker.state is BreakerState.OPEN) == opens
            if opens:
                return

    asyncio.run(compare())


async def spend(clock: Clock, seconds: float) -> None:
    clock.now += seconds


async def test_slow_call_ratio_opens_at_its_threshold_and_not_below() -> None:
    clock = Clock()
    config = BreakerConfig(window=10, minimum=10, slow_seconds=1.0, slow_ratio=0.9)
    below, at = (Breaker("test", config, clock=clock) for _ in range(2))
    for breaker, slow in ((below, 8), (at, 9)):
        for number in range(10):
            await breaker.call(spend, clock, 2.0 if number < slow else 0.0)
    assert below.state is BreakerState.CLOSED
    assert at.state is BreakerState.OPEN


async def test_call_of_exactly_the_slow_threshold_is_not_slow() -> None:
    clock = Clock()
    breaker = Breaker("test", BreakerConfig(window=4, minimum=4, slow_seconds=1.0), clock=clock)
    for _ in range(8):
        await breaker.call(spend, clock, 1.0)
    assert breaker.state is BreakerState.CLOSED
    for _ in range(4):
        await breaker.call(spend, clock, 1.0625)
    assert breaker.state is BreakerState.OPEN


async def test_failed_and_slow_calls_count_together_for_the_slow_ratio() -> None:
    clock = Clock()
    config = BreakerConfig(window=4, minimum=4, failure_ratio=0.9, slow_seconds=1.0, slow_ratio=0.75)
    breaker = Breaker("test", config, clock=clock)
    for _ in range(2):
        await breaker.call(spend, clock, 2.0)
    await breaker.call(spend, clock, 0.0)
    await ask(breaker, True)
    assert breaker.state is BreakerState.OPEN


async def test_open_breaker_admits_a_probe_when_its_duration_has_passed_and_not_before() -> None:
    clock = Clock()
    breaker = small(clock)
    for _ in range(4):
        await ask(breaker, True)
    clock.now = breaker._open_until - 0.001
    assert await ask(breaker, False) == "refused"
    clock.now = breaker._open_until
    assert await ask(breaker, False) == "well"
    assert breaker.state is BreakerState.HALF_OPEN


async def test_outcomes_leave_the_window_after_as_many_calls_as_it_holds() -> None:
    breaker = Breaker("test", BreakerConfig(window=4, minimum=4, failure_ratio=0.5), clock=Clock())
    for fails in (True, False, False, False, False, True):
        await ask(breaker, fails)
    assert breaker.state is BreakerState.CLOSED, "the first failure has left the window"
    await ask(breaker, True)
    assert breaker.state is BreakerState.OPEN


async def test_closing_resets_the_open_duration_and_reports_each_change() -> None:
    clock = Clock()
    changes: list[tuple[str, BreakerState]] = []
    config = BreakerConfig(window=10, minimum=4, probes=2, open_initial=1.0, open_max=8.0)
    breaker = Breaker(
        "test", config, clock=clock, on_change=lambda name, state: changes.append((name, state))
    )
    for _ in range(4):
        await ask(breaker, True)
    clock.now += 1.3
    for _ in range(2):
        await ask(breaker, False)
    for _ in range(4):
        await ask(breaker, True)
    assert breaker._open_until - clock.now <= 1.2, "the duration starts over after the breaker has closed"
    states = [BreakerState.OPEN, BreakerState.HALF_OPEN, BreakerState.CLOSED, BreakerState.OPEN]
    assert changes == [("test", state) for state in states]


async def test_ignored_exception_counts_neither_as_failed_nor_as_a_successful_probe() -> None:
    clock = Clock()
    limits = BreakerConfig(window=10, minimum=4, probes=1)
    breaker = Breaker("test", limits, clock=clock, ignored=lambda error: isinstance(error, LookupError))

    async def ignored() -> None:
        with pytest.raises(LookupError):
            await breaker.call(nowhere)

    async def nowhere() -> None:
        raise LookupError

    for _ in range(20):
        await ignored()
    assert breaker.state is BreakerState.CLOSED
    for _ in range(4):
        await ask(breaker, True)
    assert breaker.state is BreakerState.OPEN, "ignored calls do not fill the window"
    clock.now += 60
    await ignored()
    assert breaker.state is BreakerState.HALF_OPEN
    assert await ask(breaker, False) == "well"
    assert breaker.state is BreakerState.CLOSED


async def test_probes_that_do_not_end_are_replaced_by_others() -> None:
    clock = Clock()
    breaker = small(clock)
    for _ in range(4):
        await ask(breaker, True)
    clock.now += 1.3
    hanging = [breaker.admit() for _ in range(2)]
    clock.now += 7.9
    with pytest.raises(BreakerOpen):
        breaker.admit()
    clock.now += 0.2
    for _ in range(2):
        breaker.admit()(None)
    assert breaker.state is BreakerState.CLOSED
    for record in hanging:
        record(OSError("badly"))
    assert breaker.state is BreakerState.CLOSED


async def test_only_the_first_outcome_of_an_admitted_call_counts() -> None:
    breaker = small(Clock())
    for _ in range(4):
        record = breaker.admit()
        record(OSError("badly"))
        record(None)
    assert breaker.state is BreakerState.OPEN
