"""Tests of uniform resource names."""

from __future__ import annotations

import pytest
from pulumi.runtime.proto import alias_pb2

from rehearsal.pulumi.urn import (
    alias_urns,
    default_provider_name,
    inherited_alias,
    is_default_provider,
    make_urn,
    name_of,
    package_of,
    split_reference,
    type_of,
)

STACK = make_urn("dev", "p", "pulumi:pulumi:Stack", "p-dev")
GROUP = make_urn("dev", "p", "my:index:Group", "g", STACK)


def test_type_chain_starts_below_the_stack() -> None:
    assert GROUP == "urn:pulumi:dev::p::my:index:Group::g"
    child = make_urn("dev", "p", "toy:index:Thing", "a::b", GROUP)
    assert child == "urn:pulumi:dev::p::my:index:Group$toy:index:Thing::a::b"
    assert (type_of(child), name_of(child)) == ("toy:index:Thing", "a::b")


@pytest.mark.parametrize(
    ("version", "url", "name"),
    [
        ("", "", "default"),
        ("10.2.0", "", "default_10_2_0"),
        ("1.0.0-alpha.1+build.5", "", "default_1_0_0_alpha_1_build_5"),
        ("10.2.0", "https://example.com/p", "default_10_2_0_https_/example.com/p"),
    ],
)
def test_name_of_a_default_provider(version: str, url: str, name: str) -> None:
    assert default_provider_name(version, url) == name
    assert is_default_provider(make_urn("dev", "p", "pulumi:providers:gcp", name))


def test_explicit_provider_is_not_a_default_provider() -> None:
    assert not is_default_provider(make_urn("dev", "p", "pulumi:providers:gcp", "mine"))
    assert not is_default_provider(make_urn("dev", "p", "toy:index:Thing", "default"))


def test_package_of_resources_and_providers() -> None:
    assert package_of("kubernetes:core/v1:ConfigMap") == "kubernetes"
    assert package_of("pulumi:providers:gcp") == "gcp"


def test_alias_specification_defaults_to_the_resource() -> None:
    aliases = [
        alias_pb2.Alias(urn="urn:pulumi:dev::p::a:b:C::x"),
        alias_pb2.Alias(spec=alias_pb2.Alias.Spec(name="former")),
        alias_pb2.Alias(spec=alias_pb2.Alias.Spec(noParent=True, project="old")),
        alias_pb2.Alias(spec=alias_pb2.Alias.Spec(type="toy:index:Other", parentUrn=GROUP)),
    ]
    found = alias_urns(
        aliases, stack="dev", project="p", type_="toy:index:Thing", name="a", parent=GROUP, adopted={}
    )
    assert list(found) == [
        "urn:pulumi:dev::p::a:b:C::x",
        "urn:pulumi:dev::p::my:index:Group$toy:index:Thing::former",
        "urn:pulumi:dev::old::toy:index:Thing::a",
        "urn:pulumi:dev::p::my:index:Group$toy:index:Other::a",
    ]


@pytest.mark.parametrize(
    ("alias", "message"),
    [
        (alias_pb2.Alias(urn="urn:pulumi:dev::p::a"), "the alias 'urn:pulumi:dev::p::a' is not a URN"),
        (alias_pb2.Alias(), "the alias '' is not a URN"),
        (
            alias_pb2.Alias(spec=alias_pb2.Alias.Spec(parentUrn="x")),
            "the parent of an alias 'x' is not a URN",
        ),
    ],
)
def test_alias_that_is_not_a_urn_is_an_error(alias: alias_pb2.Alias, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        list(alias_urns([alias], stack="dev", project="p", type_="a:b:C", name="a", parent=STACK, adopted={}))


def test_alias_with_a_renamed_parent_has_its_former_urn() -> None:
    former = make_urn("dev", "p", "my:index:Old", "old", STACK)
    aliases = [alias_pb2.Alias(spec=alias_pb2.Alias.Spec(parentUrn=GROUP))]
    found = alias_urns(
        aliases,
        stack="dev",
        project="p",
        type_="toy:index:Thing",
        name="a",
        parent=STACK,
        adopted={GROUP: former},
    )
    assert list(found) == ["urn:pulumi:dev::p::my:index:Old$toy:index:Thing::a"]


def test_child_named_after_its_parent_is_renamed_with_it() -> None:
    former = make_urn("dev", "p", "my:index:Group", "old", STACK)
    child = make_urn("dev", "p", "toy:index:Thing", "g-disk", GROUP)
    other = make_urn("dev", "p", "toy:index:Thing", "disk", GROUP)
    assert inherited_alias(child, GROUP, former) == make_urn(
        "dev", "p", "toy:index:Thing", "old-disk", former
    )
    assert inherited_alias(other, GROUP, former) == make_urn("dev", "p", "toy:index:Thing", "disk", former)
    elsewhere = make_urn("old", "q", "my:index:Group", "old", STACK)
    assert inherited_alias(other, GROUP, elsewhere) == make_urn("dev", "p", "toy:index:Thing", "disk", former)


def test_provider_reference_is_split_into_urn_and_id() -> None:
    assert split_reference(f"{GROUP}::some-id") == (GROUP, "some-id")
