"""The files of a policy pack (manifest, interpreter, configuration) and their problems."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from rehearsal.errors import InputError, KingdomError


class PolicyPackError(KingdomError):
    """The pack does not start or fails; the message names the position."""

    def __init__(self, message: str, *, remedy: str = "", details: Sequence[str] = ()) -> None:
        super().__init__(message, remedy=remedy or "Fix the pack and run the command again.", details=details)


class PolicyConfigError(PolicyPackError, InputError):
    """The pack's configuration is invalid; no resource was evaluated."""


def manifest_of(path: Path) -> Mapping[str, Any]:
    """Return the ``PulumiPolicy.yaml`` of the pack at `path`. Raises PolicyPackError."""
    file = path / "PulumiPolicy.yaml"
    try:
        manifest = yaml.safe_load(file.read_text())
    except (FileNotFoundError, NotADirectoryError):
        raise PolicyPackError(
            f"no policy pack at {path}: it has no PulumiPolicy.yaml",
            remedy="Name the folder of a pack with --policy-pack.",
        ) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise PolicyPackError(f"cannot read {file}: {' '.join(str(error).split())}") from None
    runtime = manifest.get("runtime") if isinstance(manifest, dict) else None
    name = runtime.get("name") if isinstance(runtime, dict) else runtime
    if name != "python":
        raise PolicyPackError(f"{file} must have `runtime: python`; it has {name!r}")
    return manifest if isinstance(manifest, dict) else {}


def python_of(path: Path, manifest: Mapping[str, Any]) -> Path:
    """Return the interpreter of the pack's ``virtualenv`` option; this process's if that does not exist."""
    runtime = manifest["runtime"]
    options = runtime.get("options") if isinstance(runtime, dict) else None
    folder = options.get("virtualenv") if isinstance(options, dict) else None
    python = path / str(folder) / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    return python if folder and python.exists() else Path(sys.executable)


def load_config(file: Path) -> dict[str, Any]:
    """Read a ``--policy-pack-config`` file. Raises PolicyPackError with line and column of invalid JSON."""
    try:
        text = file.read_text()
        config = json.loads(text) if text.strip() else {}
    except OSError as error:
        raise PolicyConfigError(f"cannot read the policy configuration {file}: {error.strerror}") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise PolicyConfigError(f"the policy configuration {file} is not JSON: {error}") from None
    if not isinstance(config, dict):
        raise PolicyConfigError(f"the policy configuration {file} must be an object of policies")
    return config
