"""Client of the program's callback servers, through which transforms and hooks are called."""

from __future__ import annotations

import threading
from typing import Any

import grpc
from pulumi.runtime.proto import callback_pb2, callback_pb2_grpc


class CallbackError(Exception):
    """A function of the program raised an exception; the message has its reason and source position."""


class CallbackEndedError(CallbackError):
    """The program has ended, after a failure, before its function could be called."""


class Callbacks:
    """gRPC channels to the callback servers of the program. Thread-safe."""

    def __init__(self) -> None:
        self._channels: dict[str, grpc.Channel] = {}
        self._lock = threading.Lock()

    def invoke(self, callback: callback_pb2.Callback, request: Any, response: Any) -> Any:
        """Call `callback` with `request` and parse the result as a `response`.

        Raises CallbackError if the function fails, and CallbackEndedError if its server has stopped.
        """
        stub = callback_pb2_grpc.CallbacksStub(self._channel(callback.target))
        message = callback_pb2.CallbackInvokeRequest(
            token=callback.token, request=request.SerializeToString()
        )
        try:
            result = stub.Invoke(message)
        except grpc.RpcError as error:
            stopped = isinstance(error, grpc.Call) and error.code() is grpc.StatusCode.UNAVAILABLE
            raise (CallbackEndedError if stopped else CallbackError)(_reason(error)) from None
        return response.FromString(result.response)

    def _channel(self, target: str) -> grpc.Channel:
        with self._lock:
            if target not in self._channels:
                size = 400 * 1024 * 1024  # bytes; the limit of the SDK's server
                options = [("grpc.max_receive_message_length", size), ("grpc.max_send_message_length", size)]
                self._channels[target] = grpc.insecure_channel(target, options=options)
            return self._channels[target]

    def close(self) -> None:
        with self._lock:
            for channel in self._channels.values():
                channel.close()
            self._channels.clear()


def _reason(error: grpc.RpcError) -> str:
    """Return the exception of the function without the token and the stack that the SDK adds."""
    details = str(getattr(error, "details", lambda: error)() or error)
    _, marker, rest = details.partition(" error: ")
    text = rest if marker else details
    first, _, stack = text.partition(":\n")
    files = [line.strip() for line in stack.splitlines() if line.strip().startswith("File ")]
    return f"{first} ({files[-1]})" if files else first
