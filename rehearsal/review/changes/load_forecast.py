"""Change of a stack's load forecast: the limit that is reached first, and the cost at peak load."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from policies.api import Stack

if TYPE_CHECKING:
    from rehearsal.forecast.calibration import Calibration
    from rehearsal.forecast.declared import DeclaredPlatform

SCENARIO: Final = "peak"
# Path of the calibration of `kingdom forecast`, relative to the reviewed project.
CALIBRATION: Final = "rehearsal/forecast/calibration.json"
_THOUSANDS: Final = 10_000


@dataclass(frozen=True)
class Carried:
    """The limit that is reached first, the number of users at which it is, and USD per hour at peak load."""

    limit: str
    users: float
    usd: float


@dataclass(frozen=True)
class LoadForecast:
    """The forecasts before and after the change, or an `error`. `at_users` is the number of users at peak."""

    before: Carried | None = None
    after: Carried | None = None
    at_users: int = 0
    error: str = ""

    def text(self) -> str:
        """Return the change in one line; "" if neither the first limit nor the cost differs as displayed."""
        if self.error or self.before is None or self.after is None:
            return self.error
        parts = []
        was, now = _users(self.before.users), _users(self.after.users)
        if was != now:
            if self.before.limit == self.after.limit:
                parts.append(f"first limit: {was} → {now} users ({self.after.limit})")
            else:
                parts.append(
                    f"first limit: {was} users ({self.before.limit}) → {now} users ({self.after.limit})"
                )
        more = round(self.after.usd - self.before.usd, 2)
        if more:
            parts.append(f"{more:+,.2f} USD/h at {_users(self.at_users)} users")
        return "; ".join(parts)


def load_forecast(name: str, root: Path, before: Stack, after: Stack) -> LoadForecast | None:
    """Return the change of the forecast of the stack `name`; None if no forecast is possible for one side.

    Both forecasts use the calibration of the project in the folder `root`; if its file cannot be used, the
    result has an `error` that names it. The forecast uses closed formulas, which take milliseconds.
    """
    from rehearsal.forecast.calibration import CalibrationError, load
    from rehearsal.forecast.declared import UndeclaredError, read

    try:
        platforms = read(name, before), read(name, after)
    except UndeclaredError:
        return None
    if platforms[0] == platforms[1]:
        return None
    if not (root / CALIBRATION).exists():
        return LoadForecast(
            error=f"users and cost at the peak are not forecast: {CALIBRATION} is missing; "
            "`kingdom forecast --calibrate FILE` writes it"
        )
    try:
        calibration = load(root / CALIBRATION)
    except CalibrationError:
        return LoadForecast(
            error=f"users and cost at the peak are not forecast: {CALIBRATION} cannot be read; "
            "`kingdom forecast --calibrate FILE` writes it"
        )
    return compared(*platforms, calibration)


def compared(before: DeclaredPlatform, after: DeclaredPlatform, calibration: Calibration) -> LoadForecast:
    """Compare the forecasts of two platforms."""
    from rehearsal.scenarios.catalog import load

    catalog = load()
    users, per_request = catalog.scenario(SCENARIO).max_users, catalog.seconds_per_request
    sides = (_carried(each, calibration, users, per_request) for each in (before, after))
    return LoadForecast(*sides, at_users=users)


def _carried(
    platform: DeclaredPlatform, calibration: Calibration, users: int, seconds_per_request: float
) -> Carried:
    from rehearsal.forecast.limits import limits
    from rehearsal.forecast.steady_state import steady_state

    first = limits(platform, calibration, seconds_per_request)[0]
    usd = steady_state(platform, calibration, users / seconds_per_request).usd
    return Carried(first.resource, first.users, usd)


def _users(users: float) -> str:
    if math.isinf(users):
        return "unlimited"
    return f"{users / 1000:.0f}k" if users >= _THOUSANDS else f"{users:,.0f}"
