"""The journeys of the mobile client, which its end-to-end tests record in `mobile/journeys.json`.

A journey is a list of steps; a step is a user action after a think time, with the API operations that the app
then sends.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

FILE: Final = Path(__file__).parents[2] / "mobile" / "journeys.json"


@dataclass(frozen=True)
class JourneyStep:
    """``think_seconds`` pass before the step, on average; ``requests`` are operations (`GET /v1/feed`)."""

    name: str
    think_seconds: float
    requests: tuple[str, ...]


@dataclass(frozen=True)
class Journey:
    """A journey; ``weight`` is its frequency relative to the others."""

    name: str
    weight: int
    steps: tuple[JourneyStep, ...]

    @property
    def operations(self) -> tuple[str, ...]:
        """Return the operations of all steps, in order."""
        return tuple(operation for step in self.steps for operation in step.requests)

    @property
    def think_seconds_per_request(self) -> float:
        """Return the average time between two requests of a user, in seconds."""
        return sum(step.think_seconds for step in self.steps) / len(self.operations)


class _StoredStep(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    name: str
    think_seconds: float
    requests: list[str]


class _StoredJourney(msgspec.Struct, forbid_unknown_fields=True):
    weight: int
    description: str
    steps: list[_StoredStep]


def journeys(file: Path = FILE) -> tuple[Journey, ...]:
    """Return the recorded journeys. Raises `msgspec.ValidationError` for a file in another format."""
    stored = msgspec.json.decode(file.read_bytes(), type=dict[str, _StoredJourney])
    return tuple(
        Journey(
            name,
            journey.weight,
            tuple(JourneyStep(step.name, step.think_seconds, tuple(step.requests)) for step in journey.steps),
        )
        for name, journey in stored.items()
    )
