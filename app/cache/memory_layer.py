"""The first layer: values in the process, bounded by bytes and by entries, evicted by S3-FIFO.

S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023): new entries go through a
small queue; those read again while in it move to the main queue, the rest leave quickly, so a scan over many
keys that are read once does not push out what is read often. A key that comes back soon after leaving (a
ghost) goes straight to the main queue. A hit costs one dictionary read and one increment: nothing is moved.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import Final, Generic, TypeVar

T = TypeVar("T")

_SMALL_SHARE: Final = 0.1
_MOST_READS: Final = 3
OVERHEAD_BYTES: Final = (
    300  # of an entry beside its value: the object, its key, its places in three containers
)


class Entry(Generic[T]):
    """A kept value. Times are seconds of ``time.monotonic``: ``true_at``, the last at which it was certainly
    true; from ``refresh_at`` a read renews it, from ``stale_at`` it is stale, from ``gone_at`` it is gone.
    """

    __slots__ = (
        "gone_at",
        "key",
        "main",
        "reads",
        "refresh_at",
        "size",
        "stale_at",
        "tags",
        "true_at",
        "value",
    )

    def __init__(
        self,
        key: str,
        value: T,
        *,
        size: int,
        true_at: float,
        refresh_at: float,
        stale_at: float,
        gone_at: float,
        tags: tuple[str, ...] = (),
    ) -> None:
        self.key = key
        self.value = value
        self.size = size + OVERHEAD_BYTES
        self.true_at = true_at
        self.refresh_at = refresh_at
        self.stale_at = stale_at
        self.gone_at = gone_at
        self.tags = tags
        self.reads = 0
        self.main = False


class Memory(Generic[T]):
    """Entries by key, never more than ``most_entries`` nor ``most_bytes``."""

    def __init__(self, *, most_entries: int = 10_000, most_bytes: int = 32 * 1024 * 1024) -> None:
        self._most_entries = most_entries
        self._most_bytes = most_bytes
        self._entries: dict[str, Entry[T]] = {}
        self._small: deque[Entry[T]] = deque()
        self._main: deque[Entry[T]] = deque()
        self._small_bytes = 0
        self._ghosts: OrderedDict[str, None] = OrderedDict()
        self._by_tag: dict[str, set[str]] = {}
        self.bytes = 0
        self.evictions = 0
        self.get = self._entries.get  # the hot path: no frame of our own around a dictionary read

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, entry: Entry[T]) -> None:
        """Keep an entry, in place of one of its key; one larger than a tenth of the whole is not kept."""
        self.drop(entry.key)
        if entry.size * 10 > self._most_bytes:
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
        while len(self._entries) > self._most_entries or self.bytes > self._most_bytes:
            self._evict()
        # Dropped entries stay in the queues until they come up; no more of them than of live ones.
        if len(self._small) + len(self._main) > 2 * len(self._entries) + 64:
            self._sweep()

    def drop(self, key: str) -> None:
        """Forget a key."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._forget(entry)

    def drop_tags(self, tags: Iterable[str]) -> None:
        """Forget every entry that carries one of the tags."""
        for tag in tags:
            for key in self._by_tag.pop(tag, ()):
                self.drop(key)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._small.clear()
        self._main.clear()
        self._by_tag.clear()
        self.bytes = self._small_bytes = 0

    def _evict(self) -> None:
        small_is_due = self._small_bytes > self._most_bytes * _SMALL_SHARE or not self._main
        small_is_due = small_is_due or len(self._small) > self._most_entries * _SMALL_SHARE
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
        if len(self._ghosts) > self._most_entries:
            self._ghosts.popitem(last=False)
        self._remove(entry)

    def _evict_main(self) -> None:
        entry = self._main.popleft()
        if not self._alive(entry):
            return
        if entry.reads > 0:
            entry.reads = min(entry.reads, _MOST_READS) - 1
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

    def _forget(self, entry: Entry[T]) -> None:
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

    def _sweep(self) -> None:
        self._small = deque(entry for entry in self._small if self._alive(entry))
        self._main = deque(entry for entry in self._main if self._alive(entry))
