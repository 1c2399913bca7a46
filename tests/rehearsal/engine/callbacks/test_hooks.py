"""Tests of resource hooks and error hooks, which the program runs at the engine's request."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.engine.callbacks import hooks
from rehearsal.engine.events import Op
from rehearsal.errors import KingdomError
from tests.rehearsal.engine.conftest import Stack, messages, ops
from tests.rehearsal.engine.fake_provider import Cloud, refused

DELETE_HOOK = """
    hook = pulumi.ResourceHook("h", lambda args: print("hook of", args.name))
    opts = ResourceOptions(hooks=pulumi.ResourceHookBinding(before_delete=[hook], after_delete=[hook]))
    {}
"""
ERROR_HOOK = """
    hook = pulumi.ErrorHook("retry", lambda args: {})
    Thing("a", ResourceOptions(hooks=pulumi.ResourceHookBinding(on_error=[hook])), value={})
"""


def _failing(cloud: Cloud, operation: str, failures: int) -> list[str]:
    """Let the first `failures` calls of `operation` for the resource `a` fail; return the calls made."""
    calls: list[str] = []

    def call(request: Any) -> None:
        calls.append(operation)
        if len(calls) <= failures:
            raise refused(f"busy {len(calls)}")

    cloud.before[(operation, "a")] = call
    return calls


def test_delete_hook_runs_after_the_end_of_the_program(stack: Stack) -> None:
    stack.up(DELETE_HOOK.format('Thing("a", opts, value=1)'))
    result = stack.up(DELETE_HOOK.format(""))
    assert ops(result) == {"a": Op.DELETE}
    assert messages(result) == ["hook of a", "hook of a"]


def test_delete_hook_that_the_program_no_longer_declares_is_an_error(stack: Stack, cloud: Cloud) -> None:
    stack.up(DELETE_HOOK.format('Thing("a", opts, value=1)'))
    result = stack.update("pass\n")
    assert "the hook 'h' is not registered" in messages(result)[0]
    assert cloud.names() == {"a"}


def test_no_deletion_is_started_after_an_after_hook_has_failed(stack: Stack, cloud: Cloud) -> None:
    program = """
    def fail(args):
        raise ValueError("refused by a hook")
    hook = pulumi.ResourceHook("h", fail)
    binding = pulumi.ResourceHookBinding(after_delete=[hook])
    {}
"""
    declared = 'Thing("a", ResourceOptions(hooks=binding, depends_on=[Thing("b", value=1)]), value=1)'
    stack.up(program.format(declared))
    result = stack.update(program.format(""))
    assert "after hook 'h' failed: refused by a hook" in messages(result)[0]
    assert cloud.names() == {"b"}
    assert stack.record("b")


def test_program_does_not_receive_a_resource_whose_after_hook_has_failed(stack: Stack) -> None:
    """As with the CLI: the resource is recorded, and the outputs that depend on it are not."""
    program = """
    def fail(args):
        raise ValueError("refused by a hook")
    hook = pulumi.ResourceHook("h", fail)
    a = Thing("a", ResourceOptions(hooks=pulumi.ResourceHookBinding(after_create=[hook])), value=1)
    Thing("b", ResourceOptions(depends_on=[a]), value=1)
    pulumi.export("value", a.value)
"""
    result = stack.update(program)
    assert messages(result) == ["after hook 'h' failed: refused by a hook"]
    assert stack.record("a")
    assert ops(result) == {"a": Op.CREATE}
    assert not result.outputs


def test_nothing_replaces_a_resource_whose_after_delete_hook_has_failed(stack: Stack, cloud: Cloud) -> None:
    program = """
    def fail(args):
        raise ValueError("refused by a hook")
    binding = pulumi.ResourceHookBinding(after_delete=[pulumi.ResourceHook("h", fail)])
    Thing("a", ResourceOptions(hooks=binding, delete_before_replace=True), fixed={})
"""
    stack.up(program.format(1))
    result = stack.update(program.format(2))
    assert messages(result) == ["after hook 'h' failed: refused by a hook"]
    assert ops(result) == {}
    assert cloud.names() == set()
    assert stack.record("a").pending_replacement


def test_hooks_of_a_provider_run(stack: Stack) -> None:
    program = """
    kinds = ["before_create", "after_create", "before_update", "after_update", "before_delete"]
    def hook(kind):
        return pulumi.ResourceHook(kind, lambda args: print(kind, args.name))
    hooks = {{kind: [hook(kind)] for kind in kinds}}
    class Provider(pulumi.ProviderResource):
        pass
    {}
"""
    declared = (
        'Provider("toy", "p", {{"region": "{}"}}, ResourceOptions(hooks=pulumi.ResourceHookBinding(**hooks)))'
    )
    printed = [
        messages(stack.up(program.format(text)))
        for text in (declared.format("north"), declared.format("south"), "")
    ]
    assert printed == [
        ["before_create p", "after_create p"],
        ["before_update p", "after_update p"],
        ["before_delete p"],
    ]


def test_provider_whose_before_hook_fails_is_not_created(stack: Stack) -> None:
    result = stack.update(
        """
        def fail(args):
            raise ValueError("refused by a hook")
        binding = pulumi.ResourceHookBinding(before_create=[pulumi.ResourceHook("h", fail)])
        class Provider(pulumi.ProviderResource):
            pass
        p = Provider("toy", "p", {"region": "north"}, ResourceOptions(hooks=binding))
        Thing("a", ResourceOptions(provider=p))
        """
    )
    assert messages(result) == ["before hook 'h' failed: refused by a hook"]
    assert ops(result) == {}


@pytest.mark.parametrize(
    ("declared", "reason"),
    [
        ('pulumi.ResourceHook("h", print)\npulumi.ResourceHook("h", print)', "have the name 'h'"),
        ('pulumi.ErrorHook("h", print)\npulumi.ResourceHook("h", print)', "have the name 'h'"),
        ('pulumi.ResourceHook("h", print)\npulumi.ErrorHook("h", print)', "have the name 'h'"),
        ('pulumi.ResourceHook("", print)', "must not be empty"),
        ('pulumi.ErrorHook("", print)', "must not be empty"),
    ],
)
def test_name_of_a_hook_is_unique_and_not_empty(stack: Stack, declared: str, reason: str) -> None:
    with pytest.raises(KingdomError, match=reason):
        stack.update(f"{declared}\n")


def test_destruction_deletes_nothing_where_a_resource_has_a_delete_hook(stack: Stack, cloud: Cloud) -> None:
    stack.up(DELETE_HOOK.format('Thing("a", opts, value=1)\n    Thing("b", value=1)'))
    result = stack.destroy()
    assert not result.ok
    assert "it has delete hooks (h, h), which only a running program can call" in messages(result)[0]
    assert cloud.names() == {"a", "b"}
    assert stack.record("b")


@pytest.mark.parametrize("operation", ["Create", "Update"])
def test_error_hook_requests_retries(stack: Stack, cloud: Cloud, operation: str) -> None:
    if operation == "Update":
        stack.up(ERROR_HOOK.format("True", 1))
    calls = _failing(cloud, operation, failures=2)
    result = stack.up(ERROR_HOOK.format("len(args.errors) < 5", 2))
    assert len(calls) == 3
    assert sum("as requested by an error hook" in text for text in messages(result)) == 2
    assert stack.record("a").inputs["value"] == 2


def test_error_hook_receives_the_failures_newest_first(stack: Stack, cloud: Cloud) -> None:
    _failing(cloud, "Create", failures=2)
    result = stack.up(ERROR_HOOK.format("print(args.failed_operation, args.errors[0]) or True", 1))
    assert [text for text in messages(result) if text.startswith("create")] == [
        "create busy 1",
        "create busy 2",
    ]


def test_failure_without_a_retry_remains(stack: Stack, cloud: Cloud) -> None:
    calls = _failing(cloud, "Create", failures=2)
    result = stack.update(ERROR_HOOK.format("False", 1))
    assert len(calls) == 1
    assert "busy 1" in messages(result)[0]
    assert not result.ok


def test_retries_are_limited(stack: Stack, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "MAX_RETRIES", 3)
    calls = _failing(cloud, "Create", failures=100)
    result = stack.update(ERROR_HOOK.format("True", 1))
    assert len(calls) == 3
    assert any("maximum number of error hook retries (3)" in text for text in messages(result))


def test_error_hook_that_raises_fails_the_step(stack: Stack, cloud: Cloud) -> None:
    calls = _failing(cloud, "Create", failures=1)
    result = stack.update(ERROR_HOOK.format("1 / 0", 1))
    assert len(calls) == 1
    assert "error hook 'retry' failed" in messages(result)[0]
