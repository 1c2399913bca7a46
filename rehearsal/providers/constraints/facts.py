"""Facts about the attributes of provider resources, read from ``<package>.jsonl`` one type at a time.

``tools/provider_facts.py`` writes the files. The first line names the provider and the month in which the
facts were measured; each further line is a Terraform type and its attributes by path. The files
``<package>_api.jsonl`` have the same form and contain rules from the reference documentation of the APIs.
``tools/documented_rules.py`` writes ``<package>_documented.jsonl``: rules from the documentation of the SDKs.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parent
PACKAGES: Final = ("cloudflare", "gcp", "mongodbatlas")


@dataclass(frozen=True)
class Source:
    """The source of a package's facts: the provider with its version, and the month of the measurement."""

    provider: str
    measured: str


@dataclass(frozen=True)
class ResourceFacts:
    """The attributes of one Terraform type by path, and the child names below each path.

    `api` contains the API's rules by path: the provider sends such values, and the API refuses them.
    """

    name: str
    attributes: Mapping[str, Mapping[str, Any]]
    children: Mapping[str, tuple[str, ...]] = field(repr=False)
    api: Mapping[str, Mapping[str, Any]] = field(repr=False)


@cache
def source(package: str) -> Source:
    """Return the provider that a package's facts were measured from."""
    head = json.loads(_lines(package)[""])
    return Source(head["source"], head["measured"])


@cache
def api(package: str) -> str:
    """Return the name of the API that a package's provider calls, for messages."""
    return str(json.loads(_lines(f"{package}_api")[""])["source"])


def types(package: str) -> tuple[str, ...]:
    """Return the Terraform types whose facts are known; empty for a package without facts."""
    return tuple(name for name in _lines(package) if name)


@cache
def read(package: str, name: str) -> ResourceFacts | None:
    """Return the facts of a Terraform type, None when they are not known."""
    line = _lines(package).get(name)
    if not name or line is None:
        return None
    attributes: dict[str, dict[str, Any]] = json.loads(line)
    children: dict[str, list[str]] = defaultdict(list)
    for path in attributes:
        parent, _, last = path.rpartition(".")
        children[parent].append(last)
    below = {path: tuple(names) for path, names in children.items()}
    documented, api = (
        json.loads(_lines(f"{package}_{kind}").get(name, "{}")) for kind in ("documented", "api")
    )
    return ResourceFacts(name, attributes, below, documented | api)


@cache
def _lines(package: str) -> dict[str, str]:
    """Return the unparsed line of each type by name; the header under the empty name."""
    if package.removesuffix("_api").removesuffix("_documented") not in PACKAGES:
        return {}
    head, *lines = (FOLDER / f"{package}.jsonl").read_text(encoding="utf-8").splitlines()
    return {"": head} | {name: rest for name, _, rest in (line.partition(" ") for line in lines)}
