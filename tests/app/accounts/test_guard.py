"""Limits per account: what is counted, and the response above the limit."""

from __future__ import annotations

from typing import Any

import pytest

from app.accounts.guard import SignInGuard
from app.http.problems import TOO_MANY_REQUESTS, Problem
from app.rate_limits.limiter import Decision, DecisionMode
from app.rate_limits.policies import RateLimitPolicies
from app.rate_limits.rules import Rule

pytestmark = pytest.mark.anyio
RULE = Rule("sign-in", limit=5, window=60, local_limit=5)


class FakeLimiter:
    """Takes `tokens` from each bucket before it refuses."""

    def __init__(self, tokens: int, retry_after: float = 0.0) -> None:
        self.tokens = tokens
        self.retry_after = retry_after
        self.used: dict[Any, int] = {}

    async def decide(self, limits: Any) -> Decision:
        key = tuple((rule.name, subject) for rule, subject in limits)
        self.used[key] = self.used.get(key, 0) + 1
        allowed = self.used[key] <= self.tokens
        return Decision(allowed, DecisionMode.REMOTE, RULE, 0, 1.0, self.retry_after)


def guard(limiter: Any) -> SignInGuard:
    return SignInGuard(limiter, RateLimitPolicies(1.0))


async def test_known_sources_have_a_limit_of_their_own() -> None:
    limiter = FakeLimiter(1)
    found = guard(limiter)
    await found.check("ada", None)
    with pytest.raises(Problem):
        await found.check("ada", None)
    await found.check("ada", "device")
    await found.check("ada", "192.0.2.1")
    await found.check("eve", None)
    assert len(limiter.used) == 4


@pytest.mark.parametrize(("seconds", "header"), [(0.0, "1"), (0.2, "1"), (1.2, "2"), (60.0, "60")])
async def test_refusal_names_the_seconds_to_wait(seconds: float, header: str) -> None:
    with pytest.raises(Problem) as raised:
        await guard(FakeLimiter(0, seconds)).check("ada", None)
    assert (raised.value.kind, raised.value.headers) == (TOO_MANY_REQUESTS, {"retry-after": header})


async def test_mails_of_sign_ups_and_resets_are_counted_apart() -> None:
    found = guard(FakeLimiter(1))
    assert await found.allows_reset("ada")
    assert not await found.allows_reset("ada")
    assert await found.allows_notice("ada")
    assert not await found.allows_notice("ada")
