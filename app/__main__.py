"""``python -m app api|worker|monitor``: run one role of the service.

``python -m app grant EMAIL ROLE`` grants a role to an account, which the API allows only to administrators;
``python -m app advise [--apply] [--json]`` recommends database indexes; ``python -m app jobs`` inspects the
job queue and requeues or discards dead letters.

Exit codes: 0 after a drain, or after the monitor has written its report; 1 if the server exited unexpectedly
or the report could not be written; 2 for invalid settings or arguments.
"""

from __future__ import annotations

import asyncio
import os
import sys

from app.settings import ProcessRole, load, load_monitor
from app.settings.environment import SettingsError

_USAGE = f"""usage: python -m app {"|".join(ProcessRole)}
       python -m app grant EMAIL ROLE
       python -m app advise [--apply] [--json]
       python -m app jobs [dead | requeue ID… | discard ID… | result ID] [--json]"""


def main(arguments: list[str]) -> int:
    """Run the given command and return its exit code. Invalid settings are all reported at once."""
    try:
        return _run(arguments)
    except SettingsError as error:
        print("Invalid settings:", *error.problems, sep="\n  - ", file=sys.stderr)
        return 2


def _run(arguments: list[str]) -> int:
    if len(arguments) == 3 and arguments[0] == "grant":
        from app.accounts.cli import grant

        return asyncio.run(grant(arguments[1], arguments[2], os.environ))
    if arguments[:1] == ["advise"] and set(arguments[1:]) <= {"--apply", "--json"}:
        from app.database.index_advisor.cli import main as advise

        return asyncio.run(advise(arguments, os.environ))
    if arguments[:1] == ["jobs"]:
        from app.queue.cli import main as operate

        return asyncio.run(operate(arguments[1:], os.environ))
    if len(arguments) != 1 or arguments[0] not in set(ProcessRole):
        print(_USAGE, file=sys.stderr)
        return 2
    role = ProcessRole(arguments[0])
    if role is ProcessRole.MONITOR:
        return _monitor()
    settings = load(os.environ)
    # Imported late: invalid settings are reported without waiting 2 s for these imports.
    import uvloop

    from app.server import serve
    from app.telemetry import logging

    logging.configure(settings.log_level, role=role.value, pod=settings.pod)
    return uvloop.run(serve(role, settings))


def _monitor() -> int:
    settings = load_monitor(os.environ)
    from app.monitoring.monitor import run
    from app.telemetry import logging

    logging.configure(settings.log_level, role=ProcessRole.MONITOR.value, pod=settings.pod)
    return asyncio.run(run(settings))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
