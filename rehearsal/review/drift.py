"""List the drift in the output of ``pulumi refresh --preview-only --json``, except changes by autoscalers.

    python -m rehearsal.review.drift drift.json

Exits with 1 if a resource drifted, with 2 if the file is not the output of that command.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rehearsal.errors import InputError
from rehearsal.pulumi.properties import differences, format_path
from rehearsal.pulumi.urn import name_of, type_of

# By resource type: paths that a horizontal, cluster or database autoscaler changes.
_OWNED: Final = {
    "kubernetes:apps/v1:Deployment": re.compile(r"spec\.replicas"),
    "gcp:container/nodePool:NodePool": re.compile(r"nodeCount|initialNodeCount"),
    "mongodbatlas:index/advancedCluster:AdvancedCluster": re.compile(
        r"replicationSpecs\[\d+\]\.regionConfigs\[\d+\]\.\w+Specs\.(?:instanceSize|diskSizeGb|diskIops)"
    ),
}
_QUIET: Final = ("same", "read")


@dataclass(frozen=True)
class Drift:
    """A resource that differs from its recorded state; `paths` are the changes, none if it was deleted."""

    urn: str
    op: str
    paths: tuple[str, ...] = ()

    def __str__(self) -> str:
        what = ", ".join(self.paths) if self.paths else "gone" if self.op == "delete" else self.op
        return f"{name_of(self.urn)} ({type_of(self.urn)}): {what}"


def drifts(preview: Any) -> Iterator[Drift]:
    """Yield the drift in the decoded output of a refresh preview.

    The output for a stack without resources has no steps. Raises InputError for any other content.
    """
    steps = preview.get("steps", []) if isinstance(preview, dict) else None
    if not isinstance(steps, list) or not all(map(_is_step, steps)):
        raise InputError("this is not the JSON of `pulumi refresh --preview-only --json`")
    for step in steps:
        op, urn = step["op"], step["urn"]
        if op in _QUIET:
            continue
        if op == "delete" or not step.get("newState"):
            yield Drift(urn, op)
            continue
        before, after = ((step.get(key) or {}).get("inputs") or {} for key in ("oldState", "newState"))
        owned = _OWNED.get(type_of(urn))
        paths = sorted(format_path(path) for path in differences(before, after))
        left = tuple(path for path in paths if owned is None or owned.fullmatch(path) is None)
        if left:
            yield Drift(urn, op, left)


def _is_step(step: Any) -> bool:
    return (
        isinstance(step, dict)
        and isinstance(step.get("op"), str)
        and str(step.get("urn", "")).count("::") >= 3
        and all(step.get(key) is None or isinstance(step[key], dict) for key in ("oldState", "newState"))
    )


def main(arguments: list[str]) -> int:
    """Print the drift, one line per resource, and return the exit code."""
    if len(arguments) != 1:
        print("usage: python -m rehearsal.review.drift FILE", file=sys.stderr)
        return 2
    (file,) = arguments
    try:
        found = list(drifts(json.loads(Path(file).read_text())))
    except OSError as error:
        print(f"error: {file} cannot be read: {error.strerror}", file=sys.stderr)
        return 2
    except (ValueError, InputError) as error:
        print(f"error: {file}: {error}", file=sys.stderr)
        return 2
    for item in found:
        print(f"- {item}")
    print(f"{len(found)} drifted" if found else "no drift")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
