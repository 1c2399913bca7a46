"""Memory layer of the cache: values in the process, bounded by bytes and entries, evicted by S3-FIFO.

S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023): new entries enter a small
queue. Those read while in it move to the main queue, the others are evicted early, so a scan over many keys
does not evict frequently read ones. A key that returns soon after its eviction (a ghost) goes to the main
queue directly. A hit costs one dictionary read and one increment.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import Final, Generic, TypeVar

T = TypeVar("T")

_SMALL_SHARE: Final = 0.1
_MAX_READS: Final = 3
OVERHEAD_BYTES: Final = (
    300  # of an entry besides its value: the object, its key, and its references in three containers
)


class Entry(Generic[T]):
    """A cached value. Times are seconds of ``time.monotonic``.

    ``valid_at`` is the last time at which the value was certainly valid. From ``refresh_at`` a read refreshes
    it, from ``stale_at`` it is stale, and from ``expires_at`` it is not served. ``size`` is in bytes.
    """

    __slots__ = (
        "expires_at",
        "key",
        "main",
        "reads",
        "refresh_at",
        "size",
        "stale_at",
        "tags",
        "valid_at",
        "value",
    )

    def __init__(
        self,
        key: str,
        value: T,
        *,
        size: int,
        valid_at: float,
        refresh_at: float,
        stale_at: float,
        expires_at: float,
        tags: tuple[str, ...] = (),
    ) -> None:
        self.key = key
        self.value = value
        self.size = size + OVERHEAD_BYTES
        self.valid_at = valid_at
        self.refresh_at = refresh_at
        self.stale_at = stale_at
        self.expires_at = expires_at
        self.tags = tags
        self.reads = 0
        self.main = False


class MemoryLayer(Generic[T]):
    """Entries by key, at most ``max_entries`` and ``max_bytes``."""

    def __init__(self, *, max_entries: int = 10_000, max_bytes: int = 32 * 1024 * 1024) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._entries: dict[str, Entry[T]] = {}
        self._small: deque[Entry[T]] = deque()
        self._main: deque[Entry[T]] = deque()
        self._small_bytes = 0
        self._ghosts: OrderedDict[str, None] = OrderedDict()
        self._by_tag: dict[str, set[str]] = {}
        self.bytes = 0
        self.evictions = 0
        self.get = self._entries.get  # hot path: avoids a Python frame around the dictionary read

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, entry: Entry[T]) -> None:
        """Add or replace an entry. An entry larger than a tenth of ``max_bytes`` is not stored."""
        self.drop(entry.key)
        if entry.size * 10 > self._max_bytes:
            return
        self._entries[entry.key] = entry
        self.bytes += entry.size
        for tag in entry.tags:
            self._by_tag.setdefault(tag, set()).add(entry.key)
        if entry.key in self._ghosts:
            del self._ghosts[entry.key]
            self._to_main(entry)
        else:
            self._small.append(entry)
            self._small_bytes += entry.size
        while len(self._entries) > self._max_entries or self.bytes > self._max_bytes:
            self._evict()
        # Removed entries stay in the queues until they reach the front; compact when they outnumber the live
        # ones.
        if len(self._small) + len(self._main) > 2 * len(self._entries) + 64:
            self._compact()

    def drop(self, key: str) -> None:
        """Remove a key, if present."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._discard(entry)

    def drop_tags(self, tags: Iterable[str]) -> None:
        """Remove every entry that has one of the tags."""
        for tag in tags:
            for key in self._by_tag.pop(tag, ()):
                self.drop(key)

    def clear(self) -> None:
        """Remove all entries."""
        self._entries.clear()
        self._small.clear()
        self._main.clear()
        self._by_tag.clear()
        self.bytes = self._small_bytes = 0

    def _evict(self) -> None:
        small_is_due = self._small_bytes > self._max_bytes * _SMALL_SHARE or not self._main
        small_is_due = small_is_due or len(self._small) > self._max_entries * _SMALL_SHARE
        if self._small and small_is_due:
            self._evict_small()
        elif self._main:
            self._evict_main()

    def _evict_small(self) -> None:
        entry = self._small.popleft()
        if not self._alive(entry):
            return
        self._small_bytes -= entry.size
        if entry.reads > 0:
            entry.reads = 0
            self._to_main(entry)
            return
        self._ghosts[entry.key] = None
        if len(self._ghosts) > self._max_entries:
            self._ghosts.popitem(last=False)
        self._remove(entry)

    def _evict_main(self) -> None:
        entry = self._main.popleft()
        if not self._alive(entry):
            return
        if entry.reads > 0:
            entry.reads = min(entry.reads, _MAX_READS) - 1
            self._main.append(entry)
            return
        self._remove(entry)

    def _to_main(self, entry: Entry[T]) -> None:
        entry.main = True
        self._main.append(entry)

    def _alive(self, entry: Entry[T]) -> bool:
        return self._entries.get(entry.key) is entry

    def _remove(self, entry: Entry[T]) -> None:
        del self._entries[entry.key]
        self.bytes -= entry.size
        self._untag(entry)
        self.evictions += 1

    def _discard(self, entry: Entry[T]) -> None:
        self.bytes -= entry.size
        if not entry.main:
            self._small_bytes -= entry.size
        self._untag(entry)

    def _untag(self, entry: Entry[T]) -> None:
        for tag in entry.tags:
            keys = self._by_tag.get(tag)
            if keys is not None:
                keys.discard(entry.key)
                if not keys:
                    del self._by_tag[tag]

    def _compact(self) -> None:
        self._small = deque(entry for entry in self._small if self._alive(entry))
        self._main = deque(entry for entry in self._main if self._alive(entry))
