"""Commands about plain Kubernetes manifests: `kingdom check` and `kingdom render`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rehearsal.cli.commands.base import (
    JsonOption,
    StackOption,
    app,
    err,
    examples,
    exit_for,
    out,
    print_json,
    session_of,
)
from rehearsal.errors import InputError, KingdomError


@app.command(epilog=examples("kingdom check rendered/", "kingdom check chart.yaml --only PSS --json"))
def check(
    paths: Annotated[list[str], typer.Argument(help="YAML files, folders of them, or - for standard input.")],
    as_json: JsonOption = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Include the policies that are specific to this platform.")
    ] = False,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help="Run only policies with this name or tag; may be repeated."),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            "--exclude", help="Leave out files and folders that match this pattern; may be repeated."
        ),
    ] = None,
    diff: Annotated[
        bool, typer.Option("--diff", help="Show what remediation would add, where that is safe.")
    ] = False,
    sarif: Annotated[
        Path | None,
        typer.Option("--sarif", help="Write the findings to this file, or - for the output, as SARIF 2.1.0."),
    ] = None,
    policy_pack_config: Annotated[
        Path | None, typer.Option("--policy-pack-config", help="A JSON file that configures the policies.")
    ] = None,
) -> None:
    """Check plain Kubernetes manifests with the policy pack.

    The exit code is 1 with a mandatory finding, else 2 when a file could not be read, else 0. A comment `#
    kingdom: ignore POLICY -- REASON` above a line suppresses the findings of a policy on that line and below
    it.
    """
    from rehearsal.policy import manifest_check as manifests
    from rehearsal.policy.manifest_sarif import sarif as sarif_log
    from rehearsal.policy.manifest_sarif import write_sarif
    from rehearsal.policy.pack_files import load_config

    config = load_config(policy_pack_config) if policy_pack_config else None
    report = manifests.check(
        paths, config=config, strict=strict, only=tuple(only or ()), exclude=tuple(exclude or ())
    )
    on_output = sarif == Path("-")
    if on_output and as_json:
        raise InputError("--json and --sarif - both write to the output", remedy="Give --sarif a file.")
    if sarif is not None and not on_output:
        write_sarif(report, sarif)
    if on_output:
        print_json(sarif_log(report))
    elif as_json:
        print_json(report.to_json())
    else:
        # A call for each line takes as long as the evaluation.
        out.print("\n".join(report.lines(diff=diff)), markup=False)
    raise typer.Exit(report.exit_code)


@app.command(epilog=examples("kingdom render --stack prod --out rendered", "kingdom check --strict rendered"))
def render(
    folder: Annotated[
        Path, typer.Option("--out", "-o", help="Folder of the files, one per object.", metavar="FOLDER")
    ],
    stack: StackOption = "local",
    as_json: JsonOption = False,
) -> None:
    """Write every Kubernetes object of a stack as YAML, numbered in apply order, for scanners and dry runs.

    Values are those of a temporary rehearsal: values that only the clouds can assign are generated, and
    marked in the file. Secrets are never written. A repeated run rewrites only files whose object has
    changed.
    """
    from rehearsal.cli import progress
    from rehearsal.cli import render as rendering
    from rehearsal.engine.events import Silent

    session = session_of(stack)
    rendering.check_folder(stack, folder)
    with progress.Progress(err, f"rehearsing {stack}") as listener:
        # Without a terminal, progress would print a line for each resource.
        plan, result = session.rehearse(listener if err.is_terminal else Silent())
    if result.interrupted:
        exit_for(result)
    if not result.ok:
        raise KingdomError(
            f"the stack {stack!r} cannot be rendered:",
            details=[item.message for item in (*plan.errors, *result.errors)],
            remedy=f"Nothing was written. See `kingdom preview --stack {stack}`.",
        )
    objects = rendering.objects(result.snapshot, plan.snapshot)
    rendered = rendering.write(stack, objects, folder, rendering.skipped(result.snapshot))
    if as_json:
        print_json(rendered.to_json())
    else:
        for line in rendered.lines():
            out.print(line, markup=False)
