"""Terraform's CLI (`terraform` or `tofu`) over a converted plan, with providers from a folder.

``dev_overrides`` makes the CLI use the binaries of the folder as they are, without `init` and a registry.
Unknown values are references to a resource whose output is unknown until it is applied.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rehearsal.pulumi.properties import UNKNOWN
from tests.rehearsal.parity.terraform.plugin import NAMES, environment
from tests.rehearsal.parity.terraform.values import Dynamic

_SECONDS: Final = 600
_UNKNOWN: Final = "${terraform_data.unknown.output}"
_ADDRESSES: Final = {
    "cloudflare": ("cloudflare", "cloudflare/cloudflare"),
    "gcp": ("google-beta", "hashicorp/google-beta"),
    "mongodbatlas": ("mongodbatlas", "mongodb/mongodbatlas"),
}


@dataclass(frozen=True)
class Run:
    """The exit code of a command and the messages of its errors."""

    code: int
    errors: tuple[str, ...]
    changes: Mapping[str, Sequence[str]]


def find_cli() -> str | None:
    """Return the CLI on PATH, Terraform's first."""
    return shutil.which("terraform") or shutil.which("tofu")


def configuration(
    package: str, settings: Mapping[str, Any], resources: Mapping[tuple[str, str], Mapping[str, Any]]
) -> dict[str, Any]:
    """A configuration in JSON of `resources` by Terraform type and name."""
    local, source = _ADDRESSES[package]
    by_type: dict[str, dict[str, Any]] = {"terraform_data": {"unknown": {"input": "unknown"}}}
    for (type_, name), values in resources.items():
        by_type.setdefault(type_, {})[name] = {"provider": local, **_written(values)}
    return {
        "terraform": {"required_providers": {local: {"source": source}}},
        "provider": {local: dict(settings)},
        "resource": by_type,
    }


def run(folder: Path, package: str, providers: Path, config: Mapping[str, Any], *command: str) -> Run:
    """Run a command of the CLI on a configuration in `folder`, which contains the state between commands."""
    cli = find_cli()
    assert cli is not None
    (folder / "main.tf.json").write_text(json.dumps(config))
    overrides = f'  dev_overrides {{ "{_ADDRESSES[package][1]}" = "{providers}" }}\n'
    (folder / "cli.tfrc").write_text(f"provider_installation {{\n{overrides}  direct {{}}\n}}\n")
    done = subprocess.run(
        [cli, *command],
        cwd=folder,
        env=environment()
        | {"TF_CLI_CONFIG_FILE": str(folder / "cli.tfrc"), "TF_IN_AUTOMATION": "1", "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    return _read(done.returncode, done.stdout, done.stderr)


def executables(providers: Path, package: str) -> list[str]:
    """The provider binaries of a package in the folder that ``dev_overrides`` names."""
    return [name for name in NAMES[package] if os.access(providers / name, os.X_OK)]


def _read(code: int, output: str, errors: str) -> Run:
    found: list[str] = []
    changes: dict[str, list[str]] = {}
    for line in output.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if not isinstance(event, dict):
            continue
        found += [
            f"{one.get('summary')}: {one.get('detail', '')}".strip()
            for one in [event.get("diagnostic"), *event.get("diagnostics", ())]
            if isinstance(one, dict) and one.get("severity") == "error"
        ]
        if event.get("type") == "planned_change":
            change = event["change"]
            changes.setdefault(change["resource"]["addr"], []).append(change["action"])
    if code not in (0, 2) and not found:
        found.append(errors.strip()[-2000:])
    return Run(code, tuple(found), changes)


def _written(value: Any) -> Any:
    match value:
        case dict():
            return {key: _written(item) for key, item in value.items() if item not in (None, [], {})}
        case list():
            return [_written(item) for item in value]
        case Dynamic(held):
            return _written(held)
        case str() if value is not UNKNOWN:
            return value.replace("${", "$${").replace("%{", "%%{")
        case _:
            return _UNKNOWN if value is UNKNOWN else value
