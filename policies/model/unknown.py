"""The marker of an unknown value."""

from __future__ import annotations

from typing import Final


class Unknown:
    """A value that is not known before the resource that computes it has been created."""

    _instance: Unknown | None = None

    def __new__(cls) -> Unknown:
        if cls._instance is None:
            cls._instance = super().__new__(cls)
        return cls._instance

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __bool__(self) -> bool:
        raise TypeError("an unknown value is neither true nor false: test `value is UNKNOWN` first")


UNKNOWN: Final = Unknown()
