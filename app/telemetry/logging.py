"""Structured logs: one JSON object per line on standard output, collected by the node's log agent.

User-supplied values are only logged as JSON values, so a line break in one cannot forge a second line.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import msgspec
import structlog

from app.settings import LogLevel
from app.telemetry import context

_LEVELS = {
    LogLevel.DEBUG: logging.DEBUG,
    LogLevel.INFO: logging.INFO,
    LogLevel.WARNING: logging.WARNING,
    LogLevel.ERROR: logging.ERROR,
}
_encoder = msgspec.json.Encoder(enc_hook=repr)


def configure(level: LogLevel, **fixed: str) -> None:
    """Configure :mod:`structlog` for the process; ``fixed`` fields (role, pod) are added to every line."""

    def add_fixed(_: Any, __: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
        event.update(fixed)
        return event

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            context.merge,
            structlog.processors.add_log_level,
            _severity,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            structlog.processors.format_exc_info,
            add_fixed,
            structlog.processors.EventRenamer("message"),
            _render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.BytesLoggerFactory(file=sys.stdout.buffer),
        cache_logger_on_first_use=True,
    )
    # Libraries use the standard module; only their warnings are relevant in operation.
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stdout, format='{"message": "%(name)s", "log": "%(levelname)s"}'
    )


def _render(_: Any, __: str, event: structlog.types.EventDict) -> bytes:
    return _encoder.encode(event)


def _severity(_: Any, __: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    # Cloud Logging reads the level from this key.
    event["severity"] = str(event.pop("level")).upper()
    return event
