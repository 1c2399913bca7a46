"""When a number is worth a look and when it is worth waking someone (ALR1 to ALR5), as the platform says.

The file is a mounted ConfigMap: Kubernetes changes it under a running pod, and the pod goes by the new one.
"""

from __future__ import annotations

from pathlib import Path

import msgspec


class ThresholdsError(Exception):
    """The file cannot be used; the text says why."""


class Threshold(msgspec.Struct, frozen=True):
    """Both in ``unit``; what is above counts."""

    warning: float
    critical: float
    unit: str


class Thresholds(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """CPU and memory in percent of what the pod may use, the 95th percentile of response times in seconds,
    errors in percent of answers, connections to the database in percent of the pools.
    """

    cpu: Threshold
    memory: Threshold
    response_time: Threshold
    error_rate: Threshold
    database_connections: Threshold


def read(path: Path) -> tuple[bytes, Thresholds]:
    """The file as it is now, and what it says. Raises :class:`ThresholdsError`."""
    try:
        text = path.read_bytes()
        found = msgspec.json.decode(text, type=Thresholds)
    except (OSError, msgspec.DecodeError) as error:
        raise ThresholdsError(f"{path}: {error}") from error
    for name in Thresholds.__struct_fields__:
        threshold: Threshold = getattr(found, name)
        if not 0 < threshold.warning < threshold.critical:
            raise ThresholdsError(
                f"{path}: {name} warns at {threshold.warning:g} and is critical at {threshold.critical:g}; "
                "the second must be above the first, and both above 0"
            )
    return text, found
