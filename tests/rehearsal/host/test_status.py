"""Status of a host as JSON."""

from __future__ import annotations

import json

from rehearsal.host.status import AutoscalerStatus, EventStatus, HostStatus, ProcessStatus

STATUS = HostStatus(
    "local",
    [ProcessStatus("api", "pod", "running", True, 1, 0, 18_001, 10, 0.5)],
    {"edge": "https://localhost:8443"},
    [AutoscalerStatus("kingdom/api", 1, 2, 1, 5, ["cpu"], "scaled", [{"type": "AbleToScale"}])],
    ["a note"],
    [EventStatus("Pod a", "Warning", "Failed", "no", 2, 1.0)],
)


def test_status_is_restored_from_json() -> None:
    assert HostStatus.from_json(json.loads(json.dumps(STATUS.to_json()))) == STATUS


def test_status_of_an_earlier_version_has_no_events() -> None:
    data = STATUS.to_json()
    del data["events"]
    assert HostStatus.from_json(data).events == []
