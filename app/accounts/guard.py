"""Limits per account: password attempts, and mail to its address."""

from __future__ import annotations

import math

from app.http.problems import TOO_MANY_REQUESTS, Problem
from app.rate_limits import Limiter
from app.rate_limits.policies import RateLimitPolicies
from app.telemetry import metrics


class SignInGuard:
    """Counts sign-in attempts and mail of one account, from all client addresses."""

    def __init__(self, limiter: Limiter, policies: RateLimitPolicies) -> None:
        self._limiter = limiter
        self._policies = policies

    async def check(self, email_key: str, known: str | None) -> None:
        """Count a sign-in. Raises ``too-many-requests`` above the limit.

        ``known`` is a device or an address that had signed in before; it has a limit of its own, so that
        others cannot lock out the owner.
        """
        decision = await self._limiter.decide(self._policies.sign_in(email_key, known))
        if not decision.allowed:
            metrics.limited.labels(decision.rule.name).inc()
            headers = {"retry-after": str(max(1, math.ceil(decision.retry_after)))}
            raise Problem(TOO_MANY_REQUESTS, "There were too many sign-ins to this account.", headers=headers)

    async def allows_reset(self, email_key: str) -> bool:
        """Count a password reset and return whether its mail may be sent."""
        return (await self._limiter.decide(self._policies.reset(email_key))).allowed

    async def allows_notice(self, email_key: str) -> bool:
        """Count a sign-up with an address and return whether its mail may be sent.

        Counted separately from resets, so that sign-ups with an address cannot exhaust the resets of its
        owner.
        """
        return (await self._limiter.decide(self._policies.sign_up_mail(email_key))).allowed
