"""Route backends: a port of a Service with the GKE policies attached to it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from rehearsal.host.desired_state import DesiredStore

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s)")


@dataclass(frozen=True)
class Backend:
    """Port of a Service, as referenced by `backendRefs`."""

    namespace: str
    service: str
    port: int | None

    @property
    def cluster(self) -> str:
        return f"{self.namespace}_{self.service}_{self.port or 'any'}"


def duration(text: str) -> float:
    """Parse a Gateway API duration such as `1m30s` or `500ms` into seconds."""
    units = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
    return sum(float(number) * units[unit] for number, unit in _DURATION.findall(text))


def attached(store: DesiredStore, kind: str, backend: Backend) -> dict[str, Any]:
    """Return `spec.default` of the policy of `kind` attached to the Service; {} if none."""
    for policy in store.of_kind(kind, backend.namespace):
        targets = policy.spec.get("targetRefs") or [policy.spec.get("targetRef") or {}]
        if any(t.get("kind") == "Service" and t.get("name") == backend.service for t in targets):
            return policy.spec.get("default") or {}
    return {}
