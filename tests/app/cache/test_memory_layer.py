from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cache.memory_layer import OVERHEAD_BYTES, Entry, MemoryLayer


def entry(key: str, size: int = 0, tags: tuple[str, ...] = ()) -> Entry[str]:
    return Entry(
        key,
        key,
        size=size,
        valid_at=0,
        refresh_at=math.inf,
        stale_at=math.inf,
        expires_at=math.inf,
        tags=tags,
    )


operations = st.lists(
    st.tuples(
        st.sampled_from(["add", "drop", "read", "tag"]),
        st.integers(0, 30).map(str),
        st.integers(0, 800),
    ),
    max_size=300,
)


@given(operations)
def test_limits_hold_and_dropped_entries_are_absent(steps: list[tuple[str, str, int]]) -> None:
    memory: MemoryLayer[str] = MemoryLayer(max_entries=10, max_bytes=12_000)
    live: dict[str, int] = {}  # entries that may be cached
    for step, key, size in steps:
        if step == "add":
            memory.add(entry(key, size, tags=(f"tag{int(key) % 3}",)))
            live[key] = size
        elif step == "drop":
            memory.drop(key)
            live.pop(key, None)
        elif step == "tag":
            memory.drop_tags([f"tag{int(key) % 3}"])
            live = {other: other_size for other, other_size in live.items() if int(other) % 3 != int(key) % 3}
        elif (found := memory.get(key)) is not None:
            found.reads += 1
        stored = {key: found for key in map(str, range(31)) if (found := memory.get(key)) is not None}
        assert stored.keys() <= live.keys()
        assert all(found.size == live[key] + OVERHEAD_BYTES for key, found in stored.items())
        assert len(memory) == len(stored) <= 10
        assert memory.bytes == sum(found.size for found in stored.values()) <= 12_000


def test_scan_does_not_evict_frequently_read_entries() -> None:
    memory: MemoryLayer[str] = MemoryLayer(max_entries=100)
    popular = [f"popular{number}" for number in range(50)]
    for key in popular:
        memory.add(entry(key))
    for _ in range(20):
        for key in popular:
            found = memory.get(key)
            if found is not None:
                found.reads += 1
        for number in range(200):
            memory.add(entry(f"scan{random.random()}{number}"))
    assert sum(memory.get(key) is not None for key in popular) >= 45


def test_dropped_entries_are_compacted() -> None:
    memory: MemoryLayer[str] = MemoryLayer(max_entries=100)
    for number in range(10_000):
        memory.add(entry(str(number)))
        memory.drop(str(number))
    assert (len(memory), memory.bytes) == (0, 0)
    assert len(memory._small) + len(memory._main) <= 64


def read(memory: MemoryLayer[str], key: str, times: int = 1) -> None:
    found = memory.get(key)
    assert found is not None
    found.reads += times


def keys(memory: MemoryLayer[str], *candidates: str) -> list[str]:
    return [key for key in candidates if memory.get(key) is not None]


def test_oldest_unread_entry_is_evicted_first() -> None:
    memory: MemoryLayer[str] = MemoryLayer(max_entries=3)
    for key in "abcd":
        memory.add(entry(key))
    assert keys(memory, *"abcd") == ["b", "c", "d"]
    assert memory.evictions == 1


def test_entry_read_in_the_small_queue_moves_to_the_main_queue() -> None:
    memory: MemoryLayer[str] = MemoryLayer(max_entries=3)
    for key in "abc":
        memory.add(entry(key))
    read(memory, "a")
    memory.add(entry("d"))
    assert keys(memory, *"abcd") == ["a", "c", "d"]
    found = memory.get("a")
    assert found is not None
    assert found.main
    assert found.reads == 0, "reads count again from zero in the main queue"


def test_evicted_key_that_returns_goes_to_the_main_queue() -> None:
    memory: MemoryLayer[str] = MemoryLayer(max_entries=2)
    for key in "abc":
        memory.add(entry(key))
    memory.add(entry("a"))
    found = memory.get("a")
    assert found is not None
    assert found.main


def test_ghosts_are_limited_to_the_number_of_entries() -> None:
    memory: MemoryLayer[str] = MemoryLayer(max_entries=2)
    for key in "abcdef":
        memory.add(entry(key))
    assert list(memory._ghosts) == ["c", "d"], "the two latest of the four evicted keys"
    memory.add(entry("a"))
    found = memory.get("a")
    assert found is not None
    assert not found.main


def test_entry_of_the_main_queue_survives_once_per_read_up_to_three() -> None:
    memory: MemoryLayer[str] = MemoryLayer(max_entries=1)
    memory.add(entry("a"))
    memory.add(entry("b"))
    memory.add(entry("a"))  # a ghost: enters the main queue and evicts b
    assert keys(memory, "a", "b") == ["a"]
    for reads, survives in ((0, False), (1, True), (50, True)):
        queue: MemoryLayer[str] = MemoryLayer(max_entries=10)
        stored = entry("main")
        stored.main, stored.reads = True, reads
        queue._entries["main"] = stored
        queue.bytes += stored.size
        queue._main.append(stored)
        queue._evict_main()
        assert (queue.get("main") is not None) == survives
        assert stored.reads == max(0, min(reads, 3) - 1)


def test_bytes_are_a_limit_of_their_own() -> None:
    size = 1_000 - OVERHEAD_BYTES
    memory: MemoryLayer[str] = MemoryLayer(max_entries=100, max_bytes=10_000)
    for number in range(10):
        memory.add(entry(str(number), size))
    assert (len(memory), memory.bytes, memory.evictions) == (10, 10_000, 0), "exactly at the limit"
    memory.add(entry("one more", 0))
    assert memory.evictions == 1


def test_entry_larger_than_a_tenth_of_the_memory_is_not_stored() -> None:
    memory: MemoryLayer[str] = MemoryLayer(max_bytes=10_000)
    memory.add(entry("fits", 1_000 - OVERHEAD_BYTES))
    memory.add(entry("too large", 1_001 - OVERHEAD_BYTES))
    assert keys(memory, "fits", "too large") == ["fits"]
    memory.add(entry("fits", 1_001 - OVERHEAD_BYTES))
    assert keys(memory, "fits") == [], "the replaced entry is removed all the same"


def test_small_queue_is_evicted_before_the_main_queue_above_its_share() -> None:
    memory: MemoryLayer[str] = MemoryLayer(max_entries=10)
    for number in range(10):
        memory.add(entry(str(number)))
        read(memory, str(number))
    for number in range(20):
        memory.add(entry(f"scan{number}"))
    assert len(keys(memory, *map(str, range(10)))) == 9, "the small queue holds a tenth"


def test_tags_of_removed_entries_are_released() -> None:
    memory: MemoryLayer[str] = MemoryLayer(max_entries=2)
    memory.add(entry("a", tags=("t",)))
    memory.add(entry("b", tags=("t", "u")))
    memory.drop("a")
    memory.drop("missing")
    memory.drop_tags(["u", "missing"])
    assert (len(memory), memory._by_tag, memory._small_bytes) == (0, {}, 0)


def test_clear_removes_entries_and_their_accounting() -> None:
    memory: MemoryLayer[str] = MemoryLayer()
    memory.add(entry("a", 10, tags=("t",)))
    memory.clear()
    assert (len(memory), memory.bytes, memory._small_bytes, memory._by_tag) == (0, 0, 0, {})


def test_queues_are_compacted_when_removed_entries_outnumber_the_stored_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    memory: MemoryLayer[str] = MemoryLayer(max_entries=1_000)
    compact, lengths = memory._compact, list[int]()

    def counted() -> None:
        compact()
        lengths.append(len(memory._small) + len(memory._main))

    monkeypatch.setattr(memory, "_compact", counted)
    for _ in range(66):
        memory.add(entry("a"))
    assert lengths == []
    memory.add(entry("a"))
    assert lengths == [1]
