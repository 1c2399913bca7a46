"""Rules for the roles: memory, CPU requests, and targets and bounds of the autoscaler."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from app.monitoring.source import TimeSeries
from app.monitoring.trends import buckets, detect
from rehearsal.monitoring.recommendations.history import (
    RecordedHistory,
    hours_of,
    ratio,
    share,
    values_at,
)
from rehearsal.monitoring.recommendations.recommendation import ExpectedEffect, StackRecommendation
from rehearsal.percentiles import percentile

MARGIN: Final = 1.15
"""The margin above a measured use, as in the Vertical Pod Autoscaler and in Robusta's KRR."""
SHARE: Final = 0.1
"""The share of the time for which a state must have lasted to count."""
_MIB: Final = 1024 * 1024
_MEMORY_STEP_MI: Final = 32
_CPU_STEP_MILLI: Final = 10
_MIN_CPU_MILLI: Final = 30  # the smallest recommendation of the Vertical Pod Autoscaler is 25
_WORTH: Final = 1.2  # minimum ratio of a request to the need for which it is lowered
_STEADY: Final = 0.95  # the share of the time at a bound that counts as always
_QUEUE_SECONDS: Final = 60.0
_TOLERANCE: Final = 1.1  # of the HorizontalPodAutoscaler
_SCALE_EARLIER: Final = 1.2
_MIN_CPU_PERCENT: Final = 30
_TREND_BUCKETS: Final = 48


def memory(history: RecordedHistory) -> list[StackRecommendation]:
    """Right-size the memory of a role: the maximum plus 15 %; a short history widens both bounds.

    The memory of a role whose use is still rising is not lowered, because its maximum is not known yet.
    """
    found = []
    lines = history.lines("memory-by-role")
    for role, settings in history.roles.items():
        series = lines.get(role)
        if series is None or not history.enough(series):
            continue
        peak = max(series.values) / _MIB
        if peak <= 0:  # every process uses memory: the metric is wrong
            continue
        target = peak * MARGIN
        widening = history.widening(series)
        upper = target * widening
        current = int(settings["resources"]["memoryMi"])
        if current < target:
            new = _rounded_up(target, _MEMORY_STEP_MI)
            finding = f"{role}: the largest pod used {peak:.0f} MiB of {current} MiB"
            risk = "Larger pods may need another node."
        elif current > upper * _WORTH and not _rising(series):
            new = _rounded_up(upper, _MEMORY_STEP_MI)
            finding = f"{role}: no pod used more than {peak:.0f} MiB of {current} MiB"
            risk = "A peak that was not recorded ends a pod, which is started again."
        else:
            continue
        if new == current:
            continue
        found.append(
            StackRecommendation(
                "memory",
                finding,
                ("kingdom:workload", role, "resources", "memoryMi"),
                str(current),
                str(new),
                {"peak_mib": peak, "hours": hours_of(series), "points": len(series.values)},
                ExpectedEffect(
                    "memory use of the largest pod",
                    "%",
                    100 * peak / current,
                    100 * percentile(series.values, 50) / _MIB / MARGIN / widening / new,
                    min(100.0, 100 * upper / new),
                ),
                risk,
                f"Set memoryMi of {role} to {current} again.",
            )
        )
    return found


def cpu_request(history: RecordedHistory) -> list[StackRecommendation]:
    """Right-size the CPU request of a role while its autoscaler is at a bound.

    Between its bounds the autoscaler keeps the use at its target for any request, so the use implies no
    change. At the minimum the request is lowered until the 95th percentile plus 15 % reaches the target, so
    that the replicas stay as they are. At the maximum it is raised to the 90th percentile plus 15 %, so that
    nodes are not overcommitted.
    """
    found = []
    for role, settings in history.roles.items():
        use, replicas = _cores_per_pod(history, role), history.line("replicas", role)
        if not history.enough(use) or not history.enough(replicas):
            continue
        current = int(settings["resources"]["cpuMilli"])
        limit = int(settings["resources"]["cpuLimitMilli"])
        target = int(settings["cpuPercent"]) / 100
        middle, high, highest = (1000 * percentile(use.values, percent) for percent in (50, 90, 95))
        if highest <= 0:  # an event loop that runs uses CPU: the metric is wrong
            continue
        widening = history.widening(use)
        upper = min(highest * MARGIN * widening, limit)
        if _at_maximum(replicas, settings) >= _STEADY and high * MARGIN > current:
            new = min(_rounded_up(high * MARGIN, _CPU_STEP_MILLI), limit)
            bound = min(100 * upper / new, 100 * limit / new)
            finding = f"{role}: at its maximum of replicas a pod used {high:.0f}m of {current}m CPU"
            risk = "Larger requests may need another node."
        elif _at_minimum(replicas, settings) >= _STEADY:
            new = max(_rounded_up(upper / target, _CPU_STEP_MILLI), _MIN_CPU_MILLI)
            bound = 100 * upper / new
            finding = f"{role}: at its minimum of replicas no more than {highest:.0f}m of {current}m CPU used"
            risk = "Replicas are added from a lower use on, and pods on a full node get less CPU."
            if current <= new * _WORTH:
                continue
        else:
            continue
        if new == current:
            continue
        found.append(
            StackRecommendation(
                "cpu-request",
                finding,
                ("kingdom:workload", role, "resources", "cpuMilli"),
                str(current),
                str(new),
                {
                    "milli_p50": middle,
                    "milli_p90": high,
                    "milli_p95": highest,
                    "replicas": percentile(replicas.values, 50),
                    "hours": hours_of(use),
                },
                ExpectedEffect(
                    "CPU of a pod, 95th percentile",
                    "% of the request",
                    100 * highest / current,
                    100 * middle / MARGIN / widening / new,
                    bound,
                ),
                risk,
                f"Set cpuMilli of {role} to {current} again.",
            )
        )
    return found


def max_replicas(history: RecordedHistory) -> list[StackRecommendation]:
    """Raise the maximum of an autoscaler that has reached it while its role is too slow.

    Moments at which some of the replicas do not run do not count: more of them would not run either.
    """
    found = []
    replicas, running = history.lines("replicas"), history.lines("running-pods")
    for role, (late, limit) in _late(history).items():
        settings, series = history.roles[role], replicas.get(role)
        if series is None or not history.enough(series):
            continue
        maximum = int(settings["maxReplicas"])
        pods = values_at(running.get(role, TimeSeries({})))
        held = share(
            series,
            lambda at, value: value >= maximum and at in late and pods.get(at, value) >= value,  # noqa: B023
        )
        if held < SHARE:
            continue
        new = maximum + max(1, math.ceil(maximum / 2))
        now = float(maximum)
        found.append(
            StackRecommendation(
                "max-replicas",
                f"{role}: at its maximum of {maximum} replicas and slower than {limit:g} s"
                f" for {held:.0%} of the time",
                ("kingdom:workload", role, "maxReplicas"),
                str(maximum),
                str(new),
                {"share_at_maximum": held, "hours": hours_of(series), "limit_seconds": limit},
                # At most linear: replicas have no effect if pods wait for a shared resource.
                ExpectedEffect("capacity in replicas", "1", now, now, float(new)),
                "Costs more under load; no help when the database is what is slow.",
                f"Set maxReplicas of {role} to {maximum} again.",
            )
        )
    return found


def scaling_target(history: RecordedHistory) -> list[StackRecommendation]:
    """Lower the CPU target of a role that is too slow while its use is near the target.

    The autoscaler adds no replica below 1.1 times its target. The new target is the median use in that time
    divided by 1.2, and the replicas follow from the autoscaler's own formula, ceil(replicas * use / target).
    """
    found = []
    for role, (late, limit) in _late(history).items():
        settings = history.roles[role]
        use, replicas = _cores_per_pod(history, role), history.line("replicas", role)
        if not history.enough(use) or not history.enough(replicas):
            continue
        target, request = int(settings["cpuPercent"]), int(settings["resources"]["cpuMilli"])
        maximum, counts = int(settings["maxReplicas"]), values_at(replicas)
        percent = {at: 100_000 * cores / request for at, cores in values_at(use).items()}
        held = [
            at
            for at, value in percent.items()
            if at in late and 0.8 * target <= value < _TOLERANCE * target and 0 < counts[at] < maximum
        ]
        if len(held) / len(percent) < SHARE:
            continue
        uses = [percent[at] for at in held]
        new = math.floor(percentile(uses, 50) / _SCALE_EARLIER)
        if new < _MIN_CPU_PERCENT:
            continue
        now = percentile([counts[at] for at in held], 50)
        found.append(
            StackRecommendation(
                "scaling-target",
                f"{role}: slower than {limit:g} s for {len(held) / len(percent):.0%} of the time, at"
                f" {percentile(uses, 50):.0f} % CPU, near the target of {target} %",
                ("kingdom:workload", role, "cpuPercent"),
                str(target),
                str(new),
                {"use_percent": percentile(uses, 50), "replicas": now, "hours": hours_of(use)},
                ExpectedEffect(
                    "replicas in that time",
                    "1",
                    now,
                    min(float(maximum), now + 1),
                    min(float(maximum), math.ceil(now * percentile(uses, 95) * MARGIN / new)),
                ),
                "Costs more under load; no help when the database is what is slow.",
                f"Set cpuPercent of {role} to {target} again.",
            )
        )
    return found


def min_replicas(history: RecordedHistory) -> list[StackRecommendation]:
    """Lower the minimum of an autoscaler that never exceeds it, to the replicas that the recorded load needs.

    The need is that of the autoscaler's fixed point: cores / (target * request) and requests per second /
    target, of the 95th percentile with the widening of a short history. A minimum of two or more stays at
    least two.
    """
    found = []
    requests = history.line("requests")
    late = _late(history)
    for role, settings in history.roles.items():
        cores, replicas = history.line("cpu-by-role", role), history.line("replicas", role)
        current = int(settings["minReplicas"])
        if not history.enough(cores) or not history.enough(replicas) or current <= 2:
            continue
        if percentile(cores.values, 95) <= 0:  # an event loop that runs uses CPU: the metric is wrong
            continue
        if _at_minimum(replicas, settings) < _STEADY or late.get(role, (frozenset(), 0.0))[0]:
            continue
        per_pod = int(settings["cpuPercent"]) / 100 * int(settings["resources"]["cpuMilli"]) / 1000
        demands = [(cores, per_pod)]
        if "requests" in settings["signals"]:
            if not history.enough(requests):
                continue
            demands.append((requests, settings["signals"]["requests"]["targetMilli"] / 1000))
        usual = max(percentile(series.values, 50) / each for series, each in demands)
        needed = max(
            percentile(series.values, 95) * history.widening(series) / each for series, each in demands
        )
        new = max(2, math.ceil(needed))
        if new >= current:
            continue
        found.append(
            StackRecommendation(
                "min-replicas",
                f"{role}: at its minimum of {current} replicas all the time, {new} carry the recorded load",
                ("kingdom:workload", role, "minReplicas"),
                str(current),
                str(new),
                {
                    "needed_replicas": needed,
                    "cores_p95": percentile(cores.values, 95),
                    "hours": hours_of(replicas),
                },
                ExpectedEffect(
                    "replicas at rest", "1", float(current), float(max(2, math.ceil(usual))), float(new)
                ),
                "Less capacity in reserve for a sudden crowd and for the loss of a zone.",
                f"Set minReplicas of {role} to {current} again.",
            )
        )
    return found


def node_pool(history: RecordedHistory) -> list[StackRecommendation]:
    """Report pods that are pending for a tenth of the time after the autoscaler created them.

    A moment at which another role has pods and this one has none counts; one at which no role has any is a
    gap of the recording.
    The bounds of node pools are derived from `maxReplicas` and the requests (`infra/settings/sizing.py`), so
    no setting is too small: the region lacks capacity or quota.
    """
    found = []
    running = history.lines("running-pods")
    recorded = {at for series in running.values() for at in series.times}
    for role in history.roles:
        replicas, pods = history.line("replicas", role), running.get(role)
        if pods is None or not history.enough(replicas) or not history.enough(pods):
            continue
        counts = values_at(pods)
        missing = {
            at: value - counts.get(at, 0.0) for at, value in values_at(replicas).items() if at in recorded
        }
        lacking = [value for value in missing.values() if value >= 1]
        if not missing or len(lacking) / len(missing) < SHARE:
            continue
        now = percentile(lacking, 50)
        found.append(
            StackRecommendation(
                "node-pool",
                f"{role}: {now:.0f} replicas did not run, or could not be scraped, for"
                f" {len(lacking) / len(missing):.0%} of the time",
                (),
                "",
                "",
                {
                    "share": len(lacking) / len(missing),
                    "missing_replicas": now,
                    "hours": hours_of(replicas),
                },
                ExpectedEffect("replicas that do not run", "1", now, 0.0, now),
                "None: nothing is changed.",
                "Not needed.",
                "The bounds of node pools follow from maxReplicas: look for Pending pods and for pods that"
                " restart, compare the quotas with `kingdom quotas`, and give the pool another machineType"
                " where the region has none.",
            )
        )
    return found


def _rising(series: TimeSeries) -> bool:
    """Whether a line has a trend that continues at its end, in buckets of a 48th of its time."""
    seconds = (series.times[-1] - series.times[0]) / _TREND_BUCKETS
    times = [series.times[0] + seconds * index for index in range(_TREND_BUCKETS + 1)]
    found = buckets(series, times[0], seconds, len(times))
    return detect(times, found, settles=True) is not None


def _cores_per_pod(history: RecordedHistory, role: str) -> TimeSeries:
    return ratio(history.line("cpu-by-role", role), history.line("replicas", role))


def _late(history: RecordedHistory) -> dict[str, tuple[frozenset[float], float]]:
    """Return the times at which each role with a measure of slowness is too slow, and the limit.

    The limit is in seconds.
    """
    need = {
        "api": ("response-time", history.warning("response-time")),
        "worker": ("queue-age", _QUEUE_SECONDS),
    }
    found = {}
    for role, (signal, limit) in need.items():
        if role in history.roles and limit is not None:
            values = values_at(history.line(signal))
            found[role] = frozenset(at for at, value in values.items() if value > limit), limit
    return found


def _at_minimum(replicas: TimeSeries, settings: Mapping[str, Any]) -> float:
    return share(replicas, lambda _, value: value <= int(settings["minReplicas"]))


def _at_maximum(replicas: TimeSeries, settings: Mapping[str, Any]) -> float:
    return share(replicas, lambda _, value: value >= int(settings["maxReplicas"]))


def _rounded_up(amount: float, step: int) -> int:
    return math.ceil(amount / step) * step
