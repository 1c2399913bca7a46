"""Refusals of an API over several properties, of values that its provider sends unchecked.

Sources: the reference documentation of each API, November 2026. Rules about one value are data
(``<package>_api.jsonl``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from rehearsal.providers.constraints.api import atlas, cloudflare, google
from rehearsal.providers.validation import Problem, problem
from rehearsal.pulumi.properties import unwrap

_CLUSTER: Final = "mongodbatlas:index/advancedCluster:AdvancedCluster"
_CHECKS_OF: Final = {
    "cloudflare": cloudflare.checks_of,
    "gcp": google.checks_of,
    "mongodbatlas": atlas.checks_of,
}


def refused_by_api(token: str, inputs: Mapping[str, Any], api: str) -> Iterator[Problem]:
    """Yield what an API refuses in known `inputs`; each reason ends with the name of the API."""
    checks_of = _CHECKS_OF.get(token.partition(":")[0])
    if checks_of is None:
        return
    plain = unwrap(dict(inputs))
    for check in checks_of(token):
        for path, reason in check(plain):
            yield problem(path, f"{reason} (the {api} validates this)")


def refused_changes_by_api(
    token: str, inputs: Mapping[str, Any], olds: Mapping[str, Any], api: str, *, certain: bool = True
) -> Iterator[Problem]:
    """Yield what an API refuses of a change from the inputs `olds`; not `certain`: what it may refuse."""
    if token == _CLUSTER:
        new, old = unwrap(dict(inputs)), unwrap(dict(olds))
        for path, reason in atlas.excluding_ranges(new, old, certain=certain):
            yield problem(path, f"{reason} (the {api} validates this)")
