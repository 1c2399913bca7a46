from __future__ import annotations

import math
import random

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
def test_bounds_hold_and_what_was_dropped_is_gone(steps: list[tuple[str, str, int]]) -> None:
    memory: MemoryLayer[str] = MemoryLayer(max_entries=10, max_bytes=12_000)
    live: dict[str, int] = {}  # what may be there at all
    for step, key, size in steps:
        if step == "add":
            memory.add(entry(key, size, tags=(f"tag{int(key) % 3}",)))
            live[key] = size
        elif step == "drop":
            memory.drop(key)
            live.pop(key, None)
        elif step == "tag":
            memory.drop_tags([f"tag{int(key) % 3}"])
            live = {other: kept_size for other, kept_size in live.items() if int(other) % 3 != int(key) % 3}
        elif (found := memory.get(key)) is not None:
            found.reads += 1
        kept = {key: found for key in map(str, range(31)) if (found := memory.get(key)) is not None}
        assert kept.keys() <= live.keys()
        assert all(found.size == live[key] + OVERHEAD_BYTES for key, found in kept.items())
        assert len(memory) == len(kept) <= 10
        assert memory.bytes == sum(found.size for found in kept.values()) <= 12_000


def test_a_scan_does_not_push_out_what_is_read_often() -> None:
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


def test_dropped_entries_do_not_pile_up() -> None:
    memory: MemoryLayer[str] = MemoryLayer(max_entries=100)
    for number in range(10_000):
        memory.add(entry(str(number)))
        memory.drop(str(number))
    assert (len(memory), memory.bytes) == (0, 0)
    assert len(memory._small) + len(memory._main) <= 64
