"""Costs."""

from __future__ import annotations

from policies.testing import ResourceFixture
from tests.policies.cases import Break, Case

REDIS = ResourceFixture(
    "gcp:redis/instance:Instance",
    {"tier": "STANDARD_HA", "memorySizeGb": 1, "region": "europe-west1"},
    "cache",
)

CASES = (
    Case(
        "monthly-cost-ceiling",
        (REDIS,),
        (Break({"memorySizeGb": 64}, "more than the 300 of the ceiling"),),
        settings={"monthly": 300},
    ),
)
