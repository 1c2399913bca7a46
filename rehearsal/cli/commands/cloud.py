"""The command that serves the rehearsal clouds to the real CLI."""

from __future__ import annotations

from rehearsal.cli.commands.base import JsonOption, app, err, examples


@app.command(epilog=examples("kingdom cloud", "kingdom cloud --json > clouds.json &"))
def cloud(as_json: JsonOption = False) -> None:
    """Serve the rehearsal clouds to the real Pulumi CLI until Ctrl-C.

    Prints a line PULUMI_DEBUG_PROVIDERS=…: with it in the environment, `pulumi preview` and `pulumi up` use
    these clouds in place of the real ones.
    """
    from rehearsal.providers import grpc_server

    def ready(endpoints: grpc_server.Endpoints) -> None:
        if as_json:
            print(endpoints.as_json(), flush=True)
        else:
            print(endpoints.line, flush=True)
            err.print("[dim]export this where you run `pulumi`; Ctrl-C here ends the clouds[/]")

    grpc_server.serve(ready)
