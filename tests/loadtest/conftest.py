from __future__ import annotations

from tests.app.conftest import platform

__all__ = ["platform"]
