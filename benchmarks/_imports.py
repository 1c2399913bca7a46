"""`python -m benchmarks._imports STACK`: prints the SDK modules that the program loads for a stack.

The program runs unchanged against Pulumi's mocks, without an engine, so the list contains the modules that
the *program* uses and none that only the rehearsal loads.
"""

import asyncio
import json
import runpy
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml
from pulumi.runtime import Settings, configure, mocks, run_in_stack, set_all_config

ROOT = Path(__file__).parents[1]


class Echo(mocks.Mocks):
    """Mocks: every resource has an id and its inputs as outputs; every invoke returns its arguments."""

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        return f"{args.name}-id", args.inputs

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]]]:
        return args.args, []


def wire_config(stack: str) -> dict[str, str]:
    """Return the stack file's `config:` as the language host passes it: strings, JSON for nested values."""
    document = yaml.safe_load((ROOT / "stacks" / f"Pulumi.{stack}.yaml").read_text())
    return {key: _wire(value) for key, value in (document.get("config") or {}).items()}


def _wire(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and value.keys() == {"secure"}:
        return "secret"
    return json.dumps(value)


def loaded() -> list[str]:
    """Return the SDK modules whose code has run: a lazy module that was never accessed has another type."""
    names = [name for name, module in sys.modules.items() if type(module) is ModuleType]
    return sorted(name for name in names if name.split(".")[0].startswith("pulumi"))


def program() -> None:
    """Run the program as the language host does for `main: infra`."""
    runpy.run_path(str(ROOT / "infra"), run_name="__main__")


def main(stack: str) -> None:
    """Run the program for the stack and print the list as JSON."""
    configure(Settings("kingdom", stack, mocks.MockMonitor(Echo()), mocks.MockEngine(None), dry_run=True))
    set_all_config(wire_config(stack))
    asyncio.run(run_in_stack(program))
    print(json.dumps(loaded()))


if __name__ == "__main__":
    main(sys.argv[1])
