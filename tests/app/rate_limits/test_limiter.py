from __future__ import annotations

import asyncio
import random
import signal
import time

import pytest
from redis.asyncio import Redis

from app.rate_limits import Decision, DecisionMode, Limiter, Rule
from tests.support.backends import Process, until

pytestmark = pytest.mark.anyio

# Windows so long that nothing is earned back while a test runs.
EXACT = Rule("exact", limit=50, window=86_400, local_limit=5)
LEASED = Rule("leased", limit=200, window=86_400, local_limit=20, lease=20)


async def allowed(limiter: Limiter, rule: Rule, tries: int, subject: str = "ada") -> int:
    decisions = await asyncio.gather(*(limiter.decide(((rule, subject),)) for _ in range(tries)))
    return sum(decision.allowed for decision in decisions)


async def test_exact_mode_grants_exactly_the_limit_over_three_pods(redis: Redis) -> None:
    pods = [Limiter(redis) for _ in range(3)]
    granted = await asyncio.gather(*(allowed(pod, EXACT, 40) for pod in pods))
    assert sum(granted) == EXACT.limit


async def test_leased_mode_never_overdraws_the_bucket(redis: Redis) -> None:
    pods = [Limiter(redis) for _ in range(3)]
    granted = 0
    for _ in range(100):
        granted += await allowed(random.choice(pods), LEASED, 5)
    assert LEASED.limit - len(pods) * LEASED.lease <= granted <= LEASED.limit


async def test_who_asks_often_holds_ever_larger_leases_and_asks_redis_ever_less(redis: Redis) -> None:
    limiter = Limiter(redis)
    modes = [(await limiter.decide(((LEASED, "ada"),))).mode for _ in range(1 + 2 + 4 + 8 + 16 + 20 + 20)]
    asked = [at for at, mode in enumerate(modes) if mode is DecisionMode.REMOTE]
    assert asked == [0, 1, 3, 7, 15, 31, 51]


async def test_what_lapses_unspent_is_given_back(redis: Redis) -> None:
    now = 0.0
    limiter = Limiter(redis, clock=lambda: now)
    assert await allowed(limiter, LEASED, 60) == 60
    for _ in range(LEASED.limit - 60):
        now += LEASED.lease_seconds
        assert await allowed(limiter, LEASED, 1) == 1
    now += LEASED.lease_seconds
    assert await allowed(limiter, LEASED, 1) == 0


async def test_many_pods_hold_nothing_back_from_who_asks_each_once(redis: Redis) -> None:
    pods = [Limiter(redis) for _ in range(LEASED.limit)]
    for pod in pods:
        assert await allowed(pod, LEASED, 1) == 1
    assert await allowed(Limiter(redis), LEASED, 1) == 0


async def test_a_lease_is_spent_while_another_rule_has_to_be_asked_about(redis: Redis) -> None:
    limiter = Limiter(redis)
    assert await allowed(limiter, LEASED, 3) == 3  # of the last two, one is held
    both = ((LEASED, "ada"), (EXACT, "ada"))
    granted = [(await limiter.decide(both)).allowed for _ in range(EXACT.limit + 5)]
    assert granted == [True] * EXACT.limit + [False] * 5
    assert await allowed(limiter, LEASED, LEASED.limit) == LEASED.limit - 3 - EXACT.limit


async def test_one_exhausted_rule_refuses_and_takes_nothing_from_the_others(redis: Redis) -> None:
    limiter = Limiter(redis)
    tight = Rule("tight", limit=3, window=86_400, local_limit=1)
    demand = ((EXACT, "ada"), (tight, "/v1/sessions"))
    assert [(await limiter.decide(demand)).allowed for _ in range(6)] == [True] * 3 + [False] * 3
    assert await allowed(Limiter(redis), EXACT, 100) == EXACT.limit - 3


async def test_a_refusal_is_remembered_without_asking_again(redis: Redis) -> None:
    limiter = Limiter(redis)
    assert await allowed(limiter, EXACT, 60) == 50
    before = limiter.counts[DecisionMode.REMOTE]
    assert await allowed(limiter, EXACT, 100) == 0
    assert limiter.counts[DecisionMode.REMOTE] == before


async def test_tokens_come_back_after_the_window_and_a_slice_of_it(redis: Redis) -> None:
    rule = Rule("quick", limit=2, window=0.4, local_limit=1)
    limiter = Limiter(redis)
    assert await allowed(limiter, rule, 10) == 2
    refused = await limiter.decide(((rule, "ada"),))
    assert 0.2 < refused.retry_after <= 0.42
    assert refused.reset <= 0.42

    async def allowed_again() -> bool:
        return (await limiter.decide(((rule, "ada"),))).allowed

    await until(allowed_again)


async def test_subjects_do_not_share_a_bucket(redis: Redis) -> None:
    limiter = Limiter(redis)
    assert await allowed(limiter, EXACT, 60, "ada") == 50
    assert await allowed(limiter, EXACT, 60, "eve") == 50


async def test_without_redis_each_pod_allows_its_blind_share(redis: Redis, redis_process: Process) -> None:
    limiter = Limiter(redis)
    redis_process.kill()
    try:
        assert await allowed(limiter, EXACT, 60) == EXACT.local_limit
        assert limiter.counts[DecisionMode.LOCAL] == 60
    finally:
        redis_process.start()

    async def asked() -> bool:
        return (await limiter.decide(((EXACT, "eve"),))).mode is DecisionMode.REMOTE

    await until(asked)


async def test_a_redis_that_hangs_delays_a_request_for_a_moment_only(
    redis: Redis, redis_process: Process
) -> None:
    """Also those that come while the first still wait, and many times as many as one call takes."""
    limiter = Limiter(redis)
    redis_process.signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        decisions = await asyncio.gather(*(limiter.decide(((EXACT, f"{n}"),)) for n in range(4_000)))
        assert time.monotonic() - began < 5.0
        assert {decision.mode for decision in decisions} == {DecisionMode.LOCAL}
    finally:
        redis_process.signal(signal.SIGCONT)


def test_headers_are_those_of_the_draft() -> None:
    fine = Decision(True, DecisionMode.LEASED, EXACT, remaining=12, reset=3.2)
    assert fine.headers() == [
        (b"ratelimit-policy", b'"exact";q=50;w=86400'),
        (b"ratelimit", b'"exact";r=12;t=4'),
    ]
    refused = Decision(False, DecisionMode.REMOTE, EXACT, remaining=0, reset=9.0, retry_after=0.3)
    assert refused.headers()[-1] == (b"retry-after", b"1")
