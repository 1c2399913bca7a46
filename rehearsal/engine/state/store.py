"""The state of one stack on disk: a checkpoint, a journal of what happened since, and a lock.

``state.json`` is a deployment (version 3). While an operation runs, every step appends a line to
``journal.jsonl`` and waits until it is on the disk; at the end the journal is folded into the checkpoint. A
crash at any point leaves one of these states, each of which can be loaded:

- a checkpoint alone;
- a checkpoint and a journal that begins with the checkpoint's digest: it is replayed; a last line that is
incomplete was never acknowledged, and is dropped;
- a new checkpoint and the journal that it already contains, which ends with the new digest: it is dropped.

The checkpoint is replaced by rename, and the previous one is retained as ``state.json.bak``.

``functions.json`` lists the calls of functions without a model in the last update, as digests.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from rehearsal.engine.state import checkpoint
from rehearsal.engine.state.journal import Journal, NoJournal, entry_from_json, unwritable
from rehearsal.engine.state.resource_records import Entry, Records
from rehearsal.engine.state.resource_state import Snapshot
from rehearsal.engine.state.secrets import Crypter
from rehearsal.errors import StateError


class Store:
    """State of a stack, stored in `folder`. One writer at a time: see :meth:`lock`.

    `passphrase` is the passphrase of its secrets, or a function that returns it; its argument is True for a
    new state. The passphrase of a `temporary` state is random, and its key is derived quickly. It is not used
    after a crash: it has no journal, and its files are not forced to the disk.
    """

    def __init__(
        self, folder: Path, passphrase: str | Callable[[bool], str], *, temporary: bool = False
    ) -> None:
        self.folder = folder
        self.temporary = temporary
        self.path = folder / "state.json"
        self._journal_path = folder / "journal.jsonl"
        self._calls_path = folder / "functions.json"
        self._given = passphrase
        self._crypter: Crypter | None = None

    @property
    def crypter(self) -> Crypter:
        if self._crypter is None:
            self._crypter = Crypter.create(self._passphrase(new=True), temporary=self.temporary)
        return self._crypter

    def _passphrase(self, *, new: bool) -> str:
        return self._given if isinstance(self._given, str) else self._given(new)

    def _open_crypter(self, salt: str, where: Path) -> Crypter:
        if self._crypter is None or self._crypter.state != salt:
            passphrase = self._passphrase(new=False)
            self._crypter = Crypter.open(passphrase, salt, str(where), temporary=self.temporary)
        return self._crypter

    @contextlib.contextmanager
    def lock(self, command: str) -> Iterator[None]:
        """Lock the stack for writing during the block.

        Raises StateError with the holder if another process has the lock. The kernel's lock (``flock``) ends
        with the process, even if that is killed. The lock file names the holder and is removed with the lock;
        so is the folder if it was created here and is empty.
        """
        path = self.folder / "lock"
        made = [folder for folder in (self.folder, self.folder.parent) if not folder.exists()]
        descriptor = self._locked(path)
        try:
            with contextlib.suppress(OSError):  # a full disk: the lock holds without the holder's name
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"`kingdom {command}` (process {os.getpid()})\n".encode(), 0)
            yield
        finally:
            with contextlib.suppress(OSError):
                path.unlink()
                for folder in made:
                    folder.rmdir()  # fails where there is anything in it
            os.close(descriptor)

    def _locked(self, path: Path) -> int:
        while True:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            except FileNotFoundError:  # the previous holder of the lock removed the folder
                continue
            except OSError as error:
                raise StateError(
                    f"{self.folder} cannot be written: {error.strerror}",
                    remedy="Make the folder writable, or free disk space.",
                ) from None
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                holder = os.pread(descriptor, 4096, 0).decode(errors="replace").strip() or "another process"
                os.close(descriptor)
                raise StateError(
                    f"the state in {self.folder} is being written by {holder}",
                    remedy="Wait until it has ended, or stop it; its completed steps stay recorded.",
                ) from None
            with contextlib.suppress(FileNotFoundError):
                if os.fstat(descriptor).st_ino == path.stat().st_ino:
                    return descriptor
            os.close(descriptor)  # its holder ended and removed the file between our two calls

    def load(self) -> Snapshot:
        """Return the last recorded snapshot, or an empty one. Raises StateError for a damaged file."""
        for _ in range(3):
            text = self._read(self.path)
            journal = self._read(self._journal_path)
            if text == self._read(self.path):  # else a writer folded its journal in between: read again
                break
        snapshot = self._parse(text) if text or self.path.exists() else Snapshot()
        lines = self._replayable(text, journal)
        if not lines:
            return snapshot
        records = Records(snapshot)
        for number, line in enumerate(lines, start=2):
            records.apply(self._entries(line, number))
        return records.snapshot()

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
        try:
            return checkpoint.parse(text, lambda salt: self._open_crypter(salt, self.path))
        except checkpoint.FormatError as error:
            backup = self.path.with_suffix(".json.bak")
            raise StateError(
                f"{self.path} is not a deployment in Pulumi's format: {error}",
                remedy=f"Restore it from {backup}."
                if backup.exists()
                else "Restore it from a backup of your own.",
            ) from None

    def _replayable(self, base: bytes, journal: bytes) -> list[Any]:
        """Return the lines of the journal that are not in the checkpoint yet.

        Each is a list of entries, or the mark of a fold.
        """
        lines: list[Any] = []
        *whole, _torn = journal.split(b"\n")  # an incomplete last line was not acknowledged
        for number, line in enumerate(whole, start=1):
            try:
                lines.append(json.loads(line))
            except (ValueError, RecursionError):
                raise self._damaged(number) from None
        if not lines:
            return []
        digest = _digest(base)
        first, last = lines[0], lines[-1]
        if not isinstance(first, dict) or not isinstance(first.get("salt"), str):
            raise self._damaged(1)
        if isinstance(last, dict) and last.get("folded") == digest:
            return []
        if first.get("base") != digest:
            raise StateError(
                f"{self._journal_path} does not belong to {self.path}: one of them was replaced by hand",
                remedy="Restore the two together, or remove the journal to go back to the checkpoint.",
            )
        if self._crypter is None:
            self._open_crypter(first["salt"], self._journal_path)
        return lines[1:]

    def _entries(self, line: Any, number: int) -> list[Entry]:
        if isinstance(line, dict) and "folded" in line:
            return []
        try:
            return [entry_from_json(entry, self._crypter) for entry in line]
        except (KeyError, TypeError, ValueError, AttributeError):
            raise self._damaged(number) from None

    def _damaged(self, number: int) -> StateError:
        return StateError(
            f"{self._journal_path}: line {number} is damaged",
            remedy=f"Earlier lines are intact. Remove the file to return to {self.path}.",
        )

    def journal(self) -> Journal:
        """Open the journal on top of the snapshot that :meth:`load` returns. The lock must be held."""
        if self.temporary:
            return NoJournal()
        base = self._read(self.path)
        text = self._read(self._journal_path)
        if base and self._crypter is None:
            self._parse(base)  # secrets in the journal are encrypted with the checkpoint's key
        if self._replayable(base, text):
            self._cut(text.rfind(b"\n") + 1)
        else:
            header = json.dumps({"base": _digest(base), "salt": self.crypter.state})
            self._write_atomically(self._journal_path, header.encode() + b"\n")
        return Journal(self._journal_path, self.crypter)

    def _cut(self, length: int) -> None:
        try:
            os.truncate(self._journal_path, length)
        except OSError as error:
            raise unwritable(self._journal_path, error) from None

    def fold(self, snapshot: Snapshot) -> None:
        """Write `snapshot` as checkpoint, if it changed, and remove the journal."""
        old = self._read(self.path)
        new = checkpoint.render(snapshot, self.crypter, old)
        if new != old:
            if self._journal_path.exists():
                self._mark_folded(new)
            if old:
                self._write_atomically(self.path.with_suffix(".json.bak"), old)
            self._write_atomically(self.path, new)
        self._unlink(self._journal_path)

    def _mark_folded(self, new: bytes) -> None:
        line = json.dumps({"folded": _digest(new)}).encode() + b"\n"
        try:
            with self._journal_path.open("ab", buffering=0) as journal:
                whole = journal.seek(0, os.SEEK_END)
                try:
                    if journal.write(line) != len(line):
                        raise OSError(0, "the disk is full")
                    self._force(journal.fileno())
                except OSError:
                    journal.truncate(whole)
                    raise
        except OSError as error:
            raise unwritable(self._journal_path, error) from None

    def calls(self) -> frozenset[str]:
        """Return the digests of the calls that :meth:`record_calls` has recorded.

        A damaged file counts as an empty one: the results of these calls are then unknown in a preview.
        """
        try:
            listed = json.loads(self._read(self._calls_path) or b"[]")
        except ValueError:
            return frozenset()
        return frozenset(map(str, listed if isinstance(listed, list) else ()))

    def record_calls(self, calls: Collection[str]) -> None:
        """Record the calls of functions without a model in an update. The lock must be held."""
        if self.calls() == frozenset(calls):
            return
        if calls:
            self._write_atomically(self._calls_path, json.dumps(sorted(calls)).encode())
        else:
            self._unlink(self._calls_path)

    def remove(self) -> None:
        """Remove all files of the stack, whose resources are all deleted."""
        backup = self.path.with_suffix(".json.bak")
        for path in (self._journal_path, self._calls_path, self.path, backup):
            self._unlink(path)

    def _unlink(self, path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise unwritable(path, error) from None

    def _force(self, descriptor: int) -> None:
        """Wait until a file or folder is on the disk."""
        if not self.temporary:
            os.fsync(descriptor)

    def _write_atomically(self, path: Path, data: bytes) -> None:
        temporary = path.with_name(f".{path.name}.new")  # one writer: a crash leaves at most this one
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                self._force(file.fileno())
            temporary.rename(path)
            directory = os.open(self.folder, os.O_RDONLY)
            try:
                self._force(directory)
            finally:
                os.close(directory)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise unwritable(path, error) from None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
