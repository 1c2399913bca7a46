"""`kingdom forecast`: predict the behavior of a declared stack under a load scenario."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from rehearsal.cli.commands.base import JsonOption, StackOption, app, examples, out, print_json, session_of
from rehearsal.errors import InputError

if TYPE_CHECKING:
    from rehearsal.forecast.calibration import Calibration
    from rehearsal.forecast.declared import DeclaredPlatform

# Operations that put a job into the queue: a generation, or the processing of an image.
_JOBS: Final = ("POST /v1/contents", "POST /v1/uploads")


@app.command(
    epilog=examples(
        "kingdom forecast --stack prod --scenario peak",
        "kingdom forecast --stack prod --scenario stress --html forecast.html",
        "kingdom forecast --calibrate capacity.json",
        "kingdom forecast --validate load.json",
    )
)
def forecast(
    stack: StackOption = "prod",
    scenario: Annotated[str, typer.Option("--scenario", help="low, medium, high, peak or stress.")] = "peak",
    users: Annotated[
        int | None, typer.Option("--users", min=1, help="An hour at this number of users instead.")
    ] = None,
    as_json: JsonOption = False,
    html: Annotated[Path | None, typer.Option("--html", help="Write a report to this file.")] = None,
    calibrate: Annotated[
        Path | None,
        typer.Option("--calibrate", help="Write the calibration from the JSON of `kingdom load capacity`."),
    ] = None,
    validate: Annotated[
        Path | None,
        typer.Option("--validate", help="Compare with the JSON of `kingdom load run` on the same machine."),
    ] = None,
) -> None:
    """Forecast replicas, response times, the first limit and the cost of a stack under load.

    The simulation uses the declared sizes, the rehearsal's own autoscaler, and the cost of a request as a
    load test measured it. No request is sent. The exit code is 1 if a target is missed.
    """
    from rehearsal.forecast import calibration as calibrations
    from rehearsal.forecast.report import to_html, to_json, to_text
    from rehearsal.forecast.simulation import simulate
    from rehearsal.scenarios.catalog import ScenarioError, load
    from rehearsal.scenarios.rate_curve import RateCurve

    try:
        catalog = load()
        if calibrate is not None:
            _calibrate(calibrate)
            return
        found = calibrations.load()
        if validate is not None:
            _validate(validate, found, as_json)
        curve = (
            catalog.scenario(scenario).users()
            if users is None
            else RateCurve(((0.0, float(users)), (3600.0, float(users))))
        )
    except (ScenarioError, calibrations.CalibrationError) as error:
        raise InputError(str(error)) from error
    name = scenario if users is None else f"{users:,} users"
    platform = _declared(stack)
    per_request = catalog.seconds_per_request
    forecasts = [simulate(platform, found, curve, per_request, position) for position in (1, 0, -1)]
    data = to_json(forecasts, name, per_request)
    if html is not None:
        html.write_text(to_html(forecasts, name, per_request))
    if as_json:
        print_json(data)
    else:
        out.print(to_text(forecasts, name, per_request), markup=False)
    raise typer.Exit(0 if data["holds"] else 1)


def _calibrate(file: Path) -> None:
    from rehearsal.forecast import calibration as calibrations
    from rehearsal.scenarios.catalog import load

    result = _result(file)
    steps = result.get("steps") or [{}]
    mix = load().mix(steps[0].get("mix") or "mixed")
    made = calibrations.from_capacity(result, sum(mix.get(name, 0.0) for name in _JOBS))
    calibrations.write(made)
    out.print(f"calibration: {made.origin}", markup=False)


def _validate(file: Path, calibration: Calibration, as_json: bool) -> None:
    """Forecast the arrivals of a load test on this machine, print the error, and exit."""
    from rehearsal.forecast.simulation import simulate
    from rehearsal.forecast.validation import compare
    from rehearsal.scenarios.rate_curve import RateCurve

    run = _result(file)
    users = RateCurve(tuple((float(at), float(value)) for at, value in enumerate(run.get("users") or [0.0])))
    forecast = simulate(_declared("local"), calibration, users, run.get("secondsPerRequest") or 1.0)
    found = compare(calibration, run, max((each.api for each in forecast.seconds), default=0))
    if as_json:
        print_json(found.to_json())
    else:
        out.print(found.to_text(), markup=False)
    raise typer.Exit(0 if found.holds else 1)


def _result(file: Path) -> dict[str, Any]:
    """Read the JSON of a load test. Raises InputError."""
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{file} cannot be read as the JSON of a load test: {error}") from error
    if not isinstance(found, dict):
        raise InputError(f"{file} is not the JSON of a load test")
    return found


def _declared(stack: str) -> DeclaredPlatform:
    from rehearsal.forecast.declared import UndeclaredError, read
    from rehearsal.review.rules.policy_view import declared

    session = session_of(stack)
    plan = session.plan_from_nothing()
    try:
        return read(stack, declared(plan.snapshot))
    except UndeclaredError as error:
        raise InputError(f"{stack} cannot be forecast: {error}") from error
