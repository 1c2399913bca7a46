"""The cost ceiling compares the estimated cost at maximum scale with the limit."""

from __future__ import annotations

from policies.model.stack import Stack
from policies.pricing.cost_estimate import monthly
from policies.testing import ResourceFixture, evaluate, resources_of
from tests.policies.cases.money import REDIS

UNPRICED = ResourceFixture("gcp:pubsub/topic:Topic", {"name": "t"}, "topic")


def maximum(*given: ResourceFixture) -> float:
    return monthly(Stack.of(resources_of(given))).maximum


def test_the_ceiling_is_the_last_amount_that_passes() -> None:
    amount = maximum(REDIS)
    assert evaluate("monthly-cost-ceiling", REDIS, settings={"monthly": amount}).clean
    result = evaluate("monthly-cost-ceiling", REDIS, settings={"monthly": amount - 0.01})
    assert result.found("of the ceiling")
    assert result.urns == [REDIS.urn]


def test_resources_without_a_price_are_reported_and_add_nothing() -> None:
    assert maximum(REDIS, UNPRICED) == maximum(REDIS)
    result = evaluate("monthly-cost-ceiling", REDIS, UNPRICED, settings={"monthly": 1})
    assert result.found("no price is known for 1 more")


def test_a_stack_that_costs_something_needs_a_ceiling() -> None:
    assert evaluate("monthly-cost-ceiling", REDIS).found("set policies:monthlyCeiling")
    assert evaluate("monthly-cost-ceiling", ResourceFixture("kubernetes:core/v1:Pod", {})).clean
