"""Normalize the steps of an operation to terms that are common to both engines."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

from rehearsal.pulumi.urn import is_default_provider

Steps = defaultdict[str, set[str]]

# Steps of the CLI by the operation that `kingdom` reports for them.
_STEPS_OF_A_REPLACEMENT = {
    "create-replacement": "replace",
    "delete-replaced": "replace",
    "discard-replaced": "replace",
    "import-replacement": "replace",
    "read-replacement": "replace",
    "read-discard": "delete",
    "discard": "delete",
}
_REPLACEMENTS = ("create-replacement", "read-replacement", "import-replacement")


def of_pulumi(event_log: Path) -> Steps:
    """Return the operations by URN in the CLI's event log, unchanged resources left out.

    Of a preview and the update after it, the update counts.
    """
    found: Steps = defaultdict(set)
    replaced: set[str] = set()
    events = [json.loads(line) for line in event_log.read_text().splitlines()]
    began = max((at for at, event in enumerate(events) if "preludeEvent" in event), default=0)
    for event in (one.get("resourcePreEvent") for one in events[began:]):
        if event and event["metadata"]["op"] != "same":
            metadata = event["metadata"]
            found[metadata["urn"]].add(_STEPS_OF_A_REPLACEMENT.get(metadata["op"], metadata["op"]))
        if event and event["metadata"]["op"] in _REPLACEMENTS:
            replaced.add(event["metadata"]["urn"])
    # The CLI reports, but does not count, the deletion of a resource that an earlier operation replaced,
    # and, under its former URN, of one that is replaced and renamed at once.
    for urn, ops in found.items():
        if urn not in replaced:
            ops.discard("replace")
    for ops in found.values():
        if "remove-pending-replace" in ops:  # deleted for another resource, and then not declared any more
            ops.clear()
            ops.add("delete")
    return _without_default_providers(found)


def of_kingdom(output: str) -> Steps:
    """Return the operations by URN in the JSON result of a `kingdom` command."""
    found: Steps = defaultdict(set)
    for step in json.JSONDecoder().raw_decode(output)[0]["steps"]:
        if step["op"] != "same":
            found[step["urn"]].add(step["op"])
    return _without_default_providers(found)


def differing(one: Steps, other: Steps) -> list[str]:
    """Return one line per resource whose steps differ between two engines."""
    return [
        f"steps of {urn}: {sorted(one[urn])} / {sorted(other[urn])}"
        for urn in sorted(one.keys() | other.keys())
        if one[urn] != other[urn]
    ]


def _without_default_providers(steps: Steps) -> Steps:
    return defaultdict(set, {urn: ops for urn, ops in steps.items() if not is_default_provider(urn)})
