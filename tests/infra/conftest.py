"""Each stack is rehearsed once for all tests of the program."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.infra.rehearsal import STACKS, Declared, rehearse


@pytest.fixture(scope="session")
def stack_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Declared]:
    """Return the declared resources of a stack, by its name."""
    known: dict[str, Declared] = {}

    def declared(name: str) -> Declared:
        if name not in known:
            known[name] = rehearse(name, tmp_path_factory.mktemp(name))
        return known[name]

    return declared


@pytest.fixture(params=STACKS)
def declared(request: pytest.FixtureRequest, stack_of: Callable[[str], Declared]) -> Declared:
    """The declared resources of each stack, one after the other."""
    return stack_of(request.param)


@pytest.fixture
def prod(stack_of: Callable[[str], Declared]) -> Declared:
    """The declared resources of production."""
    return stack_of("prod")
