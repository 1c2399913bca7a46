"""No window exceeds its limit, wherever it begins: random rules, times and pods."""

from __future__ import annotations

import asyncio
import random
import time

import pytest
from redis.asyncio import Redis

from app.rate_limits import DecisionMode, Limiter, Rule
from tests.support.backends import until

pytestmark = pytest.mark.anyio


class Grants:
    """Intervals of granted requests, each from the request to the decision."""

    def __init__(self) -> None:
        self.spans: list[tuple[float, float]] = []

    async def ask(self, limiter: Limiter, rule: Rule) -> bool:
        asked = time.monotonic()
        decision = await limiter.decide(((rule, "ada"),))
        if decision.allowed:
            self.spans.append((asked, time.monotonic()))
        assert decision.mode is not DecisionMode.LOCAL
        return decision.allowed

    def max_in(self, window: float) -> int:
        """Return the maximum number of grants that were certainly within one window."""
        highest = 0
        spans = sorted(self.spans)
        for first, (began, _) in enumerate(spans):
            inside = sum(end - began < window for _, end in spans[first:])
            highest = max(highest, inside)
        return highest


async def hammer(limiter: Limiter, rule: Rule, grants: Grants, chance: random.Random, until_: float) -> None:
    while time.monotonic() < until_:
        burst = chance.randint(1, 2 * rule.limit)
        await asyncio.gather(*(grants.ask(limiter, rule) for _ in range(burst)))
        await asyncio.sleep(chance.uniform(0, rule.window / 4))


@pytest.mark.parametrize("seed", range(4))
async def test_exact_mode_grants_no_more_than_the_limit_in_any_window(redis: Redis, seed: int) -> None:
    chance = random.Random(seed)
    rule = Rule("exact", limit=chance.randint(1, 30), window=chance.uniform(0.15, 0.4), local_limit=1)
    pods, grants = [Limiter(redis) for _ in range(3)], Grants()
    end = time.monotonic() + 1.5
    await asyncio.gather(*(hammer(pod, rule, grants, chance, end) for pod in pods))
    assert grants.max_in(rule.window) <= rule.limit
    # The limiter grants the whole limit in each window, or half of it if the machine was busy.
    assert len(grants.spans) >= rule.limit * int(1.5 / (rule.window * 1.25)) // 2


@pytest.mark.parametrize("seed", range(4))
async def test_leased_mode_grants_no_more_than_a_lease_for_each_pod_beyond_it(
    redis: Redis, seed: int
) -> None:
    chance = random.Random(seed)
    lease = chance.randint(2, 5)
    rule = Rule("leased", limit=lease * 10, window=chance.uniform(0.15, 0.4), local_limit=1, lease=lease)
    pods, grants = [Limiter(redis) for _ in range(3)], Grants()
    end = time.monotonic() + 1.5
    await asyncio.gather(*(hammer(pod, rule, grants, chance, end) for pod in pods))
    assert grants.max_in(rule.window) <= rule.limit + len(pods) * rule.lease


async def test_full_bucket_is_deleted(redis: Redis) -> None:
    rule = Rule("short", limit=3, window=0.1, local_limit=1)
    assert (await Limiter(redis).decide(((rule, "ada"),))).allowed
    assert len(await redis.keys("*")) == 1

    async def forgotten() -> bool:
        return not await redis.keys("*")

    await until(forgotten)


async def test_changed_rule_starts_with_an_empty_bucket(redis: Redis) -> None:
    limiter = Limiter(redis)
    for window in (60.0, 30.0, 60.0):
        rule = Rule("changed", limit=1, window=window, local_limit=1)
        limiter = Limiter(redis)
        assert (await limiter.decide(((rule, "ada"),))).allowed
        assert not (await limiter.decide(((rule, "ada"),))).allowed
