"""The command that lists the quotas a stack needs."""

from __future__ import annotations

import typer

from rehearsal.cli.commands.base import JsonOption, StackOption, app, examples, out, print_json, session_of


@app.command(epilog=examples("kingdom quotas --stack prod", "kingdom quotas -s prod --json | jq .quotas"))
def quotas(stack: StackOption = "prod", as_json: JsonOption = False) -> None:
    """List the regional quotas that a stack's nodes need, at first and with every pool at its maximum.

    The granted quota is the lowest default of a new project, or `quotas:granted` in the stack file. The exit
    code is 1 if the grant is below the need at maximum scale.
    """
    from rehearsal.providers.fresh_project.model import CreationPlan, FreshProject
    from rehearsal.providers.fresh_project.quotas import needs

    session = session_of(stack)
    plan = session.plan_from_nothing()
    found = needs(FreshProject.of_stack(session.stack.config), CreationPlan.of(plan.snapshot.resources))
    enough = all(need.granted >= need.max_scale for need in found)
    if as_json:
        rows = {
            need.quota: {"granted": need.granted, "first": need.first, "largest": need.max_scale}
            for need in found
        }
        print_json({"stack": stack, "enough": enough, "quotas": rows})
    else:
        for need in found:
            short = "" if need.granted >= need.max_scale else "  too little"
            amounts = f"first {need.first:6}  largest {need.max_scale:6}"
            out.print(f"{need.quota:14} granted {need.granted:6}  {amounts}{short}")
    raise typer.Exit(0 if enough else 1)
