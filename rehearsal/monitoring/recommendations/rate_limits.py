"""Rule for the service's rate limits."""

from __future__ import annotations

import math
from typing import Final

from app.auth.roles import Plan
from app.rate_limits.policies import RateLimitClass, RateLimitPolicies
from app.rate_limits.rules import Rule as RateLimit
from rehearsal.monitoring.recommendations.history import RecordedHistory, hours_of, share, values_at
from rehearsal.monitoring.recommendations.recommendation import ExpectedEffect, StackRecommendation
from rehearsal.monitoring.recommendations.workload import MARGIN, SHARE
from rehearsal.percentiles import percentile

# Maximum ratio of demand to a limit; a higher demand is considered abuse.
_ABUSE: Final = 10.0
_MAX_FACTOR: Final = 1000.0


def rate_limits(history: RecordedHistory) -> list[StackRecommendation]:
    """Raise the factor of the rate limits if they reject clients while capacity is free.

    Only limits of signed-in accounts and of addresses count: those of sign-in, sign-up, refresh and reset
    protect against guessing. The demand is estimated as that of one client, the 95th percentile of rejected
    requests plus the limit; several clients would need less. More than ten times a limit is considered abuse
    and causes no recommendation.
    """
    current = float(history.config["kingdom:workload"]["limitsFactor"])
    limits = _limits(current)
    free = _free(history)
    requests = values_at(history.line("requests"))
    demands: dict[str, float] = {}
    refused: dict[float, float] = {}
    hours = widening = 0.0
    for name, series in history.lines("rate-limited").items():
        if name not in limits or not history.enough(series):
            continue
        if share(series, lambda at, value: value > 0 and at in free) < SHARE:
            continue
        allowed = limits[name].limit / limits[name].window
        positive = [value for value in series.values if value > 0]
        demand = percentile(positive, 95) + allowed
        if demand > _ABUSE * allowed:
            continue
        demands[name] = demand
        hours, widening = max(hours, hours_of(series)), max(widening, history.widening(series))
        for at, value in values_at(series).items():
            if at in requests:
                refused[at] = refused.get(at, 0.0) + value
    offered = sum(requests[at] for at in refused)
    if not demands or offered <= 0:
        return []
    raised = max(
        MARGIN * demand * limits[name].window / limits[name].limit for name, demand in demands.items()
    )
    new = min(_rounded_up(current * raised), _MAX_FACTOR)
    if new <= current:
        return []
    after = _limits(new)
    mean = offered / len(refused)
    excess = sum(
        max(0.0, demand * widening - after[name].limit / after[name].window)
        for name, demand in demands.items()
    )
    now = 100 * sum(refused.values()) / offered
    names = ", ".join(sorted(demands))
    return [
        StackRecommendation(
            "rate-limits",
            f"{now:.0f} % of requests are refused by the limits {names} while capacity is free",
            ("kingdom:workload", "limitsFactor"),
            f"{current:g}",
            f"{new:g}",
            {
                "refused_percent": now,
                "hours": hours,
                **{f"demand_{name}_per_second": demand for name, demand in demands.items()},
            },
            ExpectedEffect(
                "requests refused by rate limits",
                "%",
                now,
                0.0,
                min(now, 100 * excess / (mean * widening)),
            ),
            "Raises all limits, those of sign-in too: more attempts to guess a password are allowed.",
            f"Set limitsFactor to {current:g} again.",
        )
    ]


def _limits(factor: float) -> dict[str, RateLimit]:
    """Return the limits that requests of a signed-in account are charged to, by name."""
    policies = RateLimitPolicies(factor)
    return {
        rule.name: rule
        for limit_class in RateLimitClass
        for plan in Plan
        for rule, _ in policies.applicable(limit_class, "", "account", plan.value)
    }


def _free(history: RecordedHistory) -> set[float]:
    """Return the times at which response times and CPU are within their warning and overload rejects nothing.

    Without a value of both, nothing is known about the capacity.
    """
    times = []
    for signal in ("response-time", "cpu"):
        limit = history.warning(signal)
        values = values_at(history.line(signal))
        times.append({at for at, value in values.items() if limit is None or value <= limit})
    free = set.intersection(*times)
    for series in history.lines("refused").values():
        free -= {at for at, value in values_at(series).items() if value > 0}
    return free


def _rounded_up(factor: float) -> float:
    """Round up to two significant digits."""
    scale = 10 ** (math.floor(math.log10(factor)) - 1)
    return float(f"{math.ceil(round(factor / scale, 6)) * scale:.6g}")
