"""Refusals of Cloudflare's provider over several properties of a configuration.

Read in terraform-provider-cloudflare, 5.22.0; each check names the validator that it follows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rehearsal.providers.constraints.api.base import Check, Found, at, items, text
from rehearsal.pulumi.properties import UNKNOWN

_KINDS: Final = ("asn", "hostname", "ip", "redirect")


def _list(inputs: Mapping[str, Any]) -> Found:
    """`ListValidator`: items of the list's kind; a name with a wildcard states whether it excludes itself."""
    kind = text(inputs.get("kind"))
    for position, item in items(inputs.get("items")):
        if kind in _KINDS and item.get(kind) is None:
            yield ("items", position, kind), f"required in a list of the kind {kind}"
        host, excluded = (
            text(at(item, "hostname", "urlHostname")),
            at(item, "hostname", "excludeExactHostname"),
        )
        path = ("items", position, "hostname", "excludeExactHostname")
        if host is not None and host.startswith("*") and excluded is None:
            yield path, "required for a name with a wildcard"
        if host is not None and not host.startswith("*") and excluded not in (None, UNKNOWN):
            yield path, "may be set only for a name with a wildcard"


CHECKS: Final[Mapping[str, tuple[Check, ...]]] = {"cloudflare:index/list:List": (_list,)}
