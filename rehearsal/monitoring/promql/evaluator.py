"""Evaluation of PromQL at moments over recorded samples."""

from __future__ import annotations

import math
import operator
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from app.monitoring.source import TimeSeries
from rehearsal.monitoring.promql.functions import RANGE_FUNCTIONS, histogram_quantile
from rehearsal.monitoring.promql.parser import (
    Aggregation,
    Binary,
    Call,
    Expression,
    Number,
    QueryError,
    Selector,
    parse,
)

LOOKBACK_SECONDS: Final = 300.0  # --query.lookback-delta
MAX_POINTS: Final = 11_000  # of a series, as in web/api/v1/api.go
NAME: Final = "__name__"

_TIME: Final = Call("time", ())

Labels = tuple[tuple[str, str], ...]
Vector = dict[Labels, float]


class Samples(Protocol):
    """Recorded samples. A value that is NaN marks that the series ended there (staleness)."""

    def select(self, selector: Selector, start: float, end: float) -> Iterable[Recorded]:
        """Return the series that a selector names, with their samples after `start` up to `end`."""
        ...


@dataclass(frozen=True, slots=True)
class Recorded:
    """The samples of one series, sorted by time in seconds since 1970."""

    labels: Labels
    times: Sequence[float]
    values: Sequence[float]


_ARITHMETIC: Final[Mapping[str, Callable[[float, float], float]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": lambda left, right: _divide(left, right),
    "%": lambda left, right: math.fmod(left, right) if right else math.nan,
    "^": lambda left, right: float(left**right),
}
_COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}
_AGGREGATES: Final[Mapping[str, Callable[[Sequence[float]], float]]] = {
    "sum": math.fsum,
    "max": max,
    "min": min,
    "avg": lambda values: math.fsum(values) / len(values),
    "count": lambda values: float(len(values)),
}


def query_range(samples: Samples, query: str, start: float, end: float, step: float) -> list[TimeSeries]:
    """Return the series of `query` every `step` seconds from `start` to `end`, inclusive.

    Raises QueryError.
    """
    if not step > 0 or not (end - start) / step < MAX_POINTS:
        raise QueryError(
            f"a step of {step:g} s from {start:.0f} to {end:.0f} is not 1 to {MAX_POINTS} values"
        )
    count = math.floor((end - start) / step + 1e-9) + 1
    moments = [start + step * index for index in range(count)]
    evaluator = _Evaluator(samples, start, end)
    expression = parse(query)
    found: dict[Labels, TimeSeries] = {}
    for moment in moments:
        result = evaluator.evaluate(expression, moment)
        if isinstance(result, float):
            result = {(): result}
        for labels, value in result.items():
            if not math.isfinite(value):
                continue
            series = found.get(labels)
            if series is None:
                series = found[labels] = TimeSeries(dict(labels))
            series.times.append(moment)
            series.values.append(value)
    return [found[labels] for labels in sorted(found)]


def query(samples: Samples, text: str | Expression, moment: float) -> Vector:
    """Return the result of a query at one moment, without NaN and infinite values. Raises QueryError."""
    return queries(samples, moment)(text)


def queries(samples: Samples, moment: float) -> Callable[[str | Expression], Vector]:
    """Return a function like `query` for many queries at one moment, which computes common parts once."""
    evaluator = _Evaluator(samples, moment, moment)

    def result(text: str | Expression) -> Vector:
        found = evaluator.evaluate(parse(text) if isinstance(text, str) else text, moment)
        vector = {(): found} if isinstance(found, float) else found
        return {labels: value for labels, value in vector.items() if math.isfinite(value)}

    return result


class _Evaluator:
    """Evaluates at moments between `start` and `end`; each selector is read once for all of them.

    Calls and aggregations are computed once for each moment. A vector is not changed after it was returned.
    """

    def __init__(self, samples: Samples, start: float, end: float) -> None:
        self._samples = samples
        self._start = start
        self._end = end
        self._read: dict[Selector, list[Recorded]] = {}
        self._moment = math.nan
        self._known: dict[Expression, Vector] = {}

    def evaluate(self, expression: Expression, moment: float) -> Vector | float:
        if isinstance(expression, Number):
            return expression.value
        if isinstance(expression, Selector):
            if expression.range:
                raise QueryError(f"a range needs a function such as rate: {expression.metric}[…]")
            return self._instant(expression, moment)
        if expression == _TIME:
            return moment
        if isinstance(expression, Call | Aggregation):
            if moment != self._moment:
                self._moment = moment
                self._known.clear()
            found = self._known.get(expression)
            if found is None:
                if isinstance(expression, Call):
                    found = self._call(expression, moment)
                else:
                    found = self._aggregate(expression, moment)
                self._known[expression] = found
            return found
        return _binary(
            expression, self.evaluate(expression.left, moment), self.evaluate(expression.right, moment)
        )

    def _select(self, selector: Selector) -> list[Recorded]:
        found = self._read.get(selector)
        if found is None:
            before = self._start - (selector.range or LOOKBACK_SECONDS)
            found = list(self._samples.select(selector, before, self._end))
            self._read[selector] = found
        return found

    def _instant(self, selector: Selector, moment: float) -> Vector:
        vector: Vector = {}
        for series in self._select(selector):
            at = bisect_right(series.times, moment) - 1
            if at < 0 or series.times[at] <= moment - LOOKBACK_SECONDS or math.isnan(series.values[at]):
                continue
            vector[series.labels] = series.values[at]
        return vector

    def _call(self, call: Call, moment: float) -> Vector:
        if call.function == "histogram_quantile":
            if len(call.arguments) != 2:
                raise QueryError("histogram_quantile takes a share and a vector")
            share = self.evaluate(call.arguments[0], moment)
            vector = self.evaluate(call.arguments[1], moment)
            if not isinstance(share, float) or isinstance(vector, float):
                raise QueryError("histogram_quantile takes a share and a vector")
            return _quantiles(share, vector)
        if call.function == _TIME.function:
            raise QueryError("time takes no argument")
        function = RANGE_FUNCTIONS.get(call.function)
        if function is None:
            names = ", ".join(sorted([*RANGE_FUNCTIONS, "histogram_quantile", "time"]))
            raise QueryError(f"the function {call.function} is not supported; supported are {names}")
        selector = call.arguments[0] if len(call.arguments) == 1 else None
        if not isinstance(selector, Selector) or not selector.range:
            raise QueryError(f"{call.function} takes one range such as metric[5m]")
        vector = {}
        start = moment - selector.range
        for series in self._select(selector):
            low, high = bisect_right(series.times, start), bisect_right(series.times, moment)
            times, values = series.times[low:high], series.values[low:high]
            if any(map(math.isnan, values)):
                points = [point for point in zip(times, values, strict=True) if not math.isnan(point[1])]
                times, values = [point[0] for point in points], [point[1] for point in points]
            value = function(times, values, start, moment)
            if value is not None:
                vector[_without_name(series.labels)] = value
        return vector

    def _aggregate(self, aggregation: Aggregation, moment: float) -> Vector:
        vector = self.evaluate(aggregation.expression, moment)
        if isinstance(vector, float):
            raise QueryError(f"{aggregation.operation} takes a vector")
        groups: dict[Labels, list[tuple[Labels, float]]] = defaultdict(list)
        for labels, value in vector.items():
            groups[_group(labels, aggregation)].append((labels, value))
        if aggregation.parameter is not None:
            count = self.evaluate(aggregation.parameter, moment)
            if not isinstance(count, float):
                raise QueryError(f"{aggregation.operation} takes a number and a vector")
            return {
                labels: value
                for items in groups.values()
                for labels, value in _extremes(items, int(count), highest=aggregation.operation == "topk")
            }
        aggregate = _AGGREGATES[aggregation.operation]
        return {labels: aggregate([value for _, value in items]) for labels, items in groups.items()}


def _extremes(
    items: list[tuple[Labels, float]], count: int, *, highest: bool
) -> Sequence[tuple[Labels, float]]:
    numbers = [item for item in items if not math.isnan(item[1])]
    rest = [item for item in items if math.isnan(item[1])]
    return [*sorted(numbers, key=lambda item: item[1], reverse=highest), *rest][: max(0, count)]


def _group(labels: Labels, aggregation: Aggregation) -> Labels:
    if aggregation.without:
        dropped = {NAME, *aggregation.labels}
        return tuple(pair for pair in labels if pair[0] not in dropped)
    if not aggregation.labels:
        return ()
    return tuple(pair for pair in labels if pair[0] in aggregation.labels)


def _quantiles(share: float, vector: Vector) -> Vector:
    buckets: dict[Labels, list[tuple[float, float]]] = defaultdict(list)
    for labels, count in vector.items():
        bound = next((value for key, value in labels if key == "le"), None)
        if bound is None:
            continue
        rest = tuple(pair for pair in labels if pair[0] not in {"le", NAME})
        buckets[rest].append((float(bound), count))
    return {labels: histogram_quantile(share, counts) for labels, counts in buckets.items()}


def _binary(expression: Binary, left: Vector | float, right: Vector | float) -> Vector | float:
    symbol = expression.operator
    if symbol in {"and", "or", "unless"}:
        if isinstance(left, float) or isinstance(right, float):
            raise QueryError(f"{symbol} takes two vectors")
        return _set(expression, left, right)
    if isinstance(left, float) and isinstance(right, float):
        if symbol in _COMPARISONS:
            raise QueryError("a comparison of two numbers needs `bool`, which is not supported")
        return _ARITHMETIC[symbol](left, right)
    if isinstance(left, float):
        assert not isinstance(right, float)
        return _scalar(symbol, right, lambda value: (left, value))
    if isinstance(right, float):
        return _scalar(symbol, left, lambda value: (value, right))
    return _vectors(expression, left, right)


def _scalar(symbol: str, vector: Vector, pair: Callable[[float], tuple[float, float]]) -> Vector:
    if symbol in _COMPARISONS:
        return {labels: value for labels, value in vector.items() if _COMPARISONS[symbol](*pair(value))}
    compute = _ARITHMETIC[symbol]
    return {_without_name(labels): compute(*pair(value)) for labels, value in vector.items()}


def _key(labels: Labels, expression: Binary) -> Labels:
    if expression.on is not None:
        return tuple(pair for pair in labels if pair[0] in expression.on)
    dropped = {NAME, *expression.ignoring}
    return tuple(pair for pair in labels if pair[0] not in dropped)


def _set(expression: Binary, left: Vector, right: Vector) -> Vector:
    if expression.operator == "or":
        present = {_key(labels, expression) for labels in left}
        rest = {labels: value for labels, value in right.items() if _key(labels, expression) not in present}
        return {**left, **rest}
    present = {_key(labels, expression) for labels in right}
    wanted = expression.operator == "and"
    return {
        labels: value for labels, value in left.items() if (_key(labels, expression) in present) is wanted
    }


def _vectors(expression: Binary, left: Vector, right: Vector) -> Vector:
    swapped = expression.group == "right"
    many, one = (right, left) if swapped else (left, right)
    index: dict[Labels, tuple[Labels, float]] = {}
    for labels, value in one.items():
        key = _key(labels, expression)
        if key in index:
            raise QueryError(f"many-to-many matching: {dict(index[key][0])} and {dict(labels)}")
        index[key] = labels, value
    symbol = expression.operator
    result: Vector = {}
    for labels, value in many.items():
        found = index.get(_key(labels, expression))
        if found is None:
            continue
        pair = (found[1], value) if swapped else (value, found[1])
        if symbol in _COMPARISONS:
            if not _COMPARISONS[symbol](*pair):
                continue
            number = pair[0]
        else:
            number = _ARITHMETIC[symbol](*pair)
        result[_result_labels(expression, labels, found[0])] = number
    return result


def _result_labels(expression: Binary, many: Labels, one: Labels) -> Labels:
    if expression.operator in _COMPARISONS and not expression.group:
        return many
    if not expression.group:
        return _key(many, expression)
    included = {key: value for key, value in one if key in expression.include}
    return tuple(sorted({**dict(_without_name(many)), **included}.items()))


def _without_name(labels: Labels) -> Labels:
    return tuple(pair for pair in labels if pair[0] != NAME)


def _divide(left: float, right: float) -> float:
    if right:
        return left / right
    return math.nan if not left or math.isnan(left) else math.copysign(math.inf, left)
