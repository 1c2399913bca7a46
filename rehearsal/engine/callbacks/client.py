"""Calls back into the program: transforms and hooks run there, behind a gRPC server of the Pulumi SDK."""

from __future__ import annotations

import threading
from typing import Any

import grpc
from pulumi.runtime.proto import callback_pb2, callback_pb2_grpc


class CallbackError(Exception):
    """The program's function raised; the message says why and where."""


class Callbacks:
    """The program's callback servers, one channel each. Thread-safe."""

    def __init__(self) -> None:
        self._channels: dict[str, grpc.Channel] = {}
        self._lock = threading.Lock()

    def invoke(self, callback: callback_pb2.Callback, request: Any, response: Any) -> Any:
        """The answer of `callback` to the message `request`, parsed as a `response`. Raises CallbackError."""
        stub = callback_pb2_grpc.CallbacksStub(self._channel(callback.target))
        message = callback_pb2.CallbackInvokeRequest(
            token=callback.token, request=request.SerializeToString()
        )
        try:
            answer = stub.Invoke(message)
        except grpc.RpcError as error:
            raise CallbackError(_reason(error)) from None
        return response.FromString(answer.response)

    def _channel(self, target: str) -> grpc.Channel:
        with self._lock:
            if target not in self._channels:
                size = 400 * 1024 * 1024  # bytes; what the SDK's own server accepts
                options = [("grpc.max_receive_message_length", size), ("grpc.max_send_message_length", size)]
                self._channels[target] = grpc.insecure_channel(target, options=options)
            return self._channels[target]

    def close(self) -> None:
        with self._lock:
            for channel in self._channels.values():
                channel.close()
            self._channels.clear()


def _reason(error: grpc.RpcError) -> str:
    """What the function raised, without the SDK's frame of token and stack."""
    details = str(getattr(error, "details", lambda: error)() or error)
    _, marker, rest = details.partition(" error: ")
    text = rest if marker else details
    first, _, stack = text.partition(":\n")
    files = [line.strip() for line in stack.splitlines() if line.strip().startswith("File ")]
    return f"{first} ({files[-1]})" if files else first
