"""API rules that relate several properties, which the providers do not check before they send a request.

Sources: the reference documentation of each API, November 2026. Rules about one value are data
(``<package>_api.jsonl``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from rehearsal.providers.constraints.api import atlas, cloudflare, google
from rehearsal.providers.constraints.api.bounds import ordered_bounds
from rehearsal.providers.validation import Problem, problem
from rehearsal.pulumi.properties import unwrap

_CLUSTER: Final = "mongodbatlas:index/advancedCluster:AdvancedCluster"
_CHECKS_OF: Final = {
    "cloudflare": cloudflare.checks_of,
    "gcp": google.checks_of,
    "mongodbatlas": atlas.checks_of,
}


def refused_by_api(token: str, inputs: Mapping[str, Any], api: str) -> Iterator[Problem]:
    """Yield violations of an API's rules in `inputs`; each reason ends with the name of the API."""
    checks_of = _CHECKS_OF.get(token.partition(":")[0])
    if checks_of is None:
        return
    plain = unwrap(dict(inputs))
    for check in (ordered_bounds, *checks_of(token)):
        for path, reason in check(plain):
            yield problem(path, f"{reason} (the {api} validates this)")


def refused_changes_by_api(
    token: str, inputs: Mapping[str, Any], olds: Mapping[str, Any], api: str, *, certain: bool = True
) -> Iterator[Problem]:
    """Yield changes from the inputs `olds` that an API refuses.

    With `certain` false, yield the changes that it may refuse, depending on state that inputs do not show.
    """
    if token == _CLUSTER:
        new, old = unwrap(dict(inputs)), unwrap(dict(olds))
        for path, reason in atlas.excluding_ranges(new, old, certain=certain):
            yield problem(path, f"{reason} (the {api} validates this)")
