"""The service's rate limits: which buckets a request is charged to.

Every request is charged to its client address; a request with a session also to its account, by plan, and to
the class of its route. All buckets are decided together (:mod:`app.rate_limits.limiter`).

Routes that are expensive or allow guessing are exact (``lease`` 1): sign-in, sign-up, generation, upload,
export. The others are leased in blocks of at most a twentieth of the limit, so per window and pod at most a
twentieth more than the limit can be granted.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from app.auth.roles import Plan
from app.rate_limits.limiter import ApplicableLimits
from app.rate_limits.rules import Rule

_MINUTE: Final = 60.0
_HOUR: Final = 3600.0
_LEASES_PER_LIMIT: Final = 20  # number of leases that make up a limit
_LOCAL_DIVISOR: Final = 4  # without Redis, a pod allows the limit divided by this


class RateLimitClass(StrEnum):
    """Rate-limit class of a route."""

    READ = "read"
    WRITE = "write"
    GENERATE = "generate"
    UPLOAD = "upload"
    EXPORT = "export"
    SIGN_IN = "sign-in"
    SIGN_UP = "sign-up"
    REFRESH = "refresh"


class RateLimitPolicies:
    """The rules, with each limit multiplied by ``factor`` (1 in production)."""

    def __init__(self, factor: float = 1.0) -> None:
        self._factor = factor
        self._address = self._leased("address", 1_200, _MINUTE)
        # Token guessing from one address.
        self._invalid_token = self._exact("failed", 30, _MINUTE, local=5)
        self._by_address = {
            RateLimitClass.SIGN_IN: self._exact("sign-in", 20, 5 * _MINUTE, local=3),
            RateLimitClass.SIGN_UP: self._exact("sign-up", 20, _HOUR, local=3),
            RateLimitClass.REFRESH: self._exact("refresh", 120, _MINUTE, local=20),
        }
        # Password guessing against one account. Devices and addresses that have signed in to it before have
        # their own bucket, so an attack cannot lock out the owner.
        self._account_attempts = self._exact("sign-in-account", 60, _HOUR, local=10)
        self._known_source_attempts = self._exact("sign-in-device", 20, 5 * _MINUTE, local=3)
        self._resets = self._exact("reset-account", 5, _HOUR, local=1)
        self._sign_up_mails = self._exact("sign-up-account", 5, _HOUR, local=1)
        self._by_account: dict[tuple[str, RateLimitClass], tuple[Rule, ...]] = {}
        for plan, multiplier in ((Plan.FREE, 1), (Plan.CREATOR, 4), (Plan.STUDIO, 20)):
            account = self._leased(f"account-{plan}", 600 * multiplier, _MINUTE)
            classes = {
                RateLimitClass.READ: self._leased(f"read-{plan}", 480 * multiplier, _MINUTE),
                RateLimitClass.WRITE: self._leased(f"write-{plan}", 120 * multiplier, _MINUTE),
                RateLimitClass.GENERATE: self._exact(
                    f"generate-{plan}", 60 * multiplier, _HOUR, local=10 * multiplier
                ),
                RateLimitClass.UPLOAD: self._exact(
                    f"upload-{plan}", 60 * multiplier, _HOUR, local=10 * multiplier
                ),
            }
            # The same for all plans: an export takes seconds of a pod.
            classes[RateLimitClass.EXPORT] = self._exact(f"export-{plan}", 10, _HOUR, local=2)
            self._by_account |= {
                (plan.value, limit_class): (account, rule) for limit_class, rule in classes.items()
            }

    def applicable(
        self, limit_class: RateLimitClass, address: str, account: str | None = None, plan: str = "free"
    ) -> ApplicableLimits:
        """Return the buckets charged for a request; ``account`` is ``None`` without a session."""
        if account is None:
            rule = self._by_address.get(limit_class)
            if rule is None:
                return ((self._address, address),)
            return ((self._address, address), (rule, address))
        rules = self._by_account.get((plan, limit_class))
        if rules is None:  # a session on a public route
            return ((self._address, address),)
        return ((rules[0], account), (rules[1], account), (self._address, address))

    def sign_in(self, email_key: str, source: str | None) -> ApplicableLimits:
        """Return the buckets charged for a sign-in to an account. ``source`` is the device or address if it
        has signed in to the account before, otherwise ``None``.
        """
        if source is None:
            return ((self._account_attempts, email_key),)
        return ((self._known_source_attempts, f"{email_key} {source}"),)

    def reset(self, email_key: str) -> ApplicableLimits:
        """Return the buckets charged for a password reset of an account."""
        return ((self._resets, email_key),)

    def sign_up_mail(self, email_key: str) -> ApplicableLimits:
        """Return the buckets charged for a mail about a sign-up with an address."""
        return ((self._sign_up_mails, email_key),)

    def invalid_token(self, address: str) -> ApplicableLimits:
        """Return the buckets charged for a request with an invalid token."""
        return ((self._invalid_token, address),)

    def _exact(self, name: str, limit: int, window: float, *, local: int) -> Rule:
        return Rule(name, limit=self._scaled(limit), window=window, local_limit=self._scaled(local))

    def _leased(self, name: str, limit: int, window: float) -> Rule:
        scaled = self._scaled(limit)
        return Rule(
            name,
            limit=scaled,
            window=window,
            local_limit=max(1, scaled // _LOCAL_DIVISOR),
            lease=max(1, scaled // _LEASES_PER_LIMIT),
        )

    def _scaled(self, limit: int) -> int:
        return max(1, round(limit * self._factor))
