"""Costs: the monthly cost of an environment at its maximum scale."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pulumi_policy import Severity

from policies.model.property_tree import Finding
from policies.model.stack import Stack
from policies.pack.rule import Settings, rule
from policies.pricing.cost_estimate import monthly

CONCERN: Final = "costs"
# Number of positions that the message names, the most expensive first.
_NAMED: Final = 5


@rule(
    "monthly-cost-ceiling",
    "The estimated monthly cost at maximum scale must be within the environment's ceiling. "
    "Autoscaling can exceed the budget otherwise.",
    concern=CONCERN,
    scope="stack",
    remediation=(
        "Lower a maximum in the stack file, or agree on a higher policies:monthlyCeiling with its owner."
    ),
    severity=Severity.HIGH,
    tags=("SOC2:CC3.1", "TGT4"),
    manifests=False,
    settings={
        "monthly": {
            "type": "number",
            "minimum": 0,
            "description": "Maximum in USD a month; a stack sets it in policies:monthlyCeiling.",
        }
    },
)
def monthly_cost_ceiling(stack: Stack, settings: Settings) -> Iterator[Finding]:
    costs = monthly(stack)
    if not costs.lines:
        return
    total = f"{costs.maximum:,.0f} USD a month (prices of {costs.dated})"
    if "monthly" not in settings:
        yield Finding(f"no ceiling is set, and the estimate is {total}: set policies:monthlyCeiling")
    elif costs.maximum > settings["monthly"]:
        expensive = sorted(costs.lines, key=lambda line: line.maximum, reverse=True)[:_NAMED]
        positions = ", ".join(f"{line.what} {line.maximum:,.0f}" for line in expensive)
        # Resources without a price are not estimated, so the actual cost is higher.
        besides = f"; no price is known for {len(costs.unpriced)} more" if costs.unpriced else ""
        yield Finding(
            f"{total} at the largest scale is more than the {settings['monthly']:,.0f} of the ceiling; "
            f"most of it for: {positions}{besides}",
            urn=expensive[0].urn,
        )
