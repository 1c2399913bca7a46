"""The service as the platform under test, and Locust without its patches.

Imported as usual, Locust replaces sockets, threads and subprocesses of the whole process; tests that need
that start a process of their own.
"""

from __future__ import annotations

import os
from unittest.mock import patch

from tests.app.conftest import platform

with patch.dict(os.environ, {"LOCUST_SKIP_MONKEY_PATCH": "1"}):
    import locust  # noqa: F401

__all__ = ["platform"]
