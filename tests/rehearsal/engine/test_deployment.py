"""Context of an operation: failures, cancellation and adopted records."""

from __future__ import annotations

from tests.rehearsal.engine.conftest import Stack
from tests.rehearsal.engine.fake_provider import Cloud, refused

CHAIN = """
    a = Thing("a", value=1)
    b = Thing("b", value=a.computed)
    c = Thing("c", value=b.computed)
"""


def test_a_failure_stops_later_steps_and_the_next_update_resumes(stack: Stack, cloud: Cloud) -> None:
    def refuse(request: object) -> None:
        raise refused("no")

    cloud.before[("Create", "b")] = refuse
    result = stack.update(CHAIN)
    assert not result.ok
    assert stack.names() == {"a"}
    cloud.before.clear()
    stack.up()
    assert stack.names() == {"a", "b", "c"}
    stack.consistent()


def test_an_interrupt_waits_for_steps_in_progress_and_starts_no_more(stack: Stack, cloud: Cloud) -> None:
    def interrupt(request: object) -> None:
        assert stack.operation
        stack.operation.interrupt()

    cloud.before[("Create", "a")] = interrupt
    result = stack.update(CHAIN)
    assert result.interrupted
    assert stack.names() == {"a"}
    cloud.before.clear()
    stack.up()
    stack.consistent()
