"""`kingdom forecast`: what a declared stack does under a load scenario."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from rehearsal.cli.commands.base import JsonOption, StackOption, app, examples, out, print_json, session_of
from rehearsal.errors import InputError

if TYPE_CHECKING:
    from rehearsal.forecast.declared import DeclaredPlatform

# Operations that put a job into the queue: a generation, or the processing of an image.
_JOBS: Final = ("POST /v1/contents", "POST /v1/uploads")


@app.command(
    epilog=examples(
        "kingdom forecast --stack prod --scenario peak",
        "kingdom forecast --stack prod --scenario stress --html forecast.html",
        "kingdom forecast --calibrate load.json",
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
        typer.Option("--calibrate", help="Write the calibration from the JSON of `kingdom load run`."),
    ] = None,
) -> None:
    """Forecast replicas, response times, the first limit and the cost of a stack under load.

    The simulation uses the declared sizes, the rehearsal's own autoscaler, and the cost of a request as a
    load test measured it. Nothing is sent anywhere. The exit code is 1 where a target is missed.
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

    result = json.loads(file.read_text())
    mix = load().mix(result["mix"])
    made = calibrations.from_load_test(result, sum(mix.get(name, 0.0) for name in _JOBS))
    calibrations.write(made)
    out.print(f"calibration: {made.origin}", markup=False)


def _declared(stack: str) -> DeclaredPlatform:
    from rehearsal.forecast.declared import UndeclaredError, read
    from rehearsal.review.rules.policy_view import declared

    session = session_of(stack)
    plan = session.plan_from_nothing()
    try:
        return read(stack, declared(plan.snapshot))
    except UndeclaredError as error:
        raise InputError(f"{stack} cannot be forecast: {error}") from error
