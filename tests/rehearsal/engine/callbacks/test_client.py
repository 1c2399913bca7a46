"""Calls of functions of the program, and the reason of an exception in one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import pytest
from pulumi.runtime.proto import callback_pb2

from rehearsal.engine.callbacks import client
from tests.rehearsal.engine.conftest import Stack, messages


def test_transform_that_raises_fails_its_resource_with_place(stack: Stack) -> None:
    result = stack.update("""
        def broken(args):
            raise ValueError("not this one")
        Thing("a", ResourceOptions(transforms=[broken]))
    """)
    assert not result.ok
    assert "not this one" in messages(result)[0]
    assert "__main__.py" in messages(result)[0]


class Failure(grpc.RpcError):
    def __init__(self, details: str) -> None:
        super().__init__(details)
        self._details = details

    def details(self) -> str:
        return self._details


def failing(details: str) -> Callable[..., Any]:
    class Stub:
        def __init__(self, channel: grpc.Channel) -> None: ...

        def Invoke(self, message: object) -> None:
            raise Failure(details)

    return Stub


STACK = "\n".join(
    [
        "Callback 1 error: ValueError: not this one:",
        "Traceback (most recent call last):",
        '  File "/sdk/pulumi/callbacks.py", line 90, in Invoke',
        "    raise",
        '  File "/program/__main__.py", line 5, in broken',
        "    raise ValueError",
    ]
)


@pytest.mark.parametrize(
    ("details", "reason"),
    [
        (STACK, 'ValueError: not this one (File "/program/__main__.py", line 5, in broken)'),
        ("Callback 1 error: ValueError: no", "ValueError: no"),
        ("failed to connect", "failed to connect"),
    ],
)
def test_error_has_the_exception_and_its_last_position(
    monkeypatch: pytest.MonkeyPatch, details: str, reason: str
) -> None:
    monkeypatch.setattr(client.callback_pb2_grpc, "CallbacksStub", failing(details))
    callbacks = client.Callbacks()
    callback = callback_pb2.Callback(target="127.0.0.1:1", token="1")
    try:
        with pytest.raises(client.CallbackError) as raised:
            callbacks.invoke(callback, callback_pb2.Callback(), callback_pb2.Callback)
    finally:
        callbacks.close()
    assert str(raised.value) == reason


def test_call_of_a_program_that_has_ended_is_an_error_of_its_own() -> None:
    callbacks = client.Callbacks()
    callback = callback_pb2.Callback(token="1", target="127.0.0.1:9")  # the discard port refuses connections
    with pytest.raises(client.CallbackEndedError):
        callbacks.invoke(callback, callback_pb2.CallbackInvokeRequest(), callback_pb2.CallbackInvokeResponse)
    callbacks.close()
