"""Description of a plan's effects on the platform, and changes that the cloud would reject."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rehearsal.engine.events import Op, PropertyChange, Result, Step
from rehearsal.engine.state import ResourceState, Snapshot
from rehearsal.pulumi.properties import UNKNOWN, Change
from rehearsal.pulumi.urn import make_urn
from rehearsal.review.changes.impact import Weight, effects

REDIS = "gcp:redis/instance:Instance"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"


def step(op: Op, type_: str, name: str, *paths: tuple[str, ...]) -> Step:
    changes = tuple(PropertyChange(path, Change.UPDATE, 1, 2) for path in paths)
    return Step(op, make_urn("prod", "kingdom", type_, name), type_, True, changes=changes)


def result(steps: tuple[Step, ...], **inputs: dict[str, Any]) -> Result:
    resources = tuple(
        ResourceState(make_urn("prod", "kingdom", REDIS, name), REDIS, True, inputs=value)
        for name, value in inputs.items()
    )
    return Result("prod", steps, snapshot=Snapshot(resources))


def grants(type_: str, inputs: dict[str, Any], providers: tuple[str, str] = ("", "")) -> list[str]:
    """The effects of a second resource of `type_` with the inputs of an existing one."""
    old, new = (
        ResourceState(make_urn("prod", "kingdom", type_, name), type_, True, inputs=inputs, provider=provider)
        for name, provider in zip(("api", "transcoder"), providers, strict=True)
    )
    steps = (step(Op.CREATE, type_, "transcoder"),)
    planned = Result("prod", steps, snapshot=Snapshot((old, new)))
    return [item.text for item in effects(planned, Result("prod", (), snapshot=Snapshot((old,))))]


@pytest.mark.parametrize(
    ("type_", "inputs"),
    [
        ("gcp:secretmanager/secretIamMember:SecretIamMember", {"secretId": "s", "role": "r"}),
        ("gcp:cloudrunv2/serviceIamMember:ServiceIamMember", {"name": "s", "role": "r"}),
        ("gcp:secretmanager/secretVersion:SecretVersion", {"secretId": "s"}),
    ],
)
def test_resources_of_the_same_parent_have_names_of_their_own(type_: str, inputs: dict[str, Any]) -> None:
    assert grants(type_, inputs) == []


def test_a_second_secret_of_the_same_name_is_refused() -> None:
    (text,) = grants("gcp:secretmanager/secret:Secret", {"secretId": "s"})
    assert "refused with 409" in text


def test_equal_objects_on_two_clusters_do_not_conflict() -> None:
    inputs = {"metadata": {"name": "web", "namespace": "shop"}}
    assert len(grants(DEPLOYMENT, inputs)) == 1
    one, two = ("urn:pulumi:prod::kingdom::pulumi:providers:kubernetes::" + name for name in ("one", "two"))
    assert grants(DEPLOYMENT, inputs, (f"{one}::id", f"{two}::id")) == []


@pytest.mark.parametrize(
    ("steps", "weight", "text"),
    [
        ((step(Op.REPLACE, REDIS, "cache"),), Weight.LOSS, "Redis cache is replaced: sessions, rate limits"),
        ((step(Op.DELETE, REDIS, "cache"),), Weight.LOSS, "Redis cache is deleted: sessions, rate limits"),
        ((step(Op.UPDATE, REDIS, "cache", ("memorySizeGb",)),), Weight.INTERRUPTION, "Redis fails over"),
        (
            (step(Op.REPLACE, "gcp:container/nodePool:NodePool", "spot"),),
            Weight.INTERRUPTION,
            "The node pool spot is replaced: all nodes of the pool are recreated",
        ),
        (
            (step(Op.DELETE, "gcp:storage/bucket:Bucket", "media"),),
            Weight.LOSS,
            "The bucket media is deleted: its objects are lost",
        ),
        (
            tuple(step(Op.UPDATE, DEPLOYMENT, name, ("spec", "template")) for name in ("api", "worker")),
            Weight.RESTART,
            "api and worker roll: pods are replaced without an interruption",
        ),
    ],
)  # fmt: skip
def test_effects_are_described(steps: tuple[Step, ...], weight: Weight, text: str) -> None:
    (effect,) = effects(result(steps), result(()))
    assert effect.weight is weight
    assert effect.text.startswith(text)


def test_change_of_neither_pods_nor_data_has_no_effect() -> None:
    steps = (
        step(Op.UPDATE, DEPLOYMENT, "api", ("spec", "strategy")),
        step(Op.UPDATE, REDIS, "cache", ("labels", "team")),
        Step(Op.DELETE, make_urn("prod", "kingdom", REDIS, "kept"), REDIS, True, retained=True),
    )
    assert effects(result(steps), result(())) == []


def test_a_name_that_is_still_taken_is_refused_and_an_alias_suggested() -> None:
    inputs = {"name": "kingdom-cache", "region": "europe-west1", "memorySizeGb": 5}
    steps = (step(Op.CREATE, REDIS, "sessions"), step(Op.DELETE, REDIS, "cache"))
    found = effects(result(steps, sessions=inputs), result((), cache=inputs))
    assert [item.weight for item in found] == [Weight.CONFLICT, Weight.LOSS]
    assert "refused with 409" in found[0].text
    assert 'aliases=[Alias(name="cache")]' in found[0].text
    elsewhere = {**inputs, "region": "us-east1"}
    assert [item.weight for item in effects(result(steps, sessions=elsewhere), result((), cache=inputs))] == [
        Weight.LOSS
    ]


NAMED = {"name": "kingdom", "region": "europe-west1"}


def test_a_name_of_another_retained_resource_is_refused() -> None:
    found = effects(
        result((step(Op.CREATE, REDIS, "second"),), second=NAMED, first=NAMED), result((), first=NAMED)
    )
    assert [item.weight for item in found] == [Weight.CONFLICT]
    assert found[0].text.startswith("second and first have the same name in the cloud (kingdom), which is")


def test_two_new_resources_of_one_name_are_refused_without_a_base() -> None:
    steps = (step(Op.CREATE, REDIS, "first"), step(Op.CREATE, REDIS, "second"))
    (found,) = effects(result(steps, first=NAMED, second=NAMED), None)
    assert "second and first have the same name" in found.text
    elsewhere = {**NAMED, "region": "us-east1"}
    assert effects(result(steps, first=NAMED, second=elsewhere), None) == []


@pytest.mark.parametrize(
    ("first", "weights"), [(True, [Weight.LOSS]), (False, [Weight.CONFLICT, Weight.LOSS])]
)
def test_a_replacement_of_the_same_name_must_delete_first(first: bool, weights: list[Weight]) -> None:
    steps = (replace(step(Op.REPLACE, REDIS, "cache"), delete_before_replace=first),)
    found = effects(result(steps, cache=NAMED), result((), cache=NAMED))
    assert [item.weight for item in found] == weights
    generated = {**NAMED, "name": "cache-4fdf6d9"}
    found = effects(result(steps, cache=generated), result((), cache=generated))
    assert [item.weight for item in found] == [Weight.LOSS]


def test_a_name_in_what_is_not_known_yet_is_not_compared() -> None:
    steps = (step(Op.CREATE, REDIS, "first"), step(Op.CREATE, REDIS, "second"))
    somewhere = {"name": "kingdom", "region": UNKNOWN}
    assert effects(result(steps, first=somewhere, second=somewhere), None) == []


def test_a_label_that_is_called_name_may_repeat() -> None:
    kind = "cloudflare:index/dnsRecord:DnsRecord"
    urns = [make_urn("prod", "kingdom", kind, name) for name in ("ipv4", "text")]
    resources = tuple(ResourceState(urn, kind, True, inputs={"name": "api"}) for urn in urns)
    steps = tuple(Step(Op.CREATE, urn, kind, True) for urn in urns)
    assert effects(Result("prod", steps, snapshot=Snapshot(resources)), None) == []


def test_a_rename_of_a_resource_with_a_cloud_name_suggests_an_alias() -> None:
    inputs = {"memorySizeGb": 5, "tier": "BASIC"}
    steps = (step(Op.CREATE, REDIS, "sessions"), step(Op.DELETE, REDIS, "cache"))
    found = effects(result(steps, sessions=inputs), result((), cache=inputs))
    assert [item.weight for item in found] == [Weight.LOSS, Weight.HINT]
    assert "cache looks renamed to sessions" in found[1].text
