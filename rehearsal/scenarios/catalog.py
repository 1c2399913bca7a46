"""The scenarios and mixes of ``scenarios.yaml``, as types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import msgspec

from rehearsal.scenarios.journeys import journeys
from rehearsal.scenarios.rate_curve import RateCurve

FILE: Final = Path(__file__).with_name("scenarios.yaml")

_Positive = Annotated[float, msgspec.Meta(gt=0)]
_Users = Annotated[int, msgspec.Meta(ge=0)]


class ScenarioError(ValueError):
    """An invalid scenario; the message states the problem and the remedy."""


class Stage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``minutes`` in which the number of users changes linearly to ``users``."""

    minutes: _Positive
    users: _Users


class LocalScale(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a scenario runs on one machine: users times ``scale``, all stages within ``seconds``."""

    scale: Annotated[float, msgspec.Meta(gt=0, le=1)]
    seconds: Annotated[float, msgspec.Meta(gt=0, le=600)]


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Users over time, and the mix of operations that they send."""

    description: str
    mix: str
    start_users: _Users
    stages: Annotated[tuple[Stage, ...], msgspec.Meta(min_length=1)]
    local: LocalScale

    @property
    def seconds(self) -> float:
        """Return the duration of all stages in seconds."""
        return sum(stage.minutes for stage in self.stages) * 60

    @property
    def max_users(self) -> int:
        """Return the maximum number of users."""
        return max(self.start_users, *(stage.users for stage in self.stages))

    def users(self, seconds: float | None = None) -> RateCurve:
        """Return users over time; with ``seconds``, the stages are scaled to that duration."""
        factor = 1.0 if seconds is None else seconds / self.seconds
        points = [(0.0, float(self.start_users))]
        for stage in self.stages:
            points.append((points[-1][0] + stage.minutes * 60 * factor, float(stage.users)))
        return RateCurve(tuple(points))


class Mix(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Percentages of arrivals: of the recorded journeys together, and of single operations."""

    journeys: Annotated[float, msgspec.Meta(ge=0, le=100)] = 0.0
    operations: dict[str, Annotated[float, msgspec.Meta(gt=0)]] = {}


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    seconds_per_request: _Positive
    mixes: dict[str, Mix]
    scenarios: dict[str, Scenario]


@dataclass(frozen=True)
class Catalog:
    """All scenarios by name, and for each mix the share of every operation (they sum to 1)."""

    seconds_per_request: float
    mixes: Mapping[str, Mapping[str, float]]
    scenarios: Mapping[str, Scenario]

    def scenario(self, name: str) -> Scenario:
        """Return a scenario by name. Raises ScenarioError."""
        if name not in self.scenarios:
            raise ScenarioError(f"unknown scenario {name!r}; choose one of {', '.join(self.scenarios)}")
        return self.scenarios[name]

    def mix(self, name: str) -> Mapping[str, float]:
        """Return the shares of a mix by name. Raises ScenarioError."""
        if name not in self.mixes:
            raise ScenarioError(f"unknown mix {name!r}; choose one of {', '.join(self.mixes)}")
        return self.mixes[name]


def load(file: Path = FILE) -> Catalog:
    """Read a scenario file. Raises ScenarioError."""
    try:
        found = msgspec.yaml.decode(file.read_bytes(), type=_File)
    except msgspec.ValidationError as error:
        raise ScenarioError(f"{file.name}: {error}") from error
    mixes = {name: _shares(name, mix) for name, mix in found.mixes.items()}
    for name, scenario in found.scenarios.items():
        if scenario.mix not in mixes:
            raise ScenarioError(
                f"{file.name}: the mix {scenario.mix!r} of scenario {name!r} is not one of {', '.join(mixes)}"
            )
    return Catalog(found.seconds_per_request, mixes, found.scenarios)


def _shares(name: str, mix: Mix) -> dict[str, float]:
    total = mix.journeys + sum(mix.operations.values())
    if abs(total - 100) > 1e-6:
        raise ScenarioError(f"the percentages of the mix {name!r} sum to {total:g}, not to 100")
    found = {operation: percent / 100 for operation, percent in mix.operations.items()}
    if mix.journeys:
        requests = [(operation, journey.weight) for journey in journeys() for operation in journey.operations]
        weight = sum(each for _, each in requests)
        for operation, each in requests:
            found[operation] = found.get(operation, 0.0) + mix.journeys / 100 * each / weight
    return found
