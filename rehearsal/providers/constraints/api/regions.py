"""References of a regional resource to resources of another region, which Google's APIs refuse."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from rehearsal.providers.constraints.api.base import Found, text
from rehearsal.pulumi.properties import UNKNOWN, Path

_REGION: Final = re.compile(r"[a-z]+-[a-z]+\d+")
_LINK: Final = re.compile(r"(?:^|/)(?:regions|locations)/([a-z]+-[a-z]+\d+)(?:-[a-z])?/")
# Properties that refer to a resource of the same region, by the end of their name.
_LOCAL: Final = re.compile(
    r"(?i)(subnet|subnetwork|router|vpnGateway|targetPool|natSubnets|natIps|resourcePolic(y|ies)"
    r"|kmsKey(Name|SelfLink)?|cryptoKeyName|customerManagedKey|bootDiskKmsKey)$"
)
_ZONES: Final = frozenset({"secondaryZone", "zone"})


def region_of(inputs: Mapping[str, Any]) -> str | None:
    """Return the region that a resource declares; None for a zone, a multi-region, or "global"."""
    for name in ("region", "location"):
        declared = text(inputs.get(name))
        if declared is not None:
            region = declared.rsplit("/", 1)[-1]
            return region if _REGION.fullmatch(region) else None
    return None


def references_elsewhere(inputs: Mapping[str, Any]) -> Found:
    """Yield links to resources of another region than the one that the resource is declared in."""
    region = region_of(inputs)
    if region is None:
        return
    for path, name, value in _texts(inputs, (), ""):
        found = _LINK.search(value) if _LOCAL.search(name) else None
        if found is not None and found[1] != region:
            yield path, f"refers to the region {found[1]}; this resource is in {region}"
        elif name in _ZONES and len(path) > 1 and _is_zone(value) and not value.startswith(f"{region}-"):
            yield path, f"the zone {value} is not in the region {region}"


def _is_zone(value: str) -> bool:
    return value.count("-") == 2 and _REGION.fullmatch(value.rpartition("-")[0]) is not None


def _texts(value: Any, path: Path, name: str) -> Iterator[tuple[Path, str, str]]:
    """Yield every known text with its position and the name of its property."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not key.startswith("__"):
                yield from _texts(item, (*path, key), key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*path, index), name)
    elif isinstance(value, str) and value is not UNKNOWN:
        yield path, name, value
