"""The rules of this service: which buckets a request takes from.

Every request counts against its address; a request with a session also against its account, as much as the
plan allows, and against the class of its endpoint. All are decided together (:mod:`app.rate_limits.limiter`).

What guesses or costs is exact (``lease`` 1): signing in, signing up, generating, uploading. The rest is
leased in blocks of at most a twentieth of the limit: so over one window a subject can be granted at most a
twentieth per pod more than the limit.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from app.auth.roles import Plan
from app.rate_limits.limiter import Demand
from app.rate_limits.rules import Rule

_MINUTE: Final = 60.0
_HOUR: Final = 3600.0
_LEASES: Final = 20  # a limit is this many of them
_BLIND_PODS: Final = 4  # without Redis a pod allows a share, as if there were so many of them


class Class(StrEnum):
    """What an endpoint counts as."""

    READ = "read"
    WRITE = "write"
    GENERATE = "generate"
    UPLOAD = "upload"
    SIGN_IN = "sign-in"
    SIGN_UP = "sign-up"
    REFRESH = "refresh"


class Policies:
    """The rules, each limit multiplied by ``factor`` (1 in production)."""

    def __init__(self, factor: float = 1.0) -> None:
        self._factor = factor
        self._address = self._leased("address", 1_200, _MINUTE)
        # Guessing tokens, from one address.
        self._failed = self._exact("failed", 30, _MINUTE, blind=5)
        self._by_address = {
            Class.SIGN_IN: self._exact("sign-in", 20, 5 * _MINUTE, blind=3),
            Class.SIGN_UP: self._exact("sign-up", 20, _HOUR, blind=3),
            Class.REFRESH: self._exact("refresh", 120, _MINUTE, blind=20),
        }
        # Guesses at one account from everywhere: devices and addresses that had signed in to it count apart,
        # so whoever uses this up keeps nobody out of their own account.
        self._account_guesses = self._exact("sign-in-account", 60, _HOUR, blind=10)
        self._known_guesses = self._exact("sign-in-device", 20, 5 * _MINUTE, blind=3)
        self._resets = self._exact("reset-account", 5, _HOUR, blind=1)
        self._by_account: dict[tuple[str, Class], tuple[Rule, ...]] = {}
        for plan, times in ((Plan.FREE, 1), (Plan.CREATOR, 4), (Plan.STUDIO, 20)):
            account = self._leased(f"account-{plan}", 600 * times, _MINUTE)
            classes = {
                Class.READ: self._leased(f"read-{plan}", 480 * times, _MINUTE),
                Class.WRITE: self._leased(f"write-{plan}", 120 * times, _MINUTE),
                Class.GENERATE: self._exact(f"generate-{plan}", 60 * times, _HOUR, blind=10 * times),
                Class.UPLOAD: self._exact(f"upload-{plan}", 60 * times, _HOUR, blind=10 * times),
            }
            self._by_account |= {(plan.value, kind): (account, rule) for kind, rule in classes.items()}

    def demand(self, kind: Class, address: str, account: str | None = None, plan: str = "free") -> Demand:
        """What a request takes from; ``account`` is ``None`` without a session."""
        if account is None:
            rule = self._by_address.get(kind)
            if rule is None:
                return ((self._address, address),)
            return ((self._address, address), (rule, address))
        rules = self._by_account.get((plan, kind))
        if rules is None:  # a session may call what is open to anyone
            return ((self._address, address),)
        return ((rules[0], account), (rules[1], account), (self._address, address))

    def sign_in(self, email_key: str, known: str | None) -> Demand:
        """What an attempt to sign in to an account takes from; ``known``: the device or the address, when it
        had signed in before."""
        if known is None:
            return ((self._account_guesses, email_key),)
        return ((self._known_guesses, f"{email_key} {known}"),)

    def reset(self, email_key: str) -> Demand:
        """What a password reset of an account takes from."""
        return ((self._resets, email_key),)

    def failed(self, address: str) -> Demand:
        """What a request with a bad token takes from."""
        return ((self._failed, address),)

    def _exact(self, name: str, limit: int, window: float, *, blind: int) -> Rule:
        return Rule(name, limit=self._times(limit), window=window, blind=self._times(blind))

    def _leased(self, name: str, limit: int, window: float) -> Rule:
        whole = self._times(limit)
        return Rule(
            name,
            limit=whole,
            window=window,
            blind=max(1, whole // _BLIND_PODS),
            lease=max(1, whole // _LEASES),
        )

    def _times(self, limit: int) -> int:
        return max(1, round(limit * self._factor))
