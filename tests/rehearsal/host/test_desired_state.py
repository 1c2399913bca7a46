"""Declared objects: their names, and the store that outlives the process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rehearsal.host.desired_state import Desired, DesiredStore
from rehearsal.host.errors import MachineError

POD, BUCKET = "kubernetes:core/v1:Pod", "gcp:storage/bucket:Bucket"


def desired(type_: str = POD, id_: str = "n/a", name: str = "it", **inputs: Any) -> Desired:
    return Desired(f"urn:pulumi:local::k::{type_}::{name}", type_, id_, inputs)


@pytest.mark.parametrize(
    ("item", "label"),
    [
        (desired(metadata={"name": "api", "namespace": "n"}), "Pod n/api"),
        (desired(id_="n/api"), "Pod default/api"),
        (desired(kind="Job", metadata={"name": "a"}), "Job default/a"),
        (desired(BUCKET, name="media"), "Bucket media"),
        (Desired("urn:a::b", BUCKET, "id", {"name": "own"}), "Bucket own"),
    ],
)
def test_label_has_kind_and_name(item: Desired, label: str) -> None:
    assert item.label == label


def test_objects_are_read_again_in_the_order_of_their_changes(tmp_path: Path) -> None:
    store = DesiredStore(tmp_path)
    first, second = desired(id_="n/a"), desired(id_="n/b")
    for item in (first, second, first):
        store.put(item)
    assert list(store) == list(DesiredStore(tmp_path)) == [second, first]
    assert store.get(first.urn, "n/a") == first
    assert store.remove(first.urn, "n/a") == first
    assert store.remove(first.urn, "n/a") is None
    assert list(DesiredStore(tmp_path)) == [second]


def test_objects_are_found_by_kind_namespace_and_type(tmp_path: Path) -> None:
    store = DesiredStore(tmp_path)
    items = [
        desired(id_="n/a", metadata={"namespace": "n", "name": "a"}),
        desired(id_="m/a", metadata={"namespace": "m", "name": "a"}),
        desired(BUCKET, "media"),
    ]
    for item in items:
        store.put(item)
    assert store.of_kind("Pod") == items[:2]
    assert store.of_kind("Pod", "m") == [store.find("Pod", "m", "a")] == [items[1]]
    assert store.of_kind("Bucket") == []
    assert store.of_type(BUCKET) == [items[2]]
    assert store.find("Pod", "n", "b") is None


@pytest.mark.parametrize(
    ("text", "reason"), [("{", "cannot be read"), ("{}", "is not a desired object"), ("[]", "is not")]
)
def test_damaged_file_is_named(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(MachineError, match=rf"a\.json {reason}"):
        DesiredStore(tmp_path)
