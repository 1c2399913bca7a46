"""The locks: every artefact pinned by hash, no registry named, the service at the platform's versions."""

import re
from pathlib import Path

import pytest

from tests.repository._tree import ROOT

LOCKS = sorted((ROOT / "locks").glob("*.txt"))
PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^]]*\])?==(?P<version>[^\s;\\]+)")


def pins(lock: Path) -> dict[str, str]:
    """Package name to version."""
    found = (PIN.match(line) for line in lock.read_text().splitlines())
    return {match["name"]: match["version"] for match in found if match}


def _requirements(lock: Path) -> list[str]:
    """One string a requirement, its continuation lines joined."""
    lines = [line for line in lock.read_text().splitlines() if not line.lstrip().startswith("#")]
    return [entry for entry in "\n".join(lines).replace("\\\n", " ").splitlines() if entry.strip()]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_every_requirement_is_pinned_and_carries_hashes(lock: Path) -> None:
    requirements = _requirements(lock)
    assert requirements
    for requirement in requirements:
        assert PIN.match(requirement), requirement
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", requirement), requirement


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_no_lock_names_a_registry(lock: Path) -> None:
    assert not re.search(r"://|--(extra-)?index-url|--find-links|--trusted-host", lock.read_text())


def test_the_lock_of_the_mobile_client_names_no_address() -> None:
    """npm writes the `funding` of packages again at each update of the lock: remove it."""
    text = (ROOT / "mobile" / "package-lock.json").read_text()
    assert "://" not in text
    assert '"resolved"' not in text


@pytest.mark.parametrize("lock", ["service", "load", "bootstrap"])
def test_the_smaller_locks_have_the_versions_of_the_platform(lock: str) -> None:
    platform = pins(ROOT / "locks" / "platform.txt")
    smaller = pins(ROOT / "locks" / f"{lock}.txt")
    assert smaller
    assert {name: platform.get(name) for name in smaller} == smaller
