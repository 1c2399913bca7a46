"""Values that are costly to make, kept near: in the process, in Redis, and never needed to answer."""

from app.cache.cache import Cache, Loaded
from app.cache.memory_layer import Memory

__all__ = ["Cache", "Loaded", "Memory"]
