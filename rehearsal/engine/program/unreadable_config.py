"""Encrypted configuration that cannot be decrypted: the program receives unknown secrets."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Callable, Collection, Iterator
from typing import Any, Final

import pulumi

from rehearsal.pulumi.properties import UNKNOWN_SENTINEL

_SECRET_GETTERS: Final = ("secret", "secret_bool", "secret_float", "secret_int", "secret_object")
# Results of plain getters, which cannot return an unknown; the text is a marker that becomes an unknown.
_PLAIN: Final[dict[str, Any]] = {
    "": UNKNOWN_SENTINEL,
    "bool": False,
    "float": 0.0,
    "int": 0,
    "object": {},
}


@contextlib.contextmanager
def as_unknown(keys: Collection[str]) -> Iterator[None]:
    """While entered, `pulumi.Config` returns unknown secrets for `keys`, full keys such as ``app:token``.

    Plain getters of numbers, flags and objects return an empty value: they cannot represent an unknown.
    """
    if not keys:
        yield
        return
    saved: dict[str, Callable[..., Any]] = {}

    def patch(method: str, make: Callable[[], Any]) -> None:
        original = saved[method] = getattr(pulumi.Config, method)

        @functools.wraps(original)
        def patched(self: pulumi.Config, key: str, *args: Any, **kwargs: Any) -> Any:
            return make() if self.full_key(key) in keys else original(self, key, *args, **kwargs)

        setattr(pulumi.Config, method, patched)

    for name in _SECRET_GETTERS:
        patch(f"get_{name}", _unknown_secret)
        patch(f"require_{name}", _unknown_secret)
    for name, value in _PLAIN.items():
        ending = f"_{name}" if name else ""
        patch(f"get{ending}", lambda value=value: value)
        patch(f"require{ending}", lambda value=value: value)
    try:
        yield
    finally:
        for method, original in saved.items():
            setattr(pulumi.Config, method, original)


def _unknown_secret() -> pulumi.Output[Any]:
    def settled(value: Any) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_event_loop().create_future()
        future.set_result(value)
        return future

    return pulumi.Output(set(), settled(None), settled(False), settled(True))
