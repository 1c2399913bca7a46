"""Defaults and limits of the API server and the LimitRanger admission plugin for pods and claims.

Sources, all of Kubernetes v1.37.2: ``SetDefaults_LimitRangeItem`` and ``SetDefaults_Pod``
(pkg/apis/core/v1/defaults.go), plugin/pkg/admission/limitranger/admission.go, and
``validateResourceRequirements`` (pkg/apis/core/validation/validation.go).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Final

from policies.model.property_tree import Node
from policies.model.quantities import parse, show
from policies.model.stack import Object, Stack

Amounts = dict[str, Fraction]
# Above this, the plugin compares whole units instead of thousandths.
_MAX_MILLI_VALUE: Final = Fraction((2**63 - 1) // 1000)


def quantities(node: Node) -> Amounts:
    """Return the quantities of a resource list; unknown and invalid values are left out."""
    found: Amounts = {}
    for key, value in node.entries():
        amount = parse(value.raw) if value.known() else None
        if amount is not None:
            found[key] = amount
    return found


@dataclass(frozen=True)
class Bounds:
    """One item of a LimitRange, with the defaults that the API server fills in.

    A default limit that is absent is the maximum; a default request that is absent is the default limit,
    else the minimum. Only items of type Container have defaults.
    """

    node: Node
    type: str
    min: Amounts = field(default_factory=dict)
    max: Amounts = field(default_factory=dict)
    default: Amounts = field(default_factory=dict)
    default_request: Amounts = field(default_factory=dict)
    max_ratio: Amounts = field(default_factory=dict)

    @classmethod
    def of(cls, limit: Node) -> Bounds:
        """Read one item of ``spec.limits``."""
        kind = limit["type"].text()
        minimum, maximum = quantities(limit["min"]), quantities(limit["max"])
        default, request = quantities(limit["default"]), quantities(limit["defaultRequest"])
        if kind == "Container":
            default = maximum | default
            request = minimum | default | request
        return cls(limit, kind, minimum, maximum, default, request, quantities(limit["maxLimitRequestRatio"]))

    @property
    def enforced(self) -> tuple[frozenset[tuple[str, Fraction]], ...]:
        """Return what the LimitRanger enforces, without defaults, as a key."""
        return tuple(frozenset(amounts.items()) for amounts in (self.min, self.max, self.max_ratio))


@dataclass(frozen=True)
class Defaults:
    """The defaults and bounds of the LimitRanges of one namespace."""

    bounds: tuple[tuple[Bounds, ...], ...] = ()
    # The violations of each type by the amounts of a container, a pod or a claim, since these repeat.
    _violations: dict[object, list[tuple[str, str]]] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, ranges: Sequence[Object]) -> Defaults:
        """Read the LimitRanges of one namespace."""
        return cls(
            tuple(
                tuple(Bounds.of(limit) for limit in item.node.at("spec", "limits").items()) for item in ranges
            )
        )

    def every(self, kind: str) -> list[Bounds]:
        """Return the items of one type: Container, Pod or PersistentVolumeClaim. Equal ones occur once."""
        return self._by_type.get(kind, [])

    @cached_property
    def _by_type(self) -> dict[str, list[Bounds]]:
        found: dict[str, dict[object, Bounds]] = {}
        for bound in (bound for own in self.bounds for bound in own):
            found.setdefault(bound.type, {}).setdefault(bound.enforced, bound)
        return {kind: list(own.values()) for kind, own in found.items()}

    def violations(self, kind: str, amounts: Mapping[str, Fraction]) -> list[tuple[str, str]]:
        """Return all :func:`violations` of the items of one type, evaluated once for equal amounts."""
        key = kind, frozenset(amounts.items())
        found = self._violations.get(key)
        if found is None:
            tightest = self._tightest.get(kind)
            violated = tightest is not None and any(violations(tightest, amounts))
            found = (
                [item for bound in self.every(kind) for item in violations(bound, amounts)]
                if violated
                else []
            )
            self._violations[key] = found
        return found

    @cached_property
    def _tightest(self) -> dict[str, Bounds]:
        """Return the intersection of all items of each type: what complies with it complies with each."""
        found: dict[str, Bounds] = {}
        for kind, items in self._by_type.items():
            whole = found[kind] = Bounds(items[0].node, kind)
            for bound in items:
                for key, minimum in bound.min.items():
                    whole.min[key] = max(minimum, whole.min.get(key, minimum))
                for mine, others in ((whole.max, bound.max), (whole.max_ratio, bound.max_ratio)):
                    for key, maximum in others.items():
                        mine[key] = min(maximum, mine.get(key, maximum))
        return found

    def max_of(self, kind: str, key: str) -> Fraction | None:
        """Return the lowest maximum of a resource in the items of one type; None without one."""
        tightest = self._tightest.get(kind)
        return tightest.max.get(key) if tightest is not None else None

    def fill(self, amounts: Amounts) -> Amounts:
        """Add the defaults of each LimitRange to the requests and limits of one container."""
        for key, amount in self._filled.items():
            amounts.setdefault(key, amount)
        return amounts

    @cached_property
    def _filled(self) -> Amounts:
        """Return the defaults; of several LimitRanges, the first that has one for a key counts."""
        found: Amounts = {}
        for own in self.bounds:
            limits: Amounts = {}
            requests: Amounts = {}
            for bound in own:
                if bound.type == "Container":
                    limits |= bound.default
                    requests |= bound.default_request
            for key, amount in limits.items():
                found.setdefault(f"limits.{key}", amount)
            for key, amount in requests.items():
                found.setdefault(f"requests.{key}", amount)
        return found


def defaults_by_namespace(stack: Stack) -> dict[str, Defaults]:
    """Return the defaults and bounds of each namespace with a LimitRange, read once for all rules."""
    known: dict[str, Defaults] | None = stack.memo.get("limit ranges")
    if known is None:
        ranges = stack.by_namespace("LimitRange")
        known = {namespace: Defaults.of(items) for namespace, items in ranges.items()}
        stack.memo["limit ranges"] = known
    return known


def violations(bound: Bounds, amounts: Mapping[str, Fraction]) -> Iterator[tuple[str, str]]:
    """Yield violations that the LimitRanger rejects: field (``requests`` or ``limits``) and reason."""
    claim = bound.type == "PersistentVolumeClaim"
    for key, minimum in bound.min.items():
        request, limit = amounts.get(f"requests.{key}"), None if claim else amounts.get(f"limits.{key}")
        if request is None:
            yield "requests", f"has no request of {key}; the minimum is {show(key, minimum)}"
        elif _compare(request, limit, minimum)[0] < 0:
            yield "requests", f"requests {show(key, request)} of {key}; the minimum is {show(key, minimum)}"
        elif limit is not None and _compare(request, limit, minimum)[1] < 0:
            yield "limits", f"has a limit of {show(key, limit)} of {key}; the minimum is {show(key, minimum)}"
    for key, maximum in bound.max.items():
        request, limit = amounts.get(f"requests.{key}"), amounts.get(f"limits.{key}")
        if claim:
            limit = request
        if limit is None:
            part, what = ("requests", "request") if claim else ("limits", "limit")
            yield part, f"has no {what} of {key}; the maximum is {show(key, maximum)}"
        elif _compare(request, limit, maximum)[1] > 0:
            part, what = ("requests", "requests") if claim else ("limits", "has a limit of")
            yield part, f"{what} {show(key, limit)} of {key}; the maximum is {show(key, maximum)}"
        elif request is not None and _compare(request, limit, maximum)[0] > 0:
            yield "requests", f"requests {show(key, request)} of {key}; the maximum is {show(key, maximum)}"
    for key, ratio in bound.max_ratio.items():
        request, limit = amounts.get(f"requests.{key}"), amounts.get(f"limits.{key}")
        if not request or not limit:
            missing = "request" if not request else "limit"
            yield f"{missing}s", f"has no {missing} of {key}; the LimitRange has a maxLimitRequestRatio"
        elif limit / request > ratio:
            shown = f"{float(limit / request):g}"
            yield "limits", f"has a limit of {key} of {shown} times its request; the maximum is {ratio}"


def contradiction(amounts: Mapping[str, Fraction]) -> Iterator[tuple[str, str]]:
    """Yield requests above limits, and unequal ones of resources that cannot be overcommitted."""
    for name, limit in amounts.items():
        part, _, key = name.partition(".")
        request = amounts.get(f"requests.{key}")
        if part != "limits" or request is None:
            continue
        if request > limit:
            yield key, f"requests {show(key, request)} of {key}, more than the limit of {show(key, limit)}"
        elif request != limit and not overcommits(key):
            yield (
                key,
                f"requests {show(key, request)} of {key}, which must equal the limit of {show(key, limit)}",
            )


def overcommits(key: str) -> bool:
    """Whether the limit of a resource may be above its request (``IsOvercommitAllowed``)."""
    native = "/" not in key or "kubernetes.io/" in key
    return native and not key.startswith("hugepages-")


def _compare(request: Fraction | None, limit: Fraction | None, enforced: Fraction) -> tuple[int, int]:
    """Compare request and limit with a bound: in thousandths rounded up, or in units if those overflow."""
    values = [value or Fraction(0) for value in (request, limit)]
    scale = 1000 if all(math.ceil(value) <= _MAX_MILLI_VALUE for value in (*values, enforced)) else 1
    bound = math.ceil(enforced * scale)
    first, second = (math.ceil(value * scale) for value in values)
    return (first > bound) - (first < bound), (second > bound) - (second < bound)
