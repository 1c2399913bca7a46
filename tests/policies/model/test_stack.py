"""Objects of resources, and look-ups over a whole stack."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from policies.model.property_tree import UNKNOWN
from policies.model.stack import Resource, Stack, objects_of, served_group
from tests.policies.model.objects import declared, one, resource

POD = {"kind": "Pod", "metadata": {"name": "a"}}


@pytest.mark.parametrize(
    ("group", "kind", "served"),
    [
        ("extensions", "Deployment", "apps"),
        ("extensions", "Ingress", "networking.k8s.io"),
        ("extensions", "Other", "extensions"),
        ("apps", "Deployment", "apps"),
    ],
)
def test_group_that_serves_a_kind_now(group: str, kind: str, served: str) -> None:
    assert served_group(group, kind) == served


def test_nested_lists_are_flattened() -> None:
    inner = {"kind": "List", "apiVersion": "v1", "items": [{**POD, "apiVersion": "v1"}]}
    found = objects_of(
        resource("core/v1:List", {"items": [inner, {"kind": "Job", "apiVersion": "batch/v1"}]})
    )
    assert [(item.kind, item.group) for item in found] == [("Pod", ""), ("Job", "batch")]
    assert [item.node.path for item in found] == [("items", 0, "items", 0), ("items", 1)]


def test_items_of_a_typed_list_have_its_kind() -> None:
    [found] = objects_of(resource("apps/v1:DeploymentList", {"items": [{"metadata": {"name": "a"}}]}))
    assert (found.api_version, found.kind, found.name) == ("apps/v1", "Deployment", "a")
    assert one(resource("example.com/v1:AllowList", {})).kind == "AllowList"
    assert objects_of(resource("gcp:storage/bucket:Bucket", {})) == []


@pytest.mark.parametrize(
    ("type_", "metadata", "namespace"),
    [
        ("core/v1:Pod", {"namespace": "n"}, "n"),
        ("core/v1:Pod", {}, "default"),
        ("core/v1:Pod", {"namespace": UNKNOWN}, "?"),
        ("core/v1:Namespace", {"namespace": "n"}, ""),
    ],
)
def test_namespace_of_an_object(type_: str, metadata: dict[str, Any], namespace: str) -> None:
    assert one(resource(type_, {"metadata": metadata})).namespace == namespace


def test_unknown_name_is_empty_and_not_identified() -> None:
    unknown = one(resource("core/v1:Pod", {"metadata": {"name": UNKNOWN}}))
    assert (unknown.name, unknown.identified) == ("", False)
    assert one(declared("core/v1:Pod")).identified


def test_resources_are_found_by_type_in_order() -> None:
    items = [declared("core/v1:Pod", name="a"), declared("core/v1:Secret"), declared("core/v1:Pod", name="b")]
    stack = Stack.of(items)
    assert [item.name for item in stack.of_type("kubernetes:core/v1:Pod")] == ["a", "b"]
    assert stack.of_type("kubernetes:core/v1:Node") == []
    assert list(stack.types) == ["kubernetes:core/v1:Pod", "kubernetes:core/v1:Secret"]


def test_object_declared_twice_in_one_file_replaces_itself() -> None:
    def pod(size: int, source: str) -> Any:
        props = {"metadata": {"name": "a"}, "spec": {"size": size}}
        return resource("core/v1:Pod", props, source=source)

    def sizes(*pods: Any) -> list[int]:
        return [item.node.at("spec", "size").raw for item in Stack.of(list(pods)).of_kind("Pod")]

    assert sizes(pod(1, "a.yaml"), pod(2, "a.yaml")) == [2]
    assert sizes(pod(1, "a.yaml"), pod(2, "b.yaml")) == [1, 2]
    assert sizes(pod(1, ""), pod(2, "")) == [1, 2]


@pytest.mark.parametrize(
    ("first", "second", "count"), [("a", "b", 2), ("a", "a", 1), ("default", None, 1), ("a", None, 2)]
)
def test_objects_of_one_name_in_one_file_are_distinguished_by_namespace(
    first: str | None, second: str | None, count: int
) -> None:
    pods = [
        resource("core/v1:Pod", {"metadata": {"name": "x", "namespace": namespace}}, source="a.yaml")
        for namespace in (first, second)
    ]
    assert len(Stack.of(pods).of_kind("Pod")) == count


def test_objects_are_found_by_namespace() -> None:
    other = declared("core/v1:Pod", name="b", metadata={"namespace": "m"})
    unknown = declared("core/v1:Pod", name="c", metadata={"namespace": UNKNOWN})
    found = Stack.of([declared("core/v1:Pod", name="a"), other, unknown]).by_namespace("Pod")
    assert {key: [item.name for item in items] for key, items in found.items()} == {
        "n": ["a"],
        "m": ["b"],
        "?": ["c"],
    }


def test_memo_is_emptied_when_a_resource_becomes_part_of_another_stack() -> None:
    item = declared("core/v1:Pod")
    objects_of(item)
    assert item.memo
    Stack.of([item])
    assert not item.memo


def test_resource_has_the_options_and_the_parent_that_the_sdk_reports() -> None:
    def given(declared_parent: Any, **fields: Any) -> Any:
        opts = SimpleNamespace(protect=True, ignore_changes=["a"], parent=declared_parent)
        return SimpleNamespace(urn="u", resource_type="t", name="n", opts=opts, **fields)

    found = Resource.of(given("urn:p"), {"x": 1})
    assert (found.parent, found.protect, found.ignore_changes) == ("urn:p", True, ("a",))
    assert Resource.of(given(None), {}).parent == ""
    parent = SimpleNamespace(urn="urn:q")
    assert Resource.of(given(None, parent=parent), {}).parent == "urn:q"
