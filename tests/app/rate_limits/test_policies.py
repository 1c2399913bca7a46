"""Rate-limit policies: which buckets a request is charged to, and how large they are."""

from __future__ import annotations

import pytest

from app.application import PUBLIC
from app.rate_limits.limiter import ApplicableLimits
from app.rate_limits.policies import RateLimitClass, RateLimitPolicies


def charged(limits: ApplicableLimits) -> list[tuple[str, str]]:
    return [(rule.name, subject) for rule, subject in limits]


def test_request_without_session_is_charged_to_its_address() -> None:
    policies = RateLimitPolicies()
    assert charged(policies.applicable(RateLimitClass.READ, "1.2.3.4")) == [("address", "1.2.3.4")]
    sign_in = policies.applicable(RateLimitClass.SIGN_IN, "1.2.3.4")
    assert charged(sign_in) == [("address", "1.2.3.4"), ("sign-in", "1.2.3.4")]


def test_request_with_session_is_charged_to_account_class_and_address() -> None:
    limits = RateLimitPolicies().applicable(RateLimitClass.WRITE, "1.2.3.4", "ada", "creator")
    assert charged(limits) == [("account-creator", "ada"), ("write-creator", "ada"), ("address", "1.2.3.4")]


def test_session_on_a_public_route_is_charged_to_its_address() -> None:
    limits = RateLimitPolicies().applicable(RateLimitClass.SIGN_IN, "1.2.3.4", "ada")
    assert charged(limits) == [("address", "1.2.3.4")]


def test_sign_in_from_a_known_source_has_a_bucket_of_its_own() -> None:
    policies = RateLimitPolicies()
    assert charged(policies.sign_in("ada@x", None)) == [("sign-in-account", "ada@x")]
    assert charged(policies.sign_in("ada@x", "phone")) == [("sign-in-device", "ada@x phone")]
    assert charged(policies.reset("ada@x")) == [("reset-account", "ada@x")]
    assert charged(policies.invalid_token("1.2.3.4")) == [("failed", "1.2.3.4")]


@pytest.mark.parametrize(
    "limit_class", [RateLimitClass.GENERATE, RateLimitClass.UPLOAD, RateLimitClass.EXPORT]
)
def test_expensive_classes_are_exact(limit_class: RateLimitClass) -> None:
    rule = RateLimitPolicies().applicable(limit_class, "1.2.3.4", "ada")[1][0]
    assert rule.lease == 1
    assert rule.local_limit < rule.limit


def test_every_class_is_that_of_an_operation() -> None:
    by_operation = {
        f"{endpoint.method} {endpoint.path}": endpoint.rate_limit_class
        for part in PUBLIC
        for endpoint in part.endpoints
    }
    assert set(by_operation.values()) == set(RateLimitClass)
    assert by_operation["POST /v1/uploads"] is RateLimitClass.UPLOAD


def test_leases_are_a_twentieth_and_local_limits_a_quarter_of_the_limit() -> None:
    ((rule, _),) = RateLimitPolicies().applicable(RateLimitClass.READ, "1.2.3.4")
    assert (rule.limit, rule.lease, rule.local_limit) == (1_200, 60, 300)


def test_factor_scales_limits_which_never_become_zero() -> None:
    ((double, _),) = RateLimitPolicies(2.0).applicable(RateLimitClass.READ, "1.2.3.4")
    assert double.limit == 2_400
    ((least, _),) = RateLimitPolicies(0.0001).reset("ada@x")
    assert (least.limit, least.local_limit) == (1, 1)


def test_higher_plans_have_higher_limits() -> None:
    policies = RateLimitPolicies()
    limits = [
        policies.applicable(RateLimitClass.READ, "1.2.3.4", "ada", plan)[1][0].limit
        for plan in ("free", "creator", "studio")
    ]
    assert limits == [480, 1_920, 9_600]
