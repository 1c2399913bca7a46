"""The state of one stack on disk: a checkpoint, a journal of what happened since, and a lock.

``state.json`` is a deployment (version 3). While an operation runs, every step appends lines to
``journal.jsonl`` and waits until they are on the disk; at the end the journal is folded into the
checkpoint. A crash at any point leaves one of these, and each is understood:

- a checkpoint alone;
- a checkpoint and a journal that begins with the checkpoint's digest: it is replayed; a last line that was
  cut off in the middle was never waited for, and is dropped;
- a new checkpoint and the journal that it already contains, which ends with the new digest: it is dropped.

The checkpoint is replaced by rename, and the one before it is kept as ``state.json.bak``.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from rehearsal.engine.journal import Journal, unwritable
from rehearsal.engine.secrets import Crypter
from rehearsal.engine.state import (
    VERSION,
    PendingOperation,
    ResourceState,
    Snapshot,
    from_json,
    in_order,
    to_json,
)
from rehearsal.errors import StateError

# The manifest's magic is the version's sha256 in hexadecimal (``Manifest.NewMagic`` in
# ``pkg/resource/deploy/manifest.go``); Pulumi refuses a snapshot whose magic does not match.
_ENGINE_VERSION: Final = "v3.272.0"


class Store:
    """The state of the stack kept in `folder`. One writer at a time: see :meth:`lock`."""

    def __init__(self, folder: Path, passphrase: str) -> None:
        self.folder = folder
        self.path = folder / "state.json"
        self._journal_path = folder / "journal.jsonl"
        self._passphrase = passphrase
        self._crypter: Crypter | None = None

    @property
    def crypter(self) -> Crypter:
        if self._crypter is None:
            self._crypter = Crypter.create(self._passphrase)
        return self._crypter

    @contextlib.contextmanager
    def lock(self, command: str) -> Iterator[None]:
        """Holds the stack for writing. Raises StateError, naming the holder, when another process has it.

        The lock is the kernel's (``flock``): it ends with the process, however that ends.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            file = (self.folder / "lock").open("a+")
        except OSError as error:
            raise StateError(
                f"{self.folder} cannot be written: {error.strerror}",
                remedy="Make the folder writable, or free room on its disk.",
            ) from None
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                file.seek(0)
                holder = file.read().strip() or "another process"
                raise StateError(
                    f"the state in {self.folder} is being written by {holder}",
                    remedy="Wait until it has ended, or end it; its work is not lost.",
                ) from None
            file.truncate(0)
            file.write(f"`kingdom {command}` (process {os.getpid()})\n")
            file.flush()
            yield

    def load(self) -> Snapshot:
        """The last recorded snapshot; an empty one where there is none. Raises StateError for a bad file."""
        for _ in range(3):
            text = self._read(self.path)
            journal = self._read(self._journal_path)
            if text == self._read(self.path):  # else a writer folded its journal in between: read anew
                break
        snapshot = self._parse(text) if text else Snapshot()
        entries = self._replayable(text, journal)
        return _replay(snapshot, [self._decode(entry) for entry in entries]) if entries else snapshot

    def _read(self, path: Path) -> bytes:
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise StateError(
                f"{path} cannot be read: {error.strerror}", remedy="Make it readable by this user."
            ) from None

    def _parse(self, text: bytes) -> Snapshot:
        backup = self.path.with_suffix(".json.bak")
        remedy = f"Restore it from {backup}." if backup.exists() else "Restore it from a backup of your own."
        try:
            data = json.loads(text)
            if data.get("version") != VERSION:
                raise ValueError(f"its version is {data.get('version')!r}, not {VERSION}")
            deployment = data["deployment"]
            provider = deployment["secrets_providers"]
            if provider["type"] != "passphrase":
                raise ValueError(f"its secrets provider is {provider['type']!r}, not 'passphrase'")
            salt = provider["state"]["salt"]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            raise StateError(
                f"{self.path} is not a deployment in Pulumi's format: {reason}", remedy=remedy
            ) from None
        if self._crypter is None or self._crypter.state != salt:
            self._crypter = Crypter.open(self._passphrase, salt, str(self.path))
        resources = []
        for index, entry in enumerate(deployment.get("resources") or ()):
            resources.append(self._resource(entry, f"resources[{index}]", remedy))
        pending = [
            PendingOperation(
                entry["type"], self._resource(entry["resource"], f"pending_operations[{i}]", remedy)
            )
            for i, entry in enumerate(deployment.get("pending_operations") or ())
        ]
        return Snapshot(tuple(resources), tuple(pending))

    def _resource(self, entry: Any, where: str, remedy: str) -> ResourceState:
        try:
            return from_json(entry, self._crypter)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            raise StateError(f"{self.path}: deployment.{where}: {reason}", remedy=remedy) from None

    def _replayable(self, base: bytes, journal: bytes) -> list[dict[str, Any]]:
        lines = journal.split(b"\n")
        entries: list[dict[str, Any]] = []
        for number, line in enumerate(lines, start=1):
            if not line:
                continue
            try:
                entries.append(json.loads(line))
            except ValueError:
                if number == len(lines):  # no newline after it: it was cut off while being written
                    break
                raise StateError(
                    f"{self._journal_path}: line {number} is damaged",
                    remedy=f"What stands before it is whole. Remove the file to go back to {self.path}.",
                ) from None
        digest = _digest(base)
        if not entries or entries[-1].get("folded") == digest:
            return []
        if entries[0].get("base") != digest:
            raise StateError(
                f"{self._journal_path} does not belong to {self.path}: one of them was replaced by hand",
                remedy="Restore the two together, or remove the journal to go back to the checkpoint.",
            )
        if self._crypter is None:
            self._crypter = Crypter.open(self._passphrase, entries[0]["salt"], str(self._journal_path))
        return entries[1:]

    def _decode(self, entry: Mapping[str, Any]) -> _Entry:
        if "folded" in entry:
            return _Entry("folded", None)
        try:
            resource = from_json(entry["resource"], self._crypter)
        except (KeyError, TypeError, ValueError) as error:
            raise StateError(
                f"{self._journal_path}: an entry cannot be read: {error}",
                remedy=f"Remove the file to go back to {self.path}.",
            ) from None
        return _Entry(entry["op"], resource, entry.get("pending", ""))

    def journal(self) -> Journal:
        """Opens the journal on top of what :meth:`load` returns. The lock must be held."""
        base = self._read(self.path)
        previous = self._replayable(base, self._read(self._journal_path))
        if not previous:
            self._write_atomically(
                self._journal_path,
                json.dumps({"base": _digest(base), "salt": self.crypter.state}).encode() + b"\n",
            )
        else:
            self._cut_torn_line()
        try:
            return Journal(self._journal_path.open("a"), self.crypter)
        except OSError as error:
            raise unwritable(self._journal_path, error) from None

    def _cut_torn_line(self) -> None:
        with self._journal_path.open("r+b") as file:
            whole = file.read().rfind(b"\n") + 1
            file.truncate(whole)

    def fold(self, snapshot: Snapshot) -> None:
        """Makes `snapshot` the checkpoint and drops the journal. Writes nothing where nothing changed."""
        old = self._read(self.path)
        new = self._serialise(snapshot, old)
        if new != old:
            if self._journal_path.exists():
                with self._journal_path.open("a") as journal:
                    journal.write(json.dumps({"folded": _digest(new)}) + "\n")
                    journal.flush()
                    os.fsync(journal.fileno())
            if old:
                self._write_atomically(self.path.with_suffix(".json.bak"), old)
            self._write_atomically(self.path, new)
        self._journal_path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Forgets the stack: for when nothing of it is left."""
        for path in (self._journal_path, self.path, self.path.with_suffix(".json.bak")):
            path.unlink(missing_ok=True)

    def _serialise(self, snapshot: Snapshot, old: bytes) -> bytes:
        resources = [to_json(resource, self.crypter) for resource in in_order(snapshot.resources)]
        body: dict[str, Any] = {
            "metadata": dict[str, Any](),
            "secrets_providers": {"type": "passphrase", "state": {"salt": self.crypter.state}},
            "resources": resources,
        }
        if snapshot.pending:
            body["pending_operations"] = [
                {"resource": to_json(pending.resource, self.crypter), "type": pending.type}
                for pending in snapshot.pending
            ]
        if old:
            before = json.loads(old)["deployment"]
            manifest = before.pop("manifest", None)
            if manifest is not None and before == body:
                return old
        from datetime import UTC, datetime

        time = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        manifest = {
            "time": time,
            "magic": hashlib.sha256(_ENGINE_VERSION.encode()).hexdigest(),
            "version": _ENGINE_VERSION,
        }
        return (
            json.dumps({"version": VERSION, "deployment": {"manifest": manifest, **body}}, indent=4).encode()
            + b"\n"
        )

    def _write_atomically(self, path: Path, data: bytes) -> None:
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(path)
            directory = os.open(self.folder, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise unwritable(path, error) from None


class _Entry:
    __slots__ = ("op", "pending", "resource")

    def __init__(self, op: str, resource: ResourceState | None, pending: str = "") -> None:
        self.op = op
        self.resource = resource
        self.pending = pending


def _replay(snapshot: Snapshot, entries: list[_Entry]) -> Snapshot:
    resources = {resource.key: resource for resource in snapshot.resources}
    pending = {(op.type, op.resource.urn): op for op in snapshot.pending}
    for entry in entries:
        resource = entry.resource
        if resource is None:
            continue
        match entry.op:
            case "begin":
                pending[(entry.pending, resource.urn)] = PendingOperation(entry.pending, resource)
            case "end":
                pending.pop((entry.pending, resource.urn), None)
            case "put":
                resources[resource.key] = resource
            case "drop":
                resources.pop(resource.key, None)
    return Snapshot(in_order(resources.values()), tuple(pending.values()))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
