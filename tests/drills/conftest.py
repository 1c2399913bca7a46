"""The platforms of the drills, and how drills share a machine.

All drills on the whole platform run one after the other in one process of pytest-xdist, so that only one
platform of some twenty processes is up at a time; the drills of other files run beside it, a file at a time.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import projects
from tests.support.projects import Project

# Starting the platform counts towards the first test that needs it.
_TIMEOUT_SECONDS = 900


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Group the drills for `--dist loadgroup`, and set time limits that hold on a busy machine."""
    for item in items:
        if not item.path.is_relative_to(projects.ROOT / "tests" / "drills"):
            continue
        on_platform = "platform" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("platform" if on_platform else item.path.stem))
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(_TIMEOUT_SECONDS))


@pytest.fixture(scope="session")
def platform() -> Iterator[Project]:
    """The real platform, started once for all drills and stopped at the end."""
    with projects.platform() as project:
        project.run("up", seconds=600)
        yield project


@pytest.fixture(scope="module")
def little() -> Iterator[Project]:
    """The minimal project, started once per module."""
    with projects.little() as project:
        project.run("up")
        yield project
