"""The type checker that a project file names, which the CLI's language host runs before each program.

Source: ``Run`` in ``sdk/python/cmd/pulumi-language-python/main.go``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from rehearsal.errors import KingdomError

_FIND = "import importlib.util, sys; sys.exit(importlib.util.find_spec(sys.argv[1]) is None)"


def run(checker: str, main: Path, virtualenv: Path | None) -> None:
    """Check the program in the folder `main` with `checker`, which is ``mypy`` or ``pyright``.

    The checker is that of `virtualenv`; without one, that of this interpreter. Raises KingdomError with the
    output of a checker that fails, and for one that is not installed.
    """
    python = virtualenv / "bin" / "python" if virtualenv else Path(sys.executable)
    if not python.is_file():
        python = Path(sys.executable)
    if subprocess.run([str(python), "-c", _FIND, checker], cwd=main, check=False).returncode:
        raise KingdomError(
            f"runtime.options.typechecker is {checker}, which is not installed for {python}",
            remedy=f"Add {checker} to the dependencies of the program and install it, or remove the option.",
        )
    excluded = ["--exclude", os.path.relpath(virtualenv, main)] if checker == "mypy" and virtualenv else []
    command = [str(python), "-m", checker, *excluded, str(main)]
    done = subprocess.run(command, cwd=main, capture_output=True, text=True, check=False)
    if done.returncode:
        raise KingdomError(f"{checker} failed:", details=(done.stdout + done.stderr).strip().splitlines())
