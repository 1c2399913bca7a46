"""Checks of the sources of a pod's volumes (`validateVolumeSource` of `pkg/apis/core/validation`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from policies.api import parse_quantity
from rehearsal.providers.kubernetes.values import items, known_text, mapping, missing, numbers, one_of, opened
from rehearsal.providers.validation import Problem, problem
from rehearsal.pulumi.properties import Path

_MAX_MODE: Final = 0o777
_MIN_TOKEN_SECONDS: Final = 600
_HOST_PATH_TYPES: Final = (
    "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket",
)  # fmt: skip
_PROJECTIONS: Final = (
    "clusterTrustBundle", "configMap", "downwardAPI", "podCertificate", "secret", "serviceAccountToken",
)  # fmt: skip


def volume_problems(volume: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    """Problems of the source of one `volume` at `path`."""
    size = opened(mapping(volume.get("emptyDir")).get("sizeLimit"))
    if isinstance(size, str) and size.startswith("-") and parse_quantity(size[1:]) is not None:
        yield problem((*path, "emptyDir", "sizeLimit"), f"{size!r} is negative")
    for name in ("configMap", "secret", "downwardAPI", "projected"):
        source = mapping(volume.get(name))
        yield from numbers(source, (*path, name), {"defaultMode": 0}, _MAX_MODE)
        yield from _files(source, (*path, name))
    secret = opened(volume.get("secret"))
    if isinstance(secret, Mapping) and missing(secret.get("secretName")):
        yield problem((*path, "secret", "secretName"), "missing required property")
    host = mapping(volume.get("hostPath"))
    yield from one_of(host, (*path, "hostPath"), "type", _HOST_PATH_TYPES)
    yield from _no_parent(host.get("path"), (*path, "hostPath", "path"))
    for number, source in enumerate(items(mapping(volume.get("projected")).get("sources"))):
        if isinstance(source, Mapping):
            yield from _projection(source, (*path, "projected", "sources", number))


def _projection(source: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    given = [name for name in _PROJECTIONS if source.get(name) is not None]
    if len(given) > 1:
        yield problem(path, f"only one of {', '.join(given)} may be set")
    for name in ("configMap", "downwardAPI", "secret"):
        yield from _files(mapping(source.get(name)), (*path, name))
    token, at = mapping(source.get("serviceAccountToken")), (*path, "serviceAccountToken")
    yield from numbers(token, at, {"expirationSeconds": _MIN_TOKEN_SECONDS}, 2**32)


def _files(source: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    """`validateKeyToPath`: a file's path is relative, and within the volume."""
    for number, item in enumerate(items(source.get("items"))):
        if not isinstance(item, Mapping):
            continue
        at = (*path, "items", number)
        yield from numbers(item, at, {"mode": 0}, _MAX_MODE)
        file = known_text(item.get("path"))
        if file is not None and file.startswith("/"):
            yield problem((*at, "path"), f"{file!r} is not relative to the volume")
        yield from _no_parent(item.get("path"), (*at, "path"))


def _no_parent(value: Any, path: Path) -> Iterator[Problem]:
    """Yield a problem of a path with `..` (`validatePathNoBacksteps`)."""
    text = known_text(value)
    if text is not None and ".." in text.split("/"):
        yield problem(path, f"{text!r} must not contain '..'")
