"""The rate limiter: decides whether a request is allowed.

One decision covers all rules that apply to a request and charges either all of their buckets or none. While
the pod holds leases for all of them it decides locally; otherwise it calls Redis, and concurrent requests
share one script call. A rejection is cached until it ends, so a client over its limit causes no load on
Redis.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, StrEnum
from pathlib import Path
from typing import Any, Final, TypeAlias

import structlog
from redis.asyncio import Redis

from app.connections import REDIS_ERRORS
from app.rate_limits.rules import Rule

log = structlog.get_logger()

_SCRIPT: Final = Path(__file__).parent / "lua" / "take.lua"
_MAX_BUCKETS: Final = 50_000
_MAX_BATCH: Final = 128
_REDIS_PAUSE_SECONDS: Final = 1.0
_TIMEOUT_SECONDS: Final = 0.5  # maximum wait of a request for a Redis that hangs

# The rules that apply to a request, each with its subject: an account, an address or a route.
ApplicableLimits: TypeAlias = tuple[tuple[Rule, str], ...]


class DecisionMode(StrEnum):
    """How a decision was made: from a lease, by Redis, or by the local fallback."""

    LEASED = "leased"
    REMOTE = "remote"
    LOCAL = "local"


class _TokenSource(Enum):
    """Source of the token for a request."""

    BUCKET = 1
    NEW_LEASE = 2
    LEASE = 3


@dataclass(
    slots=True
)  # not frozen: one is created per request, and a frozen instance costs three times as much
class Decision:
    """A rate-limit decision, with the values of the most restrictive rule.

    ``reset`` is the seconds until its bucket is full, ``retry_after`` the seconds until a token is available.
    """

    allowed: bool
    mode: DecisionMode
    rule: Rule
    remaining: int
    reset: float
    retry_after: float = 0.0

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return headers as in draft-ietf-httpapi-ratelimit-headers-10, and ``Retry-After`` (RFC 9110)."""
        name, policy = self.rule.header_values
        tokens_left = b"%s;r=%d;t=%d" % (name, self.remaining, math.ceil(self.reset))
        headers = [(b"ratelimit-policy", policy), (b"ratelimit", tokens_left)]
        if not self.allowed:
            headers.append((b"retry-after", b"%d" % max(1, math.ceil(self.retry_after))))
        return headers


class _BucketState:
    """Local state of one bucket: leased tokens, and the end of a rejection.

    ``size`` is the number of tokens in the lease, ``slice`` the slice of the window in which Redis counts
    them. Times are in seconds of the limiter's clock.
    """

    __slots__ = (
        "full_at",
        "lease_expires_at",
        "leasing",
        "rejected_until",
        "size",
        "slice",
        "tokens",
        "tokens_left",
    )

    def __init__(self) -> None:
        self.tokens = 0
        self.size = 0
        self.slice = 0
        self.lease_expires_at = 0.0
        self.rejected_until = 0.0
        self.tokens_left = 0
        self.full_at = 0.0
        self.leasing = False

    def available(self, now: float) -> int:
        """Return the leased tokens that can be spent."""
        return self.tokens if now < self.lease_expires_at else 0

    def next_lease(self, now: float, rule: Rule) -> int:
        """Return the number of tokens to lease after the current lease is spent or expired.

        Doubles if the last lease was spent before it expired; equals its consumption if not; 1 after a longer
        pause. Each pod thus reserves about what it needs: whole leases on a hundred pods would reserve
        several times the limit of one client.
        """
        if now < self.lease_expires_at:
            return min(2 * self.size, rule.lease)
        if now < self.lease_expires_at + rule.lease_seconds:
            return max(1, self.size - self.tokens)
        return 1


_BucketSource: TypeAlias = tuple[_BucketState, _TokenSource]


class Limiter:
    """Rate limits of one service, shared by its pods through Redis."""

    def __init__(self, redis: Redis, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._take = redis.register_script(_SCRIPT.read_text())
        self._clock = clock
        self._buckets: dict[str, dict[str, _BucketState]] = {}  # by rule name, then by subject
        self._bucket_count = 0
        self._local: dict[str, float] = {}
        self._pending: list[tuple[ApplicableLimits, asyncio.Future[Decision]]] = []
        self._sending: asyncio.Task[None] | None = None
        self._redis_paused_until = 0.0
        self.counts = dict.fromkeys(DecisionMode, 0)

    async def decide(self, limits: ApplicableLimits) -> Decision:
        """Return the decision for a request with at least one rule. Does not raise Redis errors."""
        decision = self.decide_locally(limits)
        if decision is not None:
            return decision
        if self._clock() < self._redis_paused_until:
            return self._decide_without_redis(limits)
        future: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        self._pending.append((limits, future))
        if self._sending is None:
            self._sending = asyncio.create_task(self._send_batches())
        return await future

    def decide_locally(self, limits: ApplicableLimits) -> Decision | None:
        """Return the decision if it needs no call to Redis, otherwise ``None``."""
        now = self._clock()
        by_rule = self._buckets
        available: list[_BucketState] = []
        tightest, tightest_rule, min_remaining = None, None, math.inf
        for rule, subject in limits:
            buckets = by_rule.get(rule.name)
            bucket = None if buckets is None else buckets.get(subject)
            if bucket is None:
                return None
            if now < bucket.rejected_until:
                self.counts[DecisionMode.LEASED] += 1
                wait = bucket.rejected_until - now
                return Decision(False, DecisionMode.LEASED, rule, 0, max(wait, bucket.full_at - now), wait)
            if bucket.tokens < 1 or now >= bucket.lease_expires_at:
                return None
            available.append(bucket)
            remaining = bucket.tokens_left + bucket.tokens
            if remaining < min_remaining:
                tightest, tightest_rule, min_remaining = bucket, rule, remaining
        for bucket in available:
            bucket.tokens -= 1
        self.counts[DecisionMode.LEASED] += 1
        assert tightest is not None, "at least one rule applies"
        assert tightest_rule is not None
        remaining = tightest.tokens_left + tightest.tokens
        reset = tightest.full_at - now
        return Decision(True, DecisionMode.LEASED, tightest_rule, remaining, reset if reset > 0 else 0.0)

    async def _send_batches(self) -> None:
        """Send pending requests to Redis in batches until none is left."""
        try:
            while self._pending:
                batch, self._pending = self._pending[:_MAX_BATCH], self._pending[_MAX_BATCH:]
                try:
                    async with asyncio.timeout(_TIMEOUT_SECONDS):
                        await self._send(batch)
                except REDIS_ERRORS as error:
                    log.warning("rate limiter degraded: Redis unavailable", error=type(error).__name__)
                    self._redis_paused_until = self._clock() + _REDIS_PAUSE_SECONDS
                    # Requests that arrived meanwhile must not wait for the same timeout.
                    batch += self._pending
                    self._pending = []
                    for limits, future in batch:
                        if not future.done():
                            future.set_result(self._decide_without_redis(limits))
        finally:
            self._sending = None

    async def _send(self, batch: list[tuple[ApplicableLimits, asyncio.Future[Decision]]]) -> None:
        keys: dict[str, int] = {}
        arguments: list[Any] = [len(batch)]
        sources: list[list[_BucketSource]] = []
        borrowing: list[_BucketState] = []
        now = self._clock()
        for limits, _ in batch:
            arguments.append(len(limits))
            request_sources: list[_BucketSource] = []
            for rule, subject in limits:
                bucket = self._bucket(rule.name, subject)
                # The braces place all buckets on one node of a Redis cluster, since a decision spans several.
                index = keys.setdefault(f"{{limits}}:{rule.name}:{subject}", len(keys) + 1)
                wanted, unspent, source = 1, 0, _TokenSource.BUCKET
                if bucket.available(now):
                    bucket.tokens -= 1  # another rule needs the call; this bucket has a token
                    wanted, source = 0, _TokenSource.LEASE
                elif rule.lease > 1 and not bucket.leasing:
                    # One of the concurrent requests takes the lease; the others take single tokens.
                    bucket.leasing = True
                    borrowing.append(bucket)
                    wanted, source = bucket.next_lease(now, rule), _TokenSource.NEW_LEASE
                    unspent, bucket.tokens = bucket.tokens, 0
                request_sources.append((bucket, source))
                window = int(rule.window * 1_000_000)
                arguments += [index, rule.limit, window, wanted, unspent, bucket.slice]
            sources.append(request_sources)
        try:
            reply = await self._take(keys=list(keys), args=arguments)
        finally:
            for bucket in borrowing:
                bucket.leasing = False
        numbers = iter(reply)
        for (limits, future), request_sources in zip(batch, sources, strict=True):
            decision = self._apply_reply(limits, request_sources, numbers)
            if not future.done():
                future.set_result(decision)

    def _apply_reply(
        self, limits: ApplicableLimits, request_sources: list[_BucketSource], numbers: Any
    ) -> Decision:
        """Update the local state with Redis' reply for one request and return the decision."""
        now = self._clock()
        allowed = bool(next(numbers))
        tightest: Decision | None = None
        for (rule, _), (bucket, source) in zip(limits, request_sources, strict=True):
            taken, tokens_left, full, wait, slice_ = (next(numbers) for _ in range(5))
            full, wait = full / 1e6, wait / 1e6
            bucket.tokens_left, bucket.full_at = tokens_left, now + full
            if allowed and source is _TokenSource.NEW_LEASE:
                bucket.tokens, bucket.size, bucket.slice = taken - 1, taken, slice_
                bucket.lease_expires_at = now + rule.lease_seconds
            elif not allowed and source is _TokenSource.LEASE:
                bucket.tokens += 1
            elif not allowed and wait > 0:
                bucket.rejected_until = now + wait
            remaining = tokens_left + bucket.available(now)
            candidate = Decision(
                allowed, DecisionMode.REMOTE, rule, remaining, full, 0.0 if allowed else wait
            )
            if tightest is None or _is_tighter(candidate, tightest):
                tightest = candidate
        self.counts[DecisionMode.REMOTE] += 1
        assert tightest is not None, "at least one rule applies"
        return tightest

    def _decide_without_redis(self, limits: ApplicableLimits) -> Decision:
        """Decide by each rule's ``local_limit``, counted in this pod only."""
        now = self._clock()
        states: list[tuple[str, float, float, Rule]] = []
        for rule, subject in limits:
            key = rule.name + ":" + subject
            interval = rule.window / rule.local_limit
            full_at = max(now, self._local.get(key, 0.0))
            states.append((key, full_at, interval, rule))
        rejected = [state for state in states if now + state[3].window - state[1] < state[2]]
        self.counts[DecisionMode.LOCAL] += 1
        if rejected:
            _, full_at, interval, rule = rejected[0]
            wait = full_at + interval - rule.window - now
            return Decision(False, DecisionMode.LOCAL, rule, 0, full_at - now, wait)
        decisions: list[Decision] = []
        for key, full_at, interval, rule in states:
            self._local.pop(key, None)
            self._local[key] = full_at + interval
            remaining = int((now + rule.window - full_at - interval) / interval)
            decisions.append(Decision(True, DecisionMode.LOCAL, rule, remaining, full_at + interval - now))
        while len(self._local) > _MAX_BUCKETS:
            del self._local[next(iter(self._local))]
        return min(decisions, key=lambda decision: decision.remaining)

    def _bucket(self, rule: str, subject: str) -> _BucketState:
        buckets = self._buckets.setdefault(rule, {})
        bucket = buckets.get(subject)
        if bucket is None:
            bucket = buckets[subject] = _BucketState()
            self._bucket_count += 1
            if self._bucket_count > _MAX_BUCKETS:
                # Evict the oldest of the rule with the most: at worst a lease is lost or a rejection is
                # requested again.
                fullest = max(self._buckets.values(), key=len)
                del fullest[next(iter(fullest))]
                self._bucket_count -= 1
        return bucket


def _is_tighter(one: Decision, other: Decision) -> bool:
    return (one.retry_after, -one.remaining) > (other.retry_after, -other.remaining)
