"""Checks of ConfigMaps and Secrets."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from rehearsal.providers.kubernetes.values import known_text, mapping, opened
from rehearsal.providers.validation import Problem, problem
from rehearsal.pulumi.properties import UNKNOWN, Path

Found = Iterator[Problem]

_KEY: Final = re.compile(r"[-._a-zA-Z0-9]+")
_MAX_SIZE: Final = 1024 * 1024  # bytes
# `ValidateSecret`
_KEYS_OF_SECRETS: Final[Mapping[str, tuple[str, ...]]] = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}


def config_map_problems(inputs: Mapping[str, Any]) -> Found:
    """Yield problems of a ConfigMap: its keys and its size (`ValidateConfigMap`)."""
    data, binary = mapping(inputs.get("data")), mapping(inputs.get("binaryData"))
    for name, held in (("data", data), ("binaryData", binary)):
        for key in held:
            yield from _key(key, (name, key))
    for key in data.keys() & binary.keys():
        yield problem(("binaryData", key), "is a key of data too")
    yield from _size(("data",), data)


def _size(path: Path, held: Mapping[str, Any]) -> Found:
    """`MaxSecretSize`, which is the limit of ConfigMaps too."""
    size = sum(len(text.encode()) for value in held.values() if (text := known_text(value)) is not None)
    if size > _MAX_SIZE:
        yield problem(path, f"has {size} bytes; at most {_MAX_SIZE} are allowed")


def secret_problems(inputs: Mapping[str, Any]) -> Found:
    """Yield problems of a Secret: keys, encoding, and the keys that its type requires (`ValidateSecret`)."""
    data, texts = opened(inputs.get("data")), opened(inputs.get("stringData"))
    for name, held in (("data", data), ("stringData", texts)):
        for key in mapping(held):
            yield from _key(key, (name, key))
    for key, value in mapping(data).items():
        value = opened(value)
        if isinstance(value, str) and value is not UNKNOWN:
            try:
                base64.b64decode("".join(value.split()), validate=True)
            except binascii.Error:
                yield problem(("data", key), "is not base64; plain text belongs in stringData")
    yield from _size(("stringData",), mapping(texts))
    kind = known_text(inputs.get("type")) or ""
    for key in _KEYS_OF_SECRETS.get(kind, ()) if UNKNOWN not in (data, texts) else ():
        if key not in mapping(data) and key not in mapping(texts):
            yield problem(("data", key), f"required in a secret of type {kind}")


def _key(key: str, path: Path) -> Found:
    if len(key) > 253 or not _KEY.fullmatch(key) or key in (".", ".."):
        yield problem(path, f"{key!r} is not a key: letters, digits, '-', '_', '.'")
