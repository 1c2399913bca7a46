"""Settings of a load test in the cluster."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from infra.settings.base import Section
from infra.settings.platform import PoolSettings
from infra.settings.service import ResourceSettings
from infra.settings.types import Digest

MAX_HOURS: Final = 4
"""Longest window, and the deadline of a run without one."""


class Scenario(StrEnum):
    """The scenarios of LOD1: names in `rehearsal/scenarios/scenarios.yaml`."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    PEAK = "peak"
    STRESS = "stress"


class WindowSettings(Section):
    """Period in which the load test may send requests."""

    start: Annotated[
        str,
        Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", description="UTC, such as 2026-01-03T02:00:00Z"),
    ]
    end: Annotated[
        str,
        Field(
            pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$",
            description=f"UTC, at most {MAX_HOURS} hours after the start",
        ),
    ]

    @model_validator(mode="after")
    def _ends_soon_after_its_start(self) -> Self:
        if self.seconds <= 0:
            raise ValueError(f"end {self.end} is not after start {self.start}: give a later end")
        if self.seconds > MAX_HOURS * 3600:
            raise ValueError(
                f"{self.start} to {self.end} is longer than {MAX_HOURS} hours: give an earlier end"
            )
        return self

    @property
    def seconds(self) -> int:
        """Length of the window in seconds."""
        return int((instant(self.end) - instant(self.start)) / timedelta(seconds=1))


def instant(text: str) -> datetime:
    """Parse a time of a window. Raises `ValueError` for a date or time that does not exist."""
    return datetime.fromisoformat(text)


class RunSettings(Section):
    """One load test: Locust with one coordinator and `workers` generators, in a namespace of its own."""

    scenario: Annotated[Scenario, Field(description="scenario of rehearsal/scenarios/scenarios.yaml")]
    workers: Annotated[int, Field(ge=1, le=100, description="generator pods; each sends an equal share")]
    window: Annotated[
        WindowSettings | None,
        Field(
            description="when requests may be sent; null: at any time, which the policy pack refuses in prod"
        ),
    ]
    digest: Annotated[
        Digest,
        Field(description="sha256:… of the image `loadtest`, beside that of the service in its registry"),
    ]
    accounts_version: Annotated[
        int,
        Field(
            ge=0,
            description="version of the secret kingdom-loadtest-accounts, which an operator adds; 0: the run"
            " signs its accounts up, which needs mail.confirmAddresses: false",
        ),
    ]
    pool: Annotated[
        PoolSettings, Field(description="node pool of the load test; it has no node between runs")
    ]
    resources: ResourceSettings

    @property
    def deadline_seconds(self) -> int:
        """Seconds after which Kubernetes ends the Job."""
        return self.window.seconds if self.window is not None else MAX_HOURS * 3600


class LoadTestSettings(Section):
    """The load test in the cluster (LOD1)."""

    run: Annotated[RunSettings | None, Field(description="the load test to run; null: none")]
