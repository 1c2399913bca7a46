"""Tests of assets and archives: their hashes, and what a refresh records of them."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.engine.assets import AssetError, with_contents_of, with_hashes, without_contents
from rehearsal.pulumi.properties import ARCHIVE_SIGNATURE, ASSET_SIGNATURE, Asset, Secret, unwrap
from tests.rehearsal.engine.conftest import Stack, messages
from tests.rehearsal.engine.fake_provider import Cloud

PROGRAM = """
    from pulumi import AssetArchive, FileAsset, Output, StringAsset
    Thing("text", value={}(StringAsset("hello")))
    Thing("file", value={}(FileAsset("__main__.py")))
    Thing("archive", value={}(AssetArchive({{"a": StringAsset("hello"), "n": AssetArchive({{}})}})))
"""


@pytest.mark.parametrize("wrapper", ["Output.from_input", "Output.secret"])
def test_refresh_sends_hashes_and_keeps_the_contents_of_assets(
    stack: Stack, cloud: Cloud, wrapper: str
) -> None:
    stack.up(PROGRAM.format(*[wrapper] * 3))
    names = ("text", "file", "archive")
    before = {name: _source(stack, name) for name in names}
    received: list[str] = []
    for name in names:
        cloud.before["Read", name] = lambda request: received.append(str(request))
    assert stack.refresh().ok
    assert {name: _source(stack, name) for name in names} == before
    assert len(received) == 3
    assert not any("hello" in text or "__main__.py" in text for text in received)


def test_update_after_a_refresh_changes_nothing(stack: Stack) -> None:
    program = PROGRAM.format(*["Output.from_input"] * 3)
    stack.up(program)
    stack.refresh()
    assert not stack.up(program).changed


def test_hash_of_a_folder_with_a_file_without_ascii_characters_in_its_name(tmp_path: Path) -> None:
    """The hash is the one that the CLI records."""
    for name, text in {"1": "1", "sub/2": "0", ".hidden": "h", "é": "u", ".pulumi/x": "no"}.items():
        (tmp_path / "d" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "d" / name).write_text(text)
    archive = with_hashes(Asset(ARCHIVE_SIGNATURE, (("path", "d"),)), tmp_path)
    assert archive.hash == "d1281568d51e87a18b56b4122fd00f1f221004563dc6b02ebada33b9d971d26b"


EMPTY = "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"  # of a tar stream without files


def test_archive_of_a_link_to_a_folder_is_empty(tmp_path: Path) -> None:
    """As with the CLI: Go's ``filepath.Walk`` does not follow its root, unless a slash ends the path."""
    for name in ("d/a", ".pulumi/a"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("1")
    (tmp_path / "link").symlink_to("d")
    folder = _archive("d", tmp_path)
    assert [_archive(path, tmp_path) for path in ("link", "link/", ".pulumi", f"{tmp_path}/link")] == [
        EMPTY
    ] * 4
    assert _archive(f"{tmp_path}/link/", tmp_path) == folder != EMPTY


def _archive(path: str, folder: Path) -> str:
    return with_hashes(Asset(ARCHIVE_SIGNATURE, (("path", path),)), folder).hash


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz"])
def test_malformed_archive_in_an_archive_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("neither")
    member = Asset(ARCHIVE_SIGNATURE, (("path", name),))
    with pytest.raises(AssetError, match=f"source: {name} cannot be unpacked"):
        with_hashes({"source": Asset(ARCHIVE_SIGNATURE, (("assets", {"m": member}),))}, tmp_path)


def test_link_in_a_tar_archive_is_an_error(tmp_path: Path) -> None:
    """The CLI ends with a panic."""
    with tarfile.open(tmp_path / "a.tar", "w") as stream:
        link = tarfile.TarInfo("to")
        link.type, link.linkname = tarfile.SYMTYPE, "a"
        stream.addfile(link)
    member = Asset(ARCHIVE_SIGNATURE, (("path", "a.tar"),))
    with pytest.raises(AssetError, match="to, which is neither a file nor a folder"):
        with_hashes({"source": Asset(ARCHIVE_SIGNATURE, (("assets", {"m": member}),))}, tmp_path)


@pytest.mark.parametrize("uri", ["file:text", "file://host/text"])
def test_file_address_without_an_absolute_path_is_an_error(tmp_path: Path, uri: str) -> None:
    with pytest.raises(AssetError, match="must have an absolute path and no host"):
        with_hashes({"source": Asset(ASSET_SIGNATURE, (("uri", uri),))}, tmp_path)


def _source(stack: Stack, name: str) -> dict[str, Any]:
    asset = unwrap(stack.record(name).inputs["value"])
    assert isinstance(asset, Asset)
    return asset.fields


HASHES = st.sampled_from(["h1", "h2", "h3"])
ASSETS = HASHES.map(lambda value: Asset(ASSET_SIGNATURE, (("hash", value), ("text", f"text of {value}"))))
ARCHIVES = HASHES.map(lambda value: Asset(ARCHIVE_SIGNATURE, (("hash", value), ("path", value))))
VALUES = st.recursive(
    ASSETS | ARCHIVES | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | inner.map(Secret),
)


@given(st.dictionaries(st.text(), VALUES))
def test_contents_return_where_the_inputs_have_the_hash(inputs: dict[str, Any]) -> None:
    read = without_contents(inputs)
    assert "text of" not in repr(unwrap(read))
    assert unwrap(with_contents_of(read, inputs)) == unwrap(_with_empty_archives(inputs))


def _with_empty_archives(value: Any) -> Any:
    match value:
        case Asset() if value.signature == ARCHIVE_SIGNATURE:
            return Asset(ARCHIVE_SIGNATURE, (("assets", {}), ("hash", value.hash)))
        case Secret(element):
            return Secret(_with_empty_archives(element))
        case dict():
            return {key: _with_empty_archives(item) for key, item in value.items()}
        case list():
            return [_with_empty_archives(item) for item in value]
        case _:
            return value


def test_paths_are_relative_to_the_program_although_it_changes_its_folder(
    stack: Stack, tmp_path: Path
) -> None:
    """As with the CLI, whose engine has a folder of its own."""
    program = """
        import os
        from pulumi import FileAsset
        os.chdir("..")
        Thing("file", value=FileAsset("__main__.py"))
        pulumi.export("file", FileAsset("__main__.py"))
    """
    stack.up(program)
    assert stack.record("file").inputs["value"].hash
    (tmp_path / "only-there.txt").write_text("text")
    result = stack.update(program.replace("__main__.py", "only-there.txt"))
    assert "cannot read" in messages(result)[0]
