"""Single values of a stack file's text."""

from __future__ import annotations

import random
import stat
import subprocess
from pathlib import Path

import pytest
import yaml

from rehearsal.errors import InputError
from rehearsal.monitoring.recommendations.stack_patch import changed, diff, read_text, replace_text
from tests.rehearsal.monitoring.test_store import file_size
from tests.repository._tree import ROOT

TEXT = (ROOT / "stacks" / "Pulumi.prod.yaml").read_text()
PATH = ("kingdom:workload", "api", "resources", "memoryMi")


def test_one_value_changes_and_comments_stay() -> None:
    after = changed(TEXT, PATH, "1024")
    assert yaml.safe_load(after)["config"]["kingdom:workload"]["api"]["resources"]["memoryMi"] == 1024
    removed = [line for line in TEXT.splitlines() if line not in after.splitlines()]
    assert len(removed) == 1
    assert changed(after, PATH, "768") == TEXT


def test_the_diff_names_the_file() -> None:
    found = diff(TEXT, changed(TEXT, PATH, "1024"), "stacks/Pulumi.prod.yaml")
    assert found.startswith("--- a/stacks/Pulumi.prod.yaml\n+++ b/stacks/Pulumi.prod.yaml\n")
    assert sum(line.startswith("+") for line in found.splitlines()) == 2


@pytest.mark.parametrize("path", [("kingdom:workload", "absent"), ("kingdom:workload", "api")])
def test_path_of_a_structured_value_is_refused(path: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="kingdom:workload"):
        changed(TEXT, path, "1")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("512 # MiB", "640 # MiB"),
        ('"512"', '"640"'),
        ("'512'", "'640'"),
        ("&mem 512", "&mem 640"),
        ("!!int 512", "!!int 640"),
        ("   512   ", "   640   "),
    ],
)
def test_the_style_of_a_value_remains(value: str, expected: str) -> None:
    text = "# a\nconfig:  # b\n  {0}: {{a: [1, 2], memoryMi: {1}\n }}\n  other:  7\n"
    before = text.format("k:w", value.replace(" # MiB", ""))
    assert changed(before, ("k:w", "memoryMi"), "640") == text.format("k:w", expected.replace(" # MiB", ""))
    block = 'config:\n    k:w:\n        memoryMi: {0}\n        x: "#"\n\n\n# end'
    assert changed(block.format(value), ("k:w", "memoryMi"), "640") == block.format(expected)


@pytest.mark.parametrize(
    "text",
    [
        "base: &m 512\nconfig:\n  k:w: {memoryMi: *m}\n",
        "config:\n  k:w: {memoryMi: &m 512, other: *m}\n",
        "config:\n  k:w: {memoryMi: 512, memoryMi: 512}\n",
        "defaults: &d {memoryMi: 512}\nconfig:\n  k:w: *d\n",
        "defaults: &d {memoryMi: 512}\nconfig:\n  k:w: {<<: *d}\n",
        "config:\n  k:w:\n    memoryMi: |\n      512\n",
        "config: [\n",
    ],
    ids=["alias", "anchor", "twice", "section", "merge", "block", "broken"],
)
def test_a_value_that_cannot_be_changed_alone_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"stack file|memoryMi"):
        changed(text, ("k:w", "memoryMi"), "640")


def test_a_value_that_was_changed_meanwhile_is_refused() -> None:
    with pytest.raises(InputError, match="is 768 and not 512: the stack file was changed meanwhile"):
        changed(changed(TEXT, PATH, "768"), PATH, "1024", "512")


def test_line_ends_and_mode_remain_and_links_stay_links(tmp_path: Path) -> None:
    path, link = tmp_path / "Pulumi.prod.yaml", tmp_path / "link.yaml"
    content = TEXT.replace("\n", "\r\n").encode()
    path.write_bytes(content)
    path.chmod(0o640)
    link.symlink_to(path)
    replace_text(link, changed(read_text(link), PATH, "1024"))
    assert path.read_bytes() == changed(TEXT, PATH, "1024").replace("\n", "\r\n").encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert link.is_symlink()


def test_on_a_full_disk_the_file_remains_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.prod.yaml"
    path.write_text(TEXT)
    with file_size(100), pytest.raises(InputError, match="was not changed"):
        replace_text(path, changed(TEXT, PATH, "1024"))
    assert path.read_text() == TEXT
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("ends", ["\n", "", "\r\n", "# \u2028\n"])
def test_git_applies_the_diff(tmp_path: Path, ends: str) -> None:
    before = TEXT.removesuffix("\n").replace("\n", "\r\n" if ends == "\r\n" else "\n") + ends
    after = changed(before, PATH, "1024")
    path = tmp_path / "stacks" / "Pulumi.prod.yaml"
    path.parent.mkdir()
    path.write_bytes(before.encode())
    patch = diff(before, after, "stacks/Pulumi.prod.yaml").encode()
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=patch, check=True)
    assert path.read_bytes() == after.encode()


@pytest.mark.slow
def test_every_single_value_of_the_stack_files_can_be_changed() -> None:
    chance = random.Random(1)
    for file in sorted((ROOT / "stacks").glob("Pulumi.*.yaml")):
        text = file.read_text()
        content = yaml.safe_load(text)["config"]
        paths: list[tuple[str, ...]] = []
        pending = [((), content)]
        while pending:
            path, value = pending.pop()
            if isinstance(value, dict):
                pending += [((*path, key), item) for key, item in value.items()]
            elif isinstance(value, int | float) and not isinstance(value, bool):
                paths.append(path)
        for path in chance.sample(paths, 12):
            assert changed(changed(text, path, "123456"), path, "123457") == changed(text, path, "123457")
