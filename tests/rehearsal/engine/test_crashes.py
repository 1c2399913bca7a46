"""A process that crashes during an operation: the next operation completes or reverts it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.rehearsal.engine.conftest import Stack
from tests.rehearsal.engine.fake_provider import Cloud
from tests.support.processes import fork

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

_CRASHED = -9
_MAX_EFFECTS = 6


@dataclass(frozen=True)
class Declared:
    """One resource of a random program; the resources that it depends on precede it."""

    number: int
    value: int
    fixed: int
    updated_by: frozenset[int]  # a change of these updates it
    replaced_by: frozenset[int]  # a change of these replaces it
    first: bool  # deleteBeforeReplace
    named: bool  # a physical name of its own

    def line(self, there: set[int]) -> str:
        inputs = [f"value={self.value}", f"fixed={self.fixed}"]
        inputs += [f"from{other}=r{other}.computed" for other in sorted(self.updated_by & there)]
        inputs += [f"fixed{other}=r{other}.computed" for other in sorted(self.replaced_by & there)]
        inputs += [f'name="own-{self.number}"'] if self.named else []
        options = "ResourceOptions(delete_before_replace=True), " if self.first else ""
        return f'r{self.number} = Thing("r{self.number}", {options}{", ".join(inputs)})'


@st.composite
def programs(draw: st.DrawFn) -> str:
    """Return a strategy for programs with some of six resources, which differ between two draws."""
    lines: list[str] = []
    there: set[int] = set()
    for number in range(_MAX_EFFECTS):
        if not draw(st.integers(0, 3)):
            continue
        earlier = (
            st.frozensets(st.sampled_from(range(number)), max_size=2) if number else st.just(frozenset())
        )
        declared = Declared(
            number,
            draw(st.integers(0, 2)),
            draw(st.integers(0, 1)),
            draw(earlier),
            draw(earlier),
            draw(st.booleans()),
            draw(st.integers(0, 3)) == 0,
        )
        lines.append(declared.line(there))
        there.add(number)
    return "\n".join([*lines, "pass\n"])


@contextmanager
def a_stack(of: Path | None = None) -> Iterator[tuple[Stack, Path]]:
    """Create a stack, or copy the one in the folder `of`; return it with the file of its cloud."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "stack"
        shutil.copytree(of, root) if of else root.mkdir()
        yield Stack(root, Cloud(root / "cloud.json")), root / "cloud.json"


def run_until_crash(stack: Stack, cloud: Path, source: str | None, moment: int) -> bool:
    """Run an update to `source` (None: destroy) in a process that exits at effect number `moment`."""
    child = fork()
    if child == 0:
        code = 1
        try:
            stack.cloud = Cloud(cloud, crash_at=moment)
            result = stack.destroy() if source is None else stack.update(source)
            code = 0 if result.ok else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in {0, _CRASHED}, f"the update ended with {code}:\n{source}"
    stack.cloud = Cloud(cloud)
    return code == _CRASHED


def require_consistent(stack: Stack, source: str) -> None:
    """Require that an update to `source` succeeds and that the next one has no changes."""
    stack.up(source)
    stack.consistent()
    assert not stack.up(source).changed


BEFORE = """
    a = Thing("a", fixed=1)
    b = Thing("b", ResourceOptions(delete_before_replace=True), value=1, fixed=a.computed)
    Thing("c", fixed_from=b.computed)
    Thing("gone", value=a.computed)
    Thing("same", value=1)
    Thing("own", name="own", fixed=1)
"""
AFTER = """
    a = Thing("a", fixed=2)
    b = Thing("b", ResourceOptions(delete_before_replace=True), value=2, fixed=a.computed, fixed2=2)
    Thing("c", fixed_from=b.computed, value=3)
    Thing("new", value=b.computed)
    Thing("same", value=1)
    Thing("own", name="own", fixed=2)
"""


@pytest.fixture
def before() -> Iterator[Path]:
    """Return the folder of a stack in which the resources of `BEFORE` exist."""
    with a_stack() as (stack, _):
        stack.up(BEFORE)
        yield stack.root


def test_an_update_that_crashes_at_any_effect_is_recovered_by_the_next_operation(before: Path) -> None:
    """The next command completes the update, reverts it, or destroys the stack."""
    for moment in range(1, 100):
        with a_stack(before) as (stack, cloud):
            died = run_until_crash(stack, cloud, AFTER, moment)
            match moment % 3:
                case 0:
                    require_consistent(stack, AFTER)
                case 1:
                    require_consistent(stack, BEFORE)
                case _:
                    assert stack.destroy().ok
                    assert not stack.cloud.objects
                    assert not stack.file.exists()
            if not died:
                assert moment > 20, "the update had too few effects"
                return


def test_a_deletion_that_crashes_at_any_effect_is_recovered_by_the_next_operation(before: Path) -> None:
    for moment in range(1, 100):
        with a_stack(before) as (stack, cloud):
            died = run_until_crash(stack, cloud, None, moment)
            if moment % 2:
                require_consistent(stack, AFTER)
            else:
                assert stack.destroy().ok
                assert not stack.cloud.objects
            if not died:
                return


@pytest.mark.drill
@pytest.mark.timeout(600)  # eighty operations
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(programs(), programs(), programs(), st.lists(st.integers(1, 14), min_size=1, max_size=3))
def test_consecutive_crashes_lose_no_resource(
    first: str, second: str, third: str, moments: list[int]
) -> None:
    with a_stack() as (stack, cloud):
        stack.up(first)
        for number, moment in enumerate(moments):
            run_until_crash(stack, cloud, (second, third)[number % 2], moment)
        require_consistent(stack, third)
        assert stack.destroy().ok
        assert not stack.cloud.objects
