"""Two-layer cache (process memory, then Redis) with single-flight loading and invalidation across pods."""

from app.cache.cache import Cache, Loaded
from app.cache.memory_layer import MemoryLayer

__all__ = ["Cache", "Loaded", "MemoryLayer"]
