"""Context of an operation: failures, cancellation and adopted records."""

from __future__ import annotations

from tests.rehearsal.engine.conftest import Stack, messages
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


def test_alias_of_a_resource_that_was_not_recorded_has_no_effect(stack: Stack) -> None:
    stack.up('Thing("a")\nThing("b", ResourceOptions(aliases=[Alias(name="a"), Alias(name="b")]))\n')
    assert stack.names() == {"a", "b"}
    assert not stack.up().changed
    stack.consistent()


def test_alias_of_a_recorded_resource_that_is_declared_is_an_error(stack: Stack) -> None:
    stack.up('Thing("a")\n')
    result = stack.update('Thing("a")\nThing("b", ResourceOptions(aliases=[Alias(name="a")]))\n')
    assert "two resources cannot be the same one" in messages(result)[0]
