"""Decides whether a request may go on.

One decision covers every rule that applies to a request, and takes from all of their buckets or from none.
While the pod holds leases for all of them it decides by itself; otherwise it asks Redis once, and everything
that is asked in the same moment travels in the same script call. A refusal is remembered until it ends, so a
client that hammers costs Redis nothing.
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

from app.connections import REDIS_GONE
from app.rate_limits.rules import Rule

log = structlog.get_logger()

_SCRIPT: Final = Path(__file__).parent / "lua" / "take.lua"
_MOST_HOLDINGS: Final = 50_000
_MOST_TOGETHER: Final = 128
_REDIS_RESTS_SECONDS: Final = 1.0
_PATIENCE_SECONDS: Final = 0.5  # a request waits no longer for a Redis that hangs

# The rules that apply to a request, each with whom it counts: an account, an address, a route.
Demand: TypeAlias = tuple[tuple[Rule, str], ...]


class Mode(StrEnum):
    """How a decision came about."""

    LEASED = "leased"
    ASKED = "asked"
    BLIND = "blind"


class _Source(Enum):
    """Where the token of a request comes from."""

    BUCKET = 1
    NEW_LEASE = 2
    LEASE = 3


@dataclass(slots=True)  # not frozen: made for every request, it would cost three times as much
class Decision:
    """The answer, told by the rule that is nearest to its end."""

    allowed: bool
    mode: Mode
    rule: Rule
    remaining: int
    reset: float
    retry_after: float = 0.0

    def headers(self) -> list[tuple[bytes, bytes]]:
        """As draft-ietf-httpapi-ratelimit-headers-10 has them, and ``Retry-After`` (RFC 9110)."""
        name, policy = self.rule.told
        left = b"%s;r=%d;t=%d" % (name, self.remaining, math.ceil(self.reset))
        headers = [(b"ratelimit-policy", policy), (b"ratelimit", left)]
        if not self.allowed:
            headers.append((b"retry-after", b"%d" % max(1, math.ceil(self.retry_after))))
        return headers


class _Holding:
    """What the pod knows of one bucket: what it has leased, and until when it has been refused.

    ``size`` is how many tokens the lease had, ``slice`` the slice of the window that Redis counts them in.
    """

    __slots__ = ("asking", "full_at", "lapses_at", "left", "refused_until", "size", "slice", "tokens")

    def __init__(self) -> None:
        self.tokens = 0
        self.size = 0
        self.slice = 0
        self.lapses_at = 0.0
        self.refused_until = 0.0
        self.left = 0
        self.full_at = 0.0
        self.asking = False

    def held(self, now: float) -> int:
        """Tokens that may be spent."""
        return self.tokens if now < self.lapses_at else 0

    def next_lease(self, now: float, rule: Rule) -> int:
        """How many tokens to lease now that none may be spent: twice as many when the last ones were spent in
        time, as many as were spent when they were not, and one after a rest.

        So a pod holds back about what it needs: a hundred pods with whole leases would hold back several
        limits from somebody who spends a part of one.
        """
        if now < self.lapses_at:
            return min(2 * self.size, rule.lease)
        if now < self.lapses_at + rule.lapse:
            return max(1, self.size - self.tokens)
        return 1


_Wish: TypeAlias = tuple[_Holding, _Source]


class Limiter:
    """Limits of one service, shared by its pods through Redis."""

    def __init__(self, redis: Redis, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._take = redis.register_script(_SCRIPT.read_text())
        self._clock = clock
        self._holdings: dict[str, _Holding] = {}
        self._blind: dict[str, float] = {}
        self._waiting: list[tuple[Demand, asyncio.Future[Decision]]] = []
        self._asking: asyncio.Task[None] | None = None
        self._redis_rests_until = 0.0
        self.counts = dict.fromkeys(Mode, 0)

    async def decide(self, demand: Demand) -> Decision:
        """The decision on one request. Never raises for Redis; a ``demand`` has at least one rule."""
        decision = self.decide_alone(demand)
        if decision is not None:
            return decision
        if self._clock() < self._redis_rests_until:
            return self._decide_blind(demand)
        answer: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        self._waiting.append((demand, answer))
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask_all())
        return await answer

    def decide_alone(self, demand: Demand) -> Decision | None:
        """The decision when the pod can make it without Redis, else ``None``."""
        now = self._clock()
        held: list[_Holding] = []
        for rule, subject in demand:
            holding = self._holdings.get(rule.name + ":" + subject)
            if holding is None:
                return None
            if now < holding.refused_until:
                self.counts[Mode.LEASED] += 1
                wait = holding.refused_until - now
                return Decision(False, Mode.LEASED, rule, 0, max(wait, holding.full_at - now), wait)
            if holding.held(now) < 1:
                return None
            held.append(holding)
        tightest, least = 0, math.inf
        for at, holding in enumerate(held):
            holding.tokens -= 1
            remaining = holding.left + holding.tokens
            if remaining < least:
                tightest, least = at, remaining
        self.counts[Mode.LEASED] += 1
        holding = held[tightest]
        reset = max(0.0, holding.full_at - now)
        return Decision(True, Mode.LEASED, demand[tightest][0], holding.left + holding.tokens, reset)

    async def _ask_all(self) -> None:
        """Ask for everything that waits, together, until nothing does."""
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:_MOST_TOGETHER], self._waiting[_MOST_TOGETHER:]
                try:
                    async with asyncio.timeout(_PATIENCE_SECONDS):
                        await self._ask(batch)
                except REDIS_GONE as error:
                    log.warning("limits are local", error=type(error).__name__)
                    self._redis_rests_until = self._clock() + _REDIS_RESTS_SECONDS
                    # Those who came meanwhile must not wait for the same in their turn.
                    batch += self._waiting
                    self._waiting = []
                    for demand, answer in batch:
                        if not answer.done():
                            answer.set_result(self._decide_blind(demand))
        finally:
            self._asking = None

    async def _ask(self, batch: list[tuple[Demand, asyncio.Future[Decision]]]) -> None:
        keys: dict[str, int] = {}
        arguments: list[Any] = [len(batch)]
        wishes: list[list[_Wish]] = []
        borrowing: list[_Holding] = []
        now = self._clock()
        for demand, _ in batch:
            arguments.append(len(demand))
            wish: list[_Wish] = []
            for rule, subject in demand:
                key = rule.name + ":" + subject
                holding = self._hold(key)
                # All buckets on one node of a Redis cluster: a decision spans any of them.
                index = keys.setdefault(f"{{limits}}:{key}", len(keys) + 1)
                wanted, unspent, source = 1, 0, _Source.BUCKET
                if holding.held(now):
                    holding.tokens -= 1  # another rule asks; here there is enough
                    wanted, source = 0, _Source.LEASE
                elif rule.lease > 1 and not holding.asking:
                    # One of those who ask together brings the lease; the others take what they need.
                    holding.asking = True
                    borrowing.append(holding)
                    wanted, source = holding.next_lease(now, rule), _Source.NEW_LEASE
                    unspent, holding.tokens = holding.tokens, 0
                wish.append((holding, source))
                window = int(rule.window * 1_000_000)
                arguments += [index, rule.limit, window, wanted, unspent, holding.slice]
            wishes.append(wish)
        try:
            reply = await self._take(keys=list(keys), args=arguments)
        finally:
            for holding in borrowing:
                holding.asking = False
        numbers = iter(reply)
        for (demand, answer), wish in zip(batch, wishes, strict=True):
            decision = self._learn(demand, wish, numbers)
            if not answer.done():
                answer.set_result(decision)

    def _learn(self, demand: Demand, wish: list[_Wish], numbers: Any) -> Decision:
        """Note what Redis said of one demand."""
        now = self._clock()
        allowed = bool(next(numbers))
        tightest: Decision | None = None
        for (rule, _), (holding, source) in zip(demand, wish, strict=True):
            taken, left, full, wait, slice_ = (next(numbers) for _ in range(5))
            full, wait = full / 1e6, wait / 1e6
            holding.left, holding.full_at = left, now + full
            if allowed and source is _Source.NEW_LEASE:
                holding.tokens, holding.size, holding.slice = taken - 1, taken, slice_
                holding.lapses_at = now + rule.lapse
            elif not allowed and source is _Source.LEASE:
                holding.tokens += 1
            elif not allowed and wait > 0:
                holding.refused_until = now + wait
            remaining = left + holding.held(now)
            candidate = Decision(allowed, Mode.ASKED, rule, remaining, full, 0.0 if allowed else wait)
            if tightest is None or _tighter(candidate, tightest):
                tightest = candidate
        self.counts[Mode.ASKED] += 1
        assert tightest is not None, "a demand has at least one rule"
        return tightest

    def _decide_blind(self, demand: Demand) -> Decision:
        """Without Redis: each rule's ``blind`` allowance, counted in this pod alone."""
        now = self._clock()
        states: list[tuple[str, float, float, Rule]] = []
        for rule, subject in demand:
            key = rule.name + ":" + subject
            earn = rule.window / rule.blind
            full_at = max(now, self._blind.get(key, 0.0))
            states.append((key, full_at, earn, rule))
        refused = [state for state in states if now + state[3].window - state[1] < state[2]]
        self.counts[Mode.BLIND] += 1
        if refused:
            _, full_at, earn, rule = refused[0]
            wait = full_at + earn - rule.window - now
            return Decision(False, Mode.BLIND, rule, 0, full_at - now, wait)
        decisions: list[Decision] = []
        for key, full_at, earn, rule in states:
            self._blind.pop(key, None)
            self._blind[key] = full_at + earn
            remaining = int((now + rule.window - full_at - earn) / earn)
            decisions.append(Decision(True, Mode.BLIND, rule, remaining, full_at + earn - now))
        while len(self._blind) > _MOST_HOLDINGS:
            del self._blind[next(iter(self._blind))]
        return min(decisions, key=lambda decision: decision.remaining)

    def _hold(self, key: str) -> _Holding:
        holding = self._holdings.get(key)
        if holding is None:
            holding = self._holdings[key] = _Holding()
            if len(self._holdings) > _MOST_HOLDINGS:
                # The oldest: at worst a lease is lost, or a refusal asked for once more.
                del self._holdings[next(iter(self._holdings))]
        return holding


def _tighter(one: Decision, other: Decision) -> bool:
    return (one.retry_after, -one.remaining) > (other.retry_after, -other.remaining)
