"""Calls of functions without a model, whose generated results are known after the first update."""

from __future__ import annotations

from collections.abc import Callable, Collection

from google.protobuf import struct_pb2


class FunctionCalls:
    """The calls of one operation, and those of the last update. Thread-safe.

    A preview of a call that the last update has made has the result of that update, so that an unchanged
    program has an empty plan. `digest` returns a digest of a call; without it, no call is known or recorded.
    """

    def __init__(
        self, former: Collection[str] = frozenset(), digest: Callable[[bytes], str] | None = None
    ) -> None:
        self._former = former
        self._digest = digest
        self.made: set[str] = set()  # digests

    def was_made(self, token: str, args: struct_pb2.Struct) -> bool:
        """Return whether the last update made this call."""
        return bool(self._former) and self._digest is not None and self._of(token, args) in self._former

    def record(self, token: str, args: struct_pb2.Struct) -> None:
        """Record a call of a function without a model."""
        if self._digest is not None:
            self.made.add(self._of(token, args))

    def _of(self, token: str, args: struct_pb2.Struct) -> str:
        assert self._digest is not None
        return self._digest(token.encode() + b"|" + args.SerializeToString(deterministic=True))
