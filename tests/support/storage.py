"""A bucket in memory that can be unavailable."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from app.storage import Found, ObjectMissing, RangeMissing, StorageError


class MemoryBucket:
    """Objects by name; every call raises `StorageError` while `available` is false."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.available = True
        self.calls = 0

    def _call(self) -> None:
        self.calls += 1
        if not self.available:
            raise StorageError("unavailable")

    async def get(self, name: str) -> bytes:
        """Return an object's bytes."""
        self._call()
        if name not in self.objects:
            raise ObjectMissing(name)
        return self.objects[name]

    async def open(self, name: str, part: str | None = None) -> Found:
        """Return an object, or the range `bytes=FIRST-LAST` of it."""
        data = await self.get(name)
        if part is None:
            return Found(_chunks(data), len(data), None, _release)
        first, _, last = part.removeprefix("bytes=").partition("-")
        begin, end = int(first), min(int(last or len(data) - 1), len(data) - 1)
        if begin >= len(data):
            raise RangeMissing(name)
        chunk = data[begin : end + 1]
        return Found(_chunks(chunk), len(chunk), f"bytes {begin}-{end}/{len(data)}", _release)

    async def delete(self, name: str) -> None:
        """Remove an object, if present."""
        self._call()
        self.objects.pop(name, None)

    async def put(self, name: str, data: bytes, *, media_type: str) -> None:
        """Store an object."""
        self._call()
        self.objects[name] = data


async def _chunks(data: bytes) -> AsyncGenerator[bytes]:
    yield data


async def _release() -> None: ...
