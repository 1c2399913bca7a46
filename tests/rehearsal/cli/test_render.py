"""`kingdom render`: one file an object, in apply order, the same for the same stack, and no secret in it."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from rehearsal.cli.render import WITHHELD, check_folder, objects, skipped, write
from rehearsal.engine.state.resource_state import ResourceState, Snapshot
from rehearsal.errors import InputError
from rehearsal.pulumi.properties import UNKNOWN, Secret


def resource(token: str, name: str, *needs: ResourceState, **inputs: Any) -> ResourceState:
    group, kind = token.split(":")[1:]
    identity = {"apiVersion": group.removeprefix("core/"), "kind": kind, "metadata": {"name": name}}
    return ResourceState(
        urn=f"urn:pulumi:test::kingdom::{token}::{name}",
        type=token,
        custom=True,
        inputs=identity | inputs if token.startswith("kubernetes:") else inputs,
        dependencies=tuple(item.urn for item in needs),
    )


NAMESPACE = resource("kubernetes:core/v1:Namespace", "shop")
BUCKET = resource("gcp:storage/bucket:Bucket", "media", NAMESPACE)
CONFIG = resource("kubernetes:core/v1:ConfigMap", "settings", NAMESPACE, data={"A": "1"})
DEPLOYMENT = resource("kubernetes:apps/v1:Deployment", "web", BUCKET)
QUOTA = resource("kubernetes:core/v1:ResourceQuota", "room", NAMESPACE)
SHOP = (NAMESPACE, BUCKET, CONFIG, DEPLOYMENT, QUOTA)


def files(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.iterdir())}


def test_objects_are_in_apply_order_also_through_resources_that_are_not_objects() -> None:
    assert [item.name for item in objects(Snapshot(SHOP))] == ["shop", "room", "settings", "web"]


def test_the_order_does_not_depend_on_the_timing_of_the_update() -> None:
    order = [item.urn for item in objects(Snapshot(SHOP))]
    for shuffled in itertools.islice(itertools.permutations(SHOP), 0, None, 7):
        assert [item.urn for item in objects(Snapshot(shuffled))] == order


def test_a_file_holds_one_object_as_it_would_be_applied(tmp_path: Path) -> None:
    write("prod", objects(Snapshot(SHOP)), tmp_path)
    assert list(files(tmp_path)) == [
        "01-namespace-shop.yaml",
        "02-resourcequota-room.yaml",
        "03-configmap-settings.yaml",
        "04-deployment-web.yaml",
    ]
    assert yaml.safe_load(files(tmp_path)["03-configmap-settings.yaml"]) == CONFIG.inputs


def test_text_in_yaml_reads_back_as_it_was(tmp_path: Path) -> None:
    chance = random.Random(7)
    hard = ["", "0", "yes", "1e3", " a", "a ", "a: b", "# a", "- a", "line\nline\n", "\ttab", "é\u2028", "~"]
    data = {f"k{index}": "".join(chance.sample(hard, 2)) for index in range(40)} | {
        f"h{index}": text for index, text in enumerate(hard)
    }
    (item,) = objects(Snapshot((resource("kubernetes:core/v1:ConfigMap", "hard", data=data),)))
    write("prod", [item], tmp_path)
    assert yaml.safe_load((tmp_path / "01-configmap-hard.yaml").read_text())["data"] == data


def stamps(folder: Path) -> dict[Path, tuple[int, int]]:
    """Return inode and modification time of each file; reading a file changes its access time."""
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.iterdir()}


def test_a_second_run_touches_no_file(tmp_path: Path) -> None:
    assert len(write("prod", objects(Snapshot(SHOP)), tmp_path).written) == 4
    before = stamps(tmp_path)
    again = write("prod", objects(Snapshot(SHOP)), tmp_path)
    assert (again.written, again.removed) == ([], [])
    assert stamps(tmp_path) == before


def test_files_of_removed_objects_are_deleted_and_other_files_remain(tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("resources: []\n")
    (tmp_path / "picture.yaml").write_bytes(b"\xff\xfe")
    write("prod", objects(Snapshot(SHOP)), tmp_path)
    fewer = write("prod", objects(Snapshot((NAMESPACE, CONFIG))), tmp_path)
    assert fewer.removed == [
        "02-resourcequota-room.yaml",
        "03-configmap-settings.yaml",
        "04-deployment-web.yaml",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "01-namespace-shop.yaml",
        "02-configmap-settings.yaml",
        "kustomization.yaml",
        "picture.yaml",
    ]


def test_a_file_not_written_by_render_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "01-namespace-shop.yaml").write_text("mine: true\n")
    with pytest.raises(InputError, match="did not write"):
        write("prod", objects(Snapshot(SHOP)), tmp_path)
    assert files(tmp_path) == {"01-namespace-shop.yaml": "mine: true\n"}


def test_stacks_do_not_share_a_folder(tmp_path: Path) -> None:
    write("dev", objects(Snapshot(SHOP)), tmp_path)
    before = files(tmp_path)
    with pytest.raises(InputError, match="holds the objects of the stack 'dev'"):
        write("prod", objects(Snapshot((NAMESPACE,))), tmp_path)
    assert files(tmp_path) == before


def test_a_file_is_not_a_folder(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(InputError, match="is not a folder"):
        check_folder("prod", tmp_path / "out")


def test_no_secret_is_written(tmp_path: Path) -> None:
    found = objects(
        Snapshot(
            (
                resource("kubernetes:core/v1:Secret", "plain", data={"key": "aHVudGVyMg=="}),
                resource("kubernetes:core/v1:Secret", "text", stringData=Secret({"key": "hunter2"})),
                resource(
                    "kubernetes:core/v1:ConfigMap", "mixed", data={"open": "1", "shut": Secret("hunter2")}
                ),
            )
        )
    )
    write("prod", found, tmp_path)
    texts = files(tmp_path)
    assert not any("hunter2" in text or "aHVudGVyMg" in text for text in texts.values())
    assert yaml.safe_load(texts["01-configmap-mixed.yaml"])["data"] == {"open": "1", "shut": WITHHELD}
    assert "# Secret, left out: data.shut\n" in texts["01-configmap-mixed.yaml"]
    assert all(item.withheld for item in found)


def test_values_that_only_a_cloud_can_assign_are_listed(tmp_path: Path) -> None:
    planned = resource("kubernetes:core/v1:ConfigMap", "settings", data={"A": "1", "URL": UNKNOWN})
    created = resource(
        "kubernetes:core/v1:ConfigMap", "settings", data={"A": "1", "URL": "rediss://10.1.2.3"}
    )
    rendered = write("prod", objects(Snapshot((created,)), Snapshot((planned,))), tmp_path)
    (text,) = files(tmp_path).values()
    assert "# Generated in place of values that the clouds assign: data.URL\n" in text
    assert rendered.to_json()["objects"][0]["invented"] == ["data.URL"]


def test_omitted_patches_and_releases_are_reported() -> None:
    patch = resource("kubernetes:core/v1:NamespacePatch", "labels", kind="Namespace")
    release = resource("kubernetes:helm.sh/v3:Release", "chart", kind=None)
    snapshot = Snapshot((NAMESPACE, patch, release))
    assert [item.name for item in objects(snapshot)] == ["shop"]
    assert skipped(snapshot) == [
        "kubernetes:core/v1:NamespacePatch labels",
        "kubernetes:helm.sh/v3:Release chart",
    ]
