"""Trends and shifts of one line of a signal, compared at equal load."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from app.monitoring.source import TimeSeries
from app.monitoring.statistics import Slope, change_point, hinge_point, shift, slope, spread, step_point

MIN_BUCKETS: Final = 20
_MIN_SEGMENT: Final = 5
_MIN_STRATUM: Final = 6
# With five, the load still differs so much within one stratum that a load which rises for ten hours appears
# as a trend.
_STRATA: Final = 8
# Loads that differ by less are equal: more strata of a constant load would only reduce the tests' power.
_MIN_WIDTH: Final = 0.1
# Three required conditions: significance, size relative to the value and to the noise, and superiority.
# Values of neighboring buckets are correlated, so a p-value is smaller than it should be; the limit allows
# for that.
_MAX_P: Final = 1e-6
_MIN_CHANGE: Final = 0.2
_MIN_NOISES: Final = 3.0
_MIN_SUPERIORITY: Final = 0.9
# The window of a rate in buckets of the shortest scale: 300 s and 60 s, or 25 s and 5 s where both are
# compressed.
_RATE_BUCKETS: Final = 5
# A slope has to fit better than a step by this difference of log-likelihoods, which makes it 7.4 (e^2) times
# as likely: positive evidence by Kass and Raftery (1995). A step described as a slope predicts a meaningless
# time to the threshold; a slope described as a step only lacks that time.
_SLOPE_COST: Final = 2.0
# Of a process that has started, memory rises until its caches and arenas are filled. While it still rises by
# more than half of its mean slope, less than two time constants of an exponential have passed.
_MIN_STEADY: Final = 0.5
# The smallest scale of deviations from a fit, relative to the noise and to the change. A percentile from a
# histogram is almost constant while its observations are in one bucket: with less than a tenth of the change,
# the step would be placed at the beginning of such a plateau.
_MIN_SCALE: Final = 0.3
_MIN_SHARE: Final = 0.1


@dataclass(frozen=True)
class Change:
    """A change: `kind` is `trend` or `shift`, from `before` to `after`, beginning at `onset`.

    `slope`, `slope_low` and `slope_high` are per second, 0 for a shift; `p` is the p-value, `noise` the
    standard deviation around the trend.
    """

    kind: str
    onset: float
    before: float
    after: float
    p: float
    slope: float = 0.0
    slope_low: float = 0.0
    slope_high: float = 0.0
    noise: float = 0.0

    @property
    def relative(self) -> float:
        """The change relative to the value before."""
        return (self.after - self.before) / abs(self.before) if self.before else math.inf

    def hours_to(self, limit: float) -> tuple[float, float] | None:
        """Return the hours until the value reaches `limit`, from both bounds of the slope.

        None for a shift, or a slope away from the limit. The second value is infinite if the lower bound of
        the slope does not reach the limit.
        """
        distance = limit - self.after
        sign = 1.0 if distance >= 0 else -1.0
        slow, fast = sorted((sign * self.slope_low, sign * self.slope_high))
        if self.kind != "trend" or fast <= 0:
            return None
        near, far = max(0.0, abs(distance) - self.noise), abs(distance) + self.noise
        return near / fast / 3600, far / slow / 3600 if slow > 0 else math.inf


def buckets(series: TimeSeries, start: float, seconds: float, count: int) -> list[float | None]:
    """Return the median of each bucket of `seconds`, None for one without a value."""
    found: dict[int, list[float]] = defaultdict(list)
    for at, value in zip(series.times, series.values, strict=True):
        index = int((at - start) // seconds)
        if 0 <= index < count:
            found[index].append(value)
    return [median(found[index]) if index in found else None for index in range(count)]


def ramp_of(bucket: float, min_bucket: float) -> int:
    """Return the number of buckets of `bucket` seconds over which a rate shows a step as a ramp.

    `min_bucket` is the length in seconds of the shortest scale's buckets. The ramp is one bucket longer than
    the window of the rate, because the step is within a bucket.
    """
    return math.ceil(_RATE_BUCKETS * (min_bucket / bucket)) + 1


def detect(
    times: Sequence[float],
    values: Sequence[float | None],
    load: Sequence[float | None] | None = None,
    worse: str = "above",
    ramp: int = _RATE_BUCKETS + 1,
    min_change: float = 0.0,
    *,
    settles: bool = False,
) -> Change | None:
    """Return the degradation in bucketed values; None if there is none or the data is insufficient.

    With `load`, values are compared only with those at a similar load. A shift may have up to `ramp` values
    between both levels (`ramp_of`); the default is that of the shortest scale. A change below `min_change`,
    in the unit of the values, is not a degradation. With `settles`, neither is a trend that levels off, as
    the memory of a process does after its start.
    """
    points = [
        (at, value, 0.0 if load is None else load[index])
        for index, (at, value) in enumerate(zip(times, values, strict=True))
        if value is not None
    ]
    known = [(at, value, demand) for at, value, demand in points if demand is not None]
    if len(known) < MIN_BUCKETS:
        return None
    at = [point[0] for point in known]
    sign = -1.0 if worse == "below" else 1.0
    measured = [sign * point[1] for point in known]
    strata = _strata([point[2] for point in known])
    change = _change(at, measured, strata, ramp, settles=settles)
    if change is None or change.after - change.before < min_change:
        return None
    return Change(
        change.kind,
        change.onset,
        sign * change.before,
        sign * change.after,
        change.p,
        sign * change.slope,
        sign * (change.slope_low if sign > 0 else change.slope_high),
        sign * (change.slope_high if sign > 0 else change.slope_low),
        change.noise,
    )


def _strata(load: Sequence[float]) -> list[int]:
    """Return groups of similar load: quantiles of equal size, more of them for a wider range of load."""
    order = sorted(range(len(load)), key=lambda index: load[index])
    # The middle four fifths, so that a few buckets of another load do not make a constant load appear
    # variable.
    outer = len(load) // 10
    low, high = load[order[outer]], load[order[-1 - outer]]
    if high <= low:
        return [0] * len(load)
    wide = int(math.log(high / low) / math.log1p(_MIN_WIDTH)) if low > 0 else _STRATA
    count = max(1, min(_STRATA, len(load) // _MIN_STRATUM, wide))
    strata = [0] * len(load)
    for position, index in enumerate(order):
        strata[index] = position * count // len(load)
    return strata


def _residuals(values: Sequence[float], strata: Sequence[int]) -> list[float]:
    """Return the differences from the median of the early half of each stratum.

    That median is the normal value at the stratum's load.
    """
    groups: dict[int, list[float]] = defaultdict(list)
    for value, stratum in zip(values, strata, strict=True):
        groups[stratum].append(value)
    normal = {stratum: median(group[: max(3, len(group) // 2)]) for stratum, group in groups.items()}
    return [value - normal[stratum] for value, stratum in zip(values, strata, strict=True)]


def _noise(residuals: Sequence[float], lag: int) -> float:
    """Return the noise between values `lag` buckets apart, to which a trend or a shift adds little.

    Rates over a window of `lag` buckets have most of their samples in common if they are closer: the noise
    between neighbors would be less than half of that of the values.
    """
    pairs = zip(residuals, residuals[lag:], strict=False)
    return spread([two - one for one, two in pairs]) / math.sqrt(2)


def _large(change: float, base: float, noise: float, ratios: float | None) -> bool:
    """Whether a change is large relative to `base` and to the noise.

    `ratios` is the noise of the logarithms, None where they do not exist. Times have a noise in proportion to
    their level: after a large rise, the noise of the new level hides the change unless ratios are compared.
    """
    if change <= 0 or change < _MIN_CHANGE * abs(base):
        return False
    if change >= _MIN_NOISES * noise:
        return True
    return ratios is not None and base > 0 and math.log1p(change / base) >= _MIN_NOISES * ratios


def _noise_of_ratios(values: Sequence[float], strata: Sequence[int], lag: int) -> float | None:
    if min(values) <= 0:
        return None
    return _noise(_residuals([math.log(value) for value in values], strata), lag)


def _levels_off(at: Sequence[float], values: Sequence[float], rate: float) -> bool:
    """Whether the last third of rising values rises by less than a share of `rate`, the slope of them all."""
    count = max(_MIN_SEGMENT, len(values) // 3)
    recent = slope(at[-count:], values[-count:])
    return recent is None or recent.slope < _MIN_STEADY * rate


def _change(
    at: Sequence[float], values: Sequence[float], strata: Sequence[int], ramp: int, *, settles: bool
) -> Change | None:
    """Return a rise that is significant as a trend or as a shift, described as the one that fits better.

    A step is significant as a trend before it is significant as a shift, and the reverse for a slope. With
    the wrong description, the onset is several buckets off and the predicted time to a threshold is
    meaningless.
    """
    residuals = _residuals(values, strata)
    level = change_point(residuals, _MIN_SEGMENT)
    drift = slope(at, values, strata)
    step = shift(values[:level], values[level:], strata[:level], strata[level:])
    p = min(
        1.0 if drift is None or drift.slope < 0 else drift.p,
        1.0 if step is None or step.shift <= 0 else step.p,
    )
    if p > _MAX_P or drift is None or step is None:
        return None
    recent = abs(median(residuals[-_MIN_SEGMENT:]))
    noise = _noise(residuals, ramp - 1)
    ratios = _noise_of_ratios(values, strata, ramp - 1)
    floor = max(_MIN_SCALE * noise, _MIN_SHARE * recent, math.ulp(1.0))
    index, between, step_cost = step_point(residuals, _MIN_SEGMENT, ramp, floor)
    onset, slope_cost = hinge_point(at, residuals, _MIN_SEGMENT, floor)
    if step_cost < slope_cost + _SLOPE_COST:
        return _shift(at, values, residuals, strata, index, index + between, p, noise, ratios)
    rising = slope(at[onset:], values[onset:], strata[onset:]) or drift
    if settles and _levels_off(at[onset:], residuals[onset:], rising.slope):
        return None
    return _trend(at, values, residuals, onset, rising, p, noise, ratios)


def _trend(
    at: Sequence[float],
    values: Sequence[float],
    residuals: Sequence[float],
    onset: int,
    rising: Slope,
    p: float,
    noise: float,
    ratios: float | None,
) -> Change | None:
    base = median(values[: max(onset, 3)])
    change = rising.slope * (at[-1] - at[onset])
    recent = residuals[-_MIN_SEGMENT:]
    # A value that has recovered at the end needs no warning.
    if not _large(change, base, noise, ratios) or median(recent) < change / 3 or rising.low <= 0:
        return None
    # The level at the end: the last values, extrapolated along the slope but not beyond all of them, since a
    # share may have reached its maximum.
    last = values[-_MIN_SEGMENT:]
    moments = at[-_MIN_SEGMENT:]
    level = median(
        value + rising.slope * (at[-1] - moment) for moment, value in zip(moments, last, strict=True)
    )
    level = min(level, max(last))
    return Change("trend", at[onset], base, level, p, rising.slope, rising.low, rising.high, noise)


def _shift(
    at: Sequence[float],
    values: Sequence[float],
    residuals: Sequence[float],
    strata: Sequence[int],
    first: int,
    last: int,
    p: float,
    noise: float,
    ratios: float | None,
) -> Change | None:
    """Return a shift that begins at `first` and whose new level begins at `last`."""
    base = median(values[:first])
    step = shift(values[:first], values[last:], strata[:first], strata[last:])
    if step is None or step.superiority < _MIN_SUPERIORITY or not _large(step.shift, base, noise, ratios):
        return None
    if median(residuals[-_MIN_SEGMENT:]) - median(residuals[:first]) < step.shift / 3:
        return None
    return Change("shift", at[first], base, base + step.shift, p)
