"""Paths of a host."""

from __future__ import annotations

from pathlib import Path

import pytest

from rehearsal.host.paths import Home, slug


@pytest.mark.parametrize("name", ["api", "a.b-C1"])
def test_plain_name_is_its_own_file_name(name: str) -> None:
    assert slug(name) == name


@pytest.mark.parametrize("name", ["a/b", "../a", ".a", "a_b", "ä", "", "x" * 200])
def test_other_names_are_readable_visible_and_unique(name: str) -> None:
    found = slug(name)
    assert "/" not in found
    assert not found.startswith(".")
    assert len(found) <= 89
    assert found != slug(name + "/")
    assert slug(name) == found


def test_folders_are_created_for_this_user_only(tmp_path: Path) -> None:
    home = Home(tmp_path / "local")
    home.make()
    home.make()
    for folder in (
        home.objects,
        home.records,
        home.logs,
        home.pods,
        home.envoy,
        home.certificates,
        home.data,
    ):
        assert folder.is_dir()
        assert folder.stat().st_mode & 0o077 == 0


def test_authority_is_shared_and_backups_outlast_the_machine(tmp_path: Path) -> None:
    one, other = Home(tmp_path / "local"), Home(tmp_path / "dev")
    assert one.authority == other.authority
    assert not one.backups.is_relative_to(one.machine)
