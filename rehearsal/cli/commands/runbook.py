"""The command that checks the prerequisites of a runbook."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Annotated

import typer

from rehearsal.cli.commands.base import JsonOption, StackOption, app, examples, out, print_json


@app.command(
    epilog=examples(
        "kingdom runbook", "kingdom runbook restore --stack prod", "kingdom runbook rotation --json"
    )
)
def runbook(
    name: Annotated[str, typer.Argument(help="The runbook; without it, all of them are listed.")] = "",
    stack: StackOption = "prod",
    as_json: JsonOption = False,
) -> None:
    """Check the prerequisites of a runbook offline: tools, scripts, stack settings and shell variables.

    Nothing is run or changed. The exit code is 1 if something is missing.
    """
    from rehearsal import runbooks
    from rehearsal.pulumi.project import Project

    project = Project.find()
    if not name:
        for one in runbooks.names(project):
            out.print(
                f"{one}: {runbooks.load(project, one).title} ({runbooks.FOLDER}/{one}.md)", markup=False
            )
        return
    page = runbooks.load(project, name)
    found = runbooks.checks(project, page, stack, os.environ)
    ok = all(check.ok for check in found)
    if as_json:
        print_json(
            {
                "runbook": name,
                "stack": stack,
                "ok": ok,
                "steps": list(page.steps),
                "checks": [asdict(check) for check in found],
            }
        )
    else:
        out.print(f"{page.title} ({runbooks.FOLDER}/{name}.md), stack {stack}", markup=False)
        for check in found:
            mark, detail = ("ok", check.detail) if check.ok else ("missing", check.detail)
            out.print(
                f"  {mark:8}{check.kind} {check.name}" + (f": {detail}" if detail else ""), markup=False
            )
        out.print("sections:")
        for step in page.steps:
            out.print(f"  {step}", markup=False)
    if not ok:
        raise typer.Exit(1)
