"""``state.json``: a snapshot in Pulumi's deployment format (version 3) with encrypted secrets."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from rehearsal.engine.state.resource_state import (
    VERSION,
    PendingOperation,
    ResourceState,
    Snapshot,
    from_json,
    in_order,
    to_json,
)
from rehearsal.engine.state.secrets import Crypter

# The manifest's magic is the version's sha256 in hexadecimal (``Manifest.NewMagic`` in
# ``pkg/resource/deploy/manifest.go``); Pulumi refuses a snapshot whose magic does not match.
_ENGINE_VERSION: Final = "v3.272.0"
_OPERATIONS: Final = ("creating", "updating", "deleting", "reading", "importing")


class FormatError(ValueError):
    """The text is not a valid deployment; the message has the position and the reason."""


def parse(text: bytes, crypter_for: Callable[[str], Crypter]) -> Snapshot:
    """Parse a state file; `crypter_for` creates the crypter for its salt. Raises FormatError."""
    deployment = _object(_document(text).get("deployment"), "deployment")
    provider = _object(deployment.get("secrets_providers"), "deployment.secrets_providers")
    if provider.get("type") != "passphrase":
        raise FormatError(f"its secrets provider is {provider.get('type')!r}, not 'passphrase'")
    where = "deployment.secrets_providers.state"
    salt = _object(provider.get("state"), where).get("salt")
    if not isinstance(salt, str):
        raise FormatError(f"{where}.salt must be a string, not {_kind(salt)}")
    crypter = crypter_for(salt)
    resources = [
        _resource(entry, f"deployment.resources[{index}]", crypter)
        for index, entry in enumerate(_list(deployment, "resources"))
    ]
    pending = []
    for index, item in enumerate(_list(deployment, "pending_operations")):
        where = f"deployment.pending_operations[{index}]"
        entry = _object(item, where)
        if entry.get("type") not in _OPERATIONS:
            raise FormatError(f"{where}.type must be one of {', '.join(_OPERATIONS)}")
        pending.append(
            PendingOperation(entry["type"], _resource(entry.get("resource"), f"{where}.resource", crypter))
        )
    keys = set[tuple[str, str]]()
    for index, resource in enumerate(resources):
        if resource.key in keys:
            raise FormatError(f"deployment.resources[{index}]: {resource.urn} appears twice")
        keys.add(resource.key)
    return Snapshot(tuple(resources), tuple(pending))


def exported_resources(text: bytes) -> tuple[ResourceState, ...]:
    """Parse the resources of a state that `pulumi stack export` wrote, with any secrets provider.

    Secrets hold their ciphertext. Raises FormatError.
    """
    deployment = _object(_document(text).get("deployment"), "deployment")
    return tuple(
        _resource(entry, f"deployment.resources[{index}]", None)
        for index, entry in enumerate(_list(deployment, "resources"))
    )


def render(snapshot: Snapshot, crypter: Crypter, old: bytes) -> bytes:
    """Format `snapshot` as a state file; return the bytes `old` if they have the same content."""
    body: dict[str, Any] = {
        "metadata": dict[str, Any](),
        "secrets_providers": {"type": "passphrase", "state": {"salt": crypter.state}},
        "resources": [to_json(resource, crypter) for resource in in_order(snapshot.resources)],
    }
    if snapshot.pending:
        body["pending_operations"] = [
            {"resource": to_json(pending.resource, crypter), "type": pending.type}
            for pending in snapshot.pending
        ]
    if old:
        before = dict(json.loads(old)["deployment"])
        if before.pop("manifest", None) is not None and before == body:
            return old
    manifest = {
        "time": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        "magic": hashlib.sha256(_ENGINE_VERSION.encode()).hexdigest(),
        "version": _ENGINE_VERSION,
    }
    document = {"version": VERSION, "deployment": {"manifest": manifest, **body}}
    # The encoder with an indent is written in Python, which takes four times as long for a large stack.
    return msgspec.json.format(json.dumps(document).encode(), indent=4) + b"\n"


def _document(text: bytes) -> Mapping[str, Any]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"it is not JSON: {error}") from None
    data = _object(data, "the whole")
    if data.get("version") != VERSION:
        raise FormatError(f"its version is {data.get('version')!r}, not {VERSION}")
    return data


def _resource(entry: Any, where: str, crypter: Crypter | None) -> ResourceState:
    try:
        return from_json(_object(entry, where), crypter)
    except FormatError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise FormatError(f"{where}: {reason}") from None


def _object(value: Any, where: str) -> Mapping[str, Any]:
    if value is None:
        raise FormatError(f"{where} is missing")
    if not isinstance(value, dict):
        raise FormatError(f"{where} must be an object, not {_kind(value)}")
    return value


def _list(data: Mapping[str, Any], key: str) -> list[Any]:
    value = data.get(key)
    if value is None:  # Pulumi leaves an empty list out
        return []
    if not isinstance(value, list):
        raise FormatError(f"deployment.{key} must be a list, not {_kind(value)}")
    return value


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")
