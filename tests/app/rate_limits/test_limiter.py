from __future__ import annotations

import asyncio
import random
import signal
import time
from typing import Any

import pytest
from redis.asyncio import Redis

from app.rate_limits import Decision, DecisionMode, Limiter, Rule
from app.rate_limits import limiter as module
from app.rate_limits.limiter import _BucketState
from tests.support.backends import Process, until

pytestmark = pytest.mark.anyio

# Windows so long that no tokens are refilled while a test runs.
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


async def test_frequent_requests_get_growing_leases_and_fewer_redis_calls(redis: Redis) -> None:
    limiter = Limiter(redis)
    modes = [(await limiter.decide(((LEASED, "ada"),))).mode for _ in range(1 + 2 + 4 + 8 + 16 + 20 + 20)]
    asked = [at for at, mode in enumerate(modes) if mode is DecisionMode.REMOTE]
    assert asked == [0, 1, 3, 7, 15, 31, 51]


async def test_a_lease_of_two_tokens_saves_every_second_call(redis: Redis) -> None:
    limiter = Limiter(redis)
    pairs = Rule("pairs", limit=200, window=86_400, local_limit=20, lease=2)
    modes = [(await limiter.decide(((pairs, "ada"),))).mode for _ in range(5)]
    remote, leased = DecisionMode.REMOTE, DecisionMode.LEASED
    assert modes == [remote, remote, leased, remote, leased]


async def test_the_first_of_equally_exhausted_rules_is_reported(redis: Redis) -> None:
    limiter = Limiter(redis)
    limits = ((EXACT, "ada"), (Rule("other", limit=50, window=86_400, local_limit=5), "ada"))
    assert (await limiter.decide(limits)).rule is EXACT


async def test_unspent_tokens_of_an_expired_lease_are_returned(redis: Redis) -> None:
    now = 0.0
    limiter = Limiter(redis, clock=lambda: now)
    assert await allowed(limiter, LEASED, 60) == 60
    for _ in range(LEASED.limit - 60):
        now += LEASED.lease_seconds
        assert await allowed(limiter, LEASED, 1) == 1
    now += LEASED.lease_seconds
    assert await allowed(limiter, LEASED, 1) == 0


async def test_one_request_per_pod_reserves_no_further_tokens(redis: Redis) -> None:
    pods = [Limiter(redis) for _ in range(LEASED.limit)]
    for pod in pods:
        assert await allowed(pod, LEASED, 1) == 1
    assert await allowed(Limiter(redis), LEASED, 1) == 0


async def test_lease_is_spent_while_another_rule_calls_redis(redis: Redis) -> None:
    limiter = Limiter(redis)
    assert await allowed(limiter, LEASED, 3) == 3  # the pod holds one of the last two
    both = ((LEASED, "ada"), (EXACT, "ada"))
    granted = [(await limiter.decide(both)).allowed for _ in range(EXACT.limit + 5)]
    assert granted == [True] * EXACT.limit + [False] * 5
    assert await allowed(limiter, LEASED, LEASED.limit) == LEASED.limit - 3 - EXACT.limit


async def test_exhausted_rule_rejects_without_charging_the_others(redis: Redis) -> None:
    limiter = Limiter(redis)
    tight = Rule("tight", limit=3, window=86_400, local_limit=1)
    demand = ((EXACT, "ada"), (tight, "/v1/sessions"))
    assert [(await limiter.decide(demand)).allowed for _ in range(6)] == [True] * 3 + [False] * 3
    assert await allowed(Limiter(redis), EXACT, 100) == EXACT.limit - 3


async def test_rejection_is_remembered_without_a_redis_call(redis: Redis) -> None:
    limiter = Limiter(redis)
    assert await allowed(limiter, EXACT, 60) == 50
    before = limiter.counts[DecisionMode.REMOTE]
    assert await allowed(limiter, EXACT, 100) == 0
    assert limiter.counts[DecisionMode.REMOTE] == before


async def test_tokens_are_available_again_after_the_window_and_one_slice(redis: Redis) -> None:
    rule = Rule("quick", limit=2, window=0.4, local_limit=1)
    limiter = Limiter(redis)
    assert await allowed(limiter, rule, 10) == 2
    refused = await limiter.decide(((rule, "ada"),))
    assert 0.2 < refused.retry_after <= 0.42
    assert refused.reset <= 0.42

    async def allowed_again() -> bool:
        return (await limiter.decide(((rule, "ada"),))).allowed

    await until(allowed_again)


async def test_buckets_of_all_rules_together_are_bounded(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_BUCKETS", 10)
    limiter = Limiter(redis)
    other = Rule("other", limit=3, window=86_400, local_limit=1)
    assert await allowed(limiter, other, 4, "ada") == 3
    for number in range(30):
        assert await allowed(limiter, EXACT, 1, f"{number}") == 1
    assert sum(map(len, limiter._buckets.values())) == 10
    before = limiter.counts[DecisionMode.REMOTE]
    assert await allowed(limiter, other, 1, "ada") == 0
    assert limiter.counts[DecisionMode.REMOTE] == before, "the rule with the most buckets lost the oldest"


async def test_subjects_do_not_share_a_bucket(redis: Redis) -> None:
    limiter = Limiter(redis)
    assert await allowed(limiter, EXACT, 60, "ada") == 50
    assert await allowed(limiter, EXACT, 60, "eve") == 50


async def test_without_redis_each_pod_applies_its_local_limit(redis: Redis, redis_process: Process) -> None:
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


async def test_hanging_redis_delays_a_request_by_its_timeout_only(
    redis: Redis, redis_process: Process
) -> None:
    """This includes requests that arrive during the first call, and many more than fit into one call."""
    limiter = Limiter(redis)
    redis_process.signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        decisions = await asyncio.gather(*(limiter.decide(((EXACT, f"{n}"),)) for n in range(4_000)))
        assert time.monotonic() - began < 5.0
        assert {decision.mode for decision in decisions} == {DecisionMode.LOCAL}
    finally:
        redis_process.signal(signal.SIGCONT)


def test_headers_follow_the_draft() -> None:
    fine = Decision(True, DecisionMode.LEASED, EXACT, remaining=12, reset=3.2)
    assert fine.headers() == [
        (b"ratelimit-policy", b'"exact";q=50;w=86400'),
        (b"ratelimit", b'"exact";r=12;t=4'),
    ]
    refused = Decision(False, DecisionMode.REMOTE, EXACT, remaining=0, reset=9.0, retry_after=0.3)
    assert refused.headers()[-1] == (b"retry-after", b"1")


def test_leased_tokens_can_be_spent_until_the_lease_expires() -> None:
    bucket = _BucketState()
    bucket.tokens, bucket.lease_expires_at = 3, 10.0
    assert (bucket.available(9.999), bucket.available(10.0)) == (3, 0)


@pytest.mark.parametrize(
    ("now", "tokens", "expected"),
    [
        (9.0, 0, 8),  # spent in time: twice as many
        (10.0, 1, 3),  # expired: as many as were spent
        (10.0, 4, 1),  # expired unspent: at least one
        (10.0 + LEASED.lease_seconds, 1, 1),  # after a pause: one
    ],
)
def test_next_lease_follows_the_consumption(now: float, tokens: int, expected: int) -> None:
    bucket = _BucketState()
    bucket.size, bucket.tokens, bucket.lease_expires_at = 4, tokens, 10.0
    assert bucket.next_lease(now, LEASED) == min(expected, LEASED.lease)


@pytest.mark.parametrize(
    "change",
    [{"limit": 0}, {"window": 0.0}, {"lease": 0}, {"lease": 11}, {"local_limit": 0}, {"local_limit": 11}],
)
def test_impossible_rule_is_rejected(change: dict[str, Any]) -> None:
    valid: dict[str, Any] = {"limit": 10, "window": 1.0, "local_limit": 10, "lease": 10}
    assert Rule("valid", **valid).lease_seconds == 1.0
    with pytest.raises(AssertionError):
        Rule("impossible", **(valid | change))


async def test_remembered_rejection_ends_when_a_token_is_available(redis: Redis) -> None:
    now = 0.0
    limiter = Limiter(redis, clock=lambda: now)
    quick = Rule("quick", limit=2, window=0.4, local_limit=1)
    assert await allowed(limiter, quick, 3) == 2
    decision = limiter.decide_locally(((quick, "ada"),))
    assert decision is not None, "also a rejection of less than a second is remembered"
    assert (decision.allowed, decision.mode) == (False, DecisionMode.LEASED)
    now = decision.retry_after
    assert limiter.decide_locally(((quick, "ada"),)) is None


@pytest.mark.parametrize("reverse", [False, True])
async def test_tightest_rule_is_reported(redis: Redis, reverse: bool) -> None:
    tight = Rule("tight", limit=3, window=86_400, local_limit=1)
    demand = ((EXACT, "ada"), (tight, "ada"))
    decision = await Limiter(redis).decide(demand[::-1] if reverse else demand)
    assert (decision.rule, decision.remaining) == (tight, 2)


async def test_local_counts_are_bounded_by_the_oldest(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_BUCKETS", 2)
    limiter = Limiter(redis, clock=lambda: 0.0)
    once = Rule("once", limit=1, window=86_400, local_limit=1)

    def decide(subject: str) -> bool:
        return limiter._decide_without_redis(((once, subject),)).allowed

    assert [decide(subject) for subject in ("ada", "eve", "ada", "eve")] == [True, True, False, False]
    assert [decide(subject) for subject in ("bob", "eve", "ada")] == [True, False, True]


async def test_rejection_is_remembered_only_after_redis_rejected_a_request(redis: Redis) -> None:
    limiter, rule = Limiter(redis), ((EXACT, "ada"),)
    assert await allowed(limiter, EXACT, EXACT.limit) == EXACT.limit
    decisions = [await limiter.decide(rule) for _ in range(2)]
    assert [decision.mode for decision in decisions] == [DecisionMode.REMOTE, DecisionMode.LEASED]


@pytest.mark.parametrize(("full_at", "reset"), [(10.5, 0.5), (12.0, 2.0), (10.0, 0.0), (9.0, 0.0)])
def test_reset_of_a_local_decision_is_the_time_until_the_bucket_is_full(full_at: float, reset: float) -> None:
    limiter = Limiter(Redis(), clock=lambda: 10.0)
    bucket = limiter._bucket(LEASED.name, "ada")
    bucket.tokens, bucket.tokens_left, bucket.lease_expires_at, bucket.full_at = 3, 5, 20.0, full_at
    decision = limiter.decide_locally(((LEASED, "ada"),))
    assert decision == Decision(True, DecisionMode.LEASED, LEASED, remaining=7, reset=reset)
