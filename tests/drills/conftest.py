from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import projects
from tests.support.projects import Project


@pytest.fixture(scope="session")
def platform() -> Iterator[Project]:
    """The real platform, started once for all drills and stopped at the end."""
    with projects.platform() as project:
        project.run("up", seconds=300)
        yield project


@pytest.fixture(scope="module")
def little() -> Iterator[Project]:
    """The minimal project, started once per module."""
    with projects.little() as project:
        project.run("up")
        yield project
