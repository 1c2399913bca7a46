"""Values that are costly to make, kept near: shared through Redis, and never needed to answer."""

from app.cache.cache import Cache

__all__ = ["Cache"]
