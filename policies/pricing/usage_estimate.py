"""Estimated cost of requests, derived from the load that a stack is scaled for.

The load follows the requirement TGT2, which sustains half of its peak: the peak is the request rate that the
autoscaled pods serve at their target, and the estimate is for half of it, all month. The other assumptions
are the constants below. Each estimate is a cost item and counts toward the ceiling.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from policies.model.stack import Object, Stack
from policies.pricing.price_list import price_list

SUSTAINED_SHARE: Final = 0.5  # of the peak: TGT2 names 10,000 requests/s at peak and 5,000 sustained
RESPONSE_KIB: Final = 2.0  # of an API response; media are served from the edge cache
LOG_KIB: Final = 1.0  # of one entry in the load balancer's log
_MILLION: Final = 1e6
_GIB_IN_KIB: Final = 1024.0**2
_REQUESTS_METRIC: Final = "requests"


@dataclass(frozen=True)
class Usage:
    """One cost item: USD a month at the minimum and the maximum scale."""

    urn: str
    what: str
    minimum: float
    maximum: float


@dataclass(frozen=True)
class Load:
    """Sustained requests per second at the minimum and the maximum scale."""

    minimum: float
    maximum: float


def sustained_load(stack: Stack) -> Load:
    """Return the load that the stack's autoscaled pods serve; zero if none scales on requests."""
    minimum = maximum = 0.0
    for scaler in stack.of_kind("HorizontalPodAutoscaler"):
        rate = _target_rate(scaler)
        spec = scaler.node["spec"]
        minimum += rate * spec["minReplicas"].number(1)
        maximum += rate * spec["maxReplicas"].number(1)
    return Load(minimum * SUSTAINED_SHARE, maximum * SUSTAINED_SHARE)


def usage(stack: Stack) -> Iterator[Usage]:
    """Yield the costs that depend on requests: firewall, traffic to the edge, load balancer and logs."""
    load = sustained_load(stack)
    gateways = stack.of_kind("Gateway")
    if load.maximum <= 0 or not gateways:
        return
    urn = gateways[0].urn
    seconds = price_list().hours * 3600
    low, high = load.minimum * seconds, load.maximum * seconds  # requests a month
    rate = f"{load.minimum:,.0f} to {load.maximum:,.0f} requests/s"
    for policy in stack.of_type("gcp:compute/securityPolicy:SecurityPolicy"):
        rules = len(list(policy.node["rules"].items()))
        fixed = _price("armor/policy") + rules * _price("armor/rule")
        per_request = _price("armor/requests") / _MILLION
        yield Usage(
            policy.urn,
            f"estimate: Cloud Armor, {rules} rules and {rate}",
            fixed + low * per_request,
            fixed + high * per_request,
        )
    gib = RESPONSE_KIB / _GIB_IN_KIB
    per_gib = _price("egress/internet") + _price("load-balancer/data")
    yield Usage(
        urn,
        f"estimate: responses of {RESPONSE_KIB:g} KiB through the load balancer to the edge, {rate}",
        low * gib * per_gib,
        high * gib * per_gib,
    )
    share = _logged_share(stack)
    logged = share * LOG_KIB / _GIB_IN_KIB * _price("logging/ingestion")
    yield Usage(
        urn,
        f"estimate: load balancer log of {share:.0%} of the requests, {rate}",
        low * logged,
        high * logged,
    )


def _target_rate(scaler: Object) -> float:
    """Return the requests per second of one pod at the autoscaler's target."""
    for metric in scaler.node.at("spec", "metrics").items():
        pods = metric["pods"]
        if pods.at("metric", "name").text().rpartition("|")[2] == _REQUESTS_METRIC:
            return pods.at("target", "averageValue").number()
    return 0.0


def _logged_share(stack: Stack) -> float:
    """Return the share of requests that the load balancer logs: the maximum sample rate of its policies."""
    rates = [
        policy.node.at("spec", "default", "logging", "sampleRate").number() / _MILLION
        for policy in stack.of_kind("GCPBackendPolicy")
        if policy.node.at("spec", "default", "logging", "enabled").flag()
    ]
    return max(rates, default=0.0)


def _price(name: str) -> float:
    price = price_list().find(name, "global")
    return price.usd if price is not None else 0.0
