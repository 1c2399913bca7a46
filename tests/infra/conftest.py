"""Each stack is rehearsed once for all tests of the program."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.infra.rehearsal import STACKS, Declared, rehearse


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Declared]:
    """What a stack declares, by its name."""
    known: dict[str, Declared] = {}

    def declared(name: str) -> Declared:
        if name not in known:
            known[name] = rehearse(name, tmp_path_factory.mktemp(name))
        return known[name]

    return declared


@pytest.fixture(params=STACKS)
def declared(request: pytest.FixtureRequest, stack: Callable[[str], Declared]) -> Declared:
    """What each stack declares, one after the other."""
    return stack(request.param)


@pytest.fixture
def prod(stack: Callable[[str], Declared]) -> Declared:
    """What production declares."""
    return stack("prod")
