"""Warning and critical thresholds of the alert requirements (ALR1 to ALR5), set by the platform.

The file is a mounted ConfigMap, which Kubernetes updates in a running pod.
"""

from __future__ import annotations

from pathlib import Path

import msgspec


class ThresholdsError(Exception):
    """The thresholds file is invalid; the message states why."""


class Threshold(msgspec.Struct, frozen=True):
    """Thresholds in ``unit``; a level applies above its threshold."""

    warning: float
    critical: float
    unit: str


class Thresholds(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """CPU and memory in percent of the pod's limits, the 95th percentile of response times in seconds, errors
    in percent of responses, database connections in percent of the pools.
    """

    cpu: Threshold
    memory: Threshold
    response_time: Threshold
    error_rate: Threshold
    database_connections: Threshold


def read(path: Path) -> tuple[bytes, Thresholds]:
    """Return the text and the thresholds of the file. Raises :class:`ThresholdsError`."""
    try:
        text = path.read_bytes()
        found = msgspec.json.decode(text, type=Thresholds)
    except (OSError, msgspec.DecodeError) as error:
        raise ThresholdsError(f"{path}: {error}") from error
    for name in Thresholds.__struct_fields__:
        threshold: Threshold = getattr(found, name)
        if not 0 < threshold.warning < threshold.critical:
            raise ThresholdsError(
                f"{path}: {name}: warning is {threshold.warning:g} and critical is {threshold.critical:g}; "
                "critical must be above warning, and both above 0"
            )
    return text, found
