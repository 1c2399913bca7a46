"""Load tests."""

from __future__ import annotations

from typing import Any

from policies.testing import DROP, ResourceFixture
from tests.policies.cases import Break, Case, breaking

START, END = (f'metadata.annotations["kingdom.studio/window-{part}"]' for part in ("start", "end"))
IMAGE = "spec.template.spec.containers[0].image"
DEADLINE = "spec.activeDeadlineSeconds"
JOB: dict[str, Any] = {
    "metadata": {
        "name": "loadtest",
        "namespace": "kingdom-loadtest",
        "labels": {"environment": "prod"},
        "annotations": {
            "kingdom.studio/window-start": "2026-12-05T02:00:00Z",
            "kingdom.studio/window-end": "2026-12-05T04:00:00Z",
        },
    },
    "spec": {
        "activeDeadlineSeconds": 7200,
        "template": {
            "spec": {"containers": [{"name": "x", "image": f"registry/loadtest@sha256:{'0' * 64}"}]},
        },
    },
}
A_JOB = ResourceFixture("kubernetes:batch/v1:Job", JOB)
SERVICE = {IMAGE: "registry/service@sha256:1"}

CASES = (
    Case(
        "load-test-ends",
        (A_JOB,),
        (
            *breaking(
                (DEADLINE, DROP, "without a deadline"),
                (DEADLINE, 14_401, "at most 4 hours are allowed"),
                (DEADLINE, 0, "at most 4 hours are allowed"),
            ),
            Break({}, "is not a Job", become="kubernetes:apps/v1:Deployment"),
        ),
        passes=({DEADLINE: 14_400}, {DEADLINE: DROP, **SERVICE}),
    ),
    Case(
        "load-test-window",
        (A_JOB,),
        breaking(
            (START, DROP, "without kingdom.studio/window-start"),
            (END, DROP, "without kingdom.studio/window-end"),
            ("metadata.annotations", DROP, "window-start and kingdom.studio/window-end"),
            (START, "tomorrow", "'tomorrow' is not a time in UTC"),
            (END, "2026-12-05T04:00:00", "is not a time in UTC"),
            (END, "2026-12-05T04:00:00+02:00", "is not a time in UTC"),
            (END, "2026-12-05T02:00:00Z", "is not after"),
            (END, "2026-12-05T06:00:01Z", "longer than 4 hours"),
            (END, "2026-12-05T03:59:59Z", "within the 7199 s of the window, not 7200"),
            (DEADLINE, DROP, "within the 7200 s of the window, not None"),
        ),
        passes=(
            {END: "2026-12-05T06:00:00Z"},
            {"metadata.annotations": DROP, "metadata.labels.environment": "dev"},
            {"metadata.annotations": DROP, **SERVICE},
        ),
    ),
)
