"""Functions over the samples of one range, and over the buckets of one histogram.

They follow `promql/functions.go` and `promql/quantile.go` of Prometheus 3. A range is open at its start, as
there; Prometheus 2 included a sample exactly at the start.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

# Times and values of the samples in a range, the start and the end of the range; None: no result.
RangeFunction = Callable[[Sequence[float], Sequence[float], float, float], float | None]


def increase(times: Sequence[float], values: Sequence[float], start: float, end: float) -> float | None:
    """Return the increase of a counter, resets added, extrapolated to the ends of the range."""
    if len(times) < 2:
        return None
    grown = values[-1] - values[0]
    previous = values[0]
    for value in values:
        if value < previous:
            grown += previous
        previous = value
    sampled = times[-1] - times[0]
    average = sampled / (len(times) - 1)
    to_start, to_end = times[0] - start, end - times[-1]
    threshold = average * 1.1
    if to_start >= threshold:
        to_start = average / 2
    if grown > 0 and values[0] >= 0:
        # A counter is never below 0, so it is not extrapolated to times before it would have been 0.
        to_start = min(to_start, sampled * (values[0] / grown))
    if to_end >= threshold:
        to_end = average / 2
    return grown * ((sampled + to_start + to_end) / sampled)


def rate(times: Sequence[float], values: Sequence[float], start: float, end: float) -> float | None:
    """Return the increase per second."""
    grown = increase(times, values, start, end)
    return None if grown is None else grown / (end - start)


def _over_time(function: Callable[[Sequence[float]], float]) -> RangeFunction:
    def apply(times: Sequence[float], values: Sequence[float], start: float, end: float) -> float | None:
        return function(values) if values else None

    return apply


RANGE_FUNCTIONS: Final[Mapping[str, RangeFunction]] = {
    "rate": rate,
    "increase": increase,
    "avg_over_time": _over_time(lambda values: math.fsum(values) / len(values)),
    "max_over_time": _over_time(max),
    "min_over_time": _over_time(min),
    "sum_over_time": _over_time(math.fsum),
    "count_over_time": _over_time(lambda values: float(len(values))),
    "last_over_time": _over_time(lambda values: values[-1]),
}


def histogram_quantile(share: float, buckets: Sequence[tuple[float, float]]) -> float:
    """Return the value below which `share` of the observations are; `buckets` are upper bounds and counts.

    Interpolated linearly within a bucket. NaN for a histogram without +Inf or without observations.
    """
    if math.isnan(share):
        return math.nan
    if share < 0:
        return -math.inf
    if share > 1:
        return math.inf
    counts: dict[float, float] = {}
    for bound, count in buckets:
        counts[bound] = counts.get(bound, 0.0) + count
    ordered = sorted(counts.items())
    if len(ordered) < 2 or not math.isinf(ordered[-1][0]):
        return math.nan
    # Scrapes of several pods do not end at the same moment: counts are made monotonic.
    highest = 0.0
    cumulative = []
    for bound, count in ordered:
        highest = max(highest, count)
        cumulative.append((bound, highest))
    observations = cumulative[-1][1]
    if observations == 0:
        return math.nan
    rank = share * observations
    at = next(index for index, (_, count) in enumerate(cumulative) if count >= rank)
    if at == len(cumulative) - 1:
        return cumulative[-2][0]
    upper, count = cumulative[at]
    if at == 0 and upper <= 0:
        return upper
    lower, below = (0.0, 0.0) if at == 0 else cumulative[at - 1]
    if count == below:
        return lower
    return lower + (upper - lower) * ((rank - below) / (count - below))
