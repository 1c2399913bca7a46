"""Encryption of secrets in state with a passphrase, in the format of Pulumi's own passphrase provider.

Key: PBKDF2-HMAC-SHA256 of the passphrase over an 8-byte salt, 1,000,000 iterations, 32 bytes. Value:
AES-256-GCM with a random 12-byte nonce, written ``v1:<base64 nonce>:<base64 ciphertext>``. The state holds
``v1:<base64 salt>:<the word "pulumi", encrypted>``, which distinguishes a wrong passphrase from damaged data.
Sources: ``sdk/go/common/resource/config/crypt.go`` and ``pkg/secrets/passphrase/manager.go``. States can be
exchanged with ``pulumi stack import`` and ``export``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import threading
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final

from rehearsal.errors import StateError

ITERATIONS: Final = 1_000_000
# For temporary states: their passphrases have at least 144 random bits, which stretching does not improve.
TEMPORARY_ITERATIONS: Final = 1
_CANARY: Final = "pulumi"


class WrongPassphraseError(StateError):
    """The passphrase is not the one with which the secrets were encrypted."""


class Crypter:
    """Encrypts and decrypts strings under one passphrase. Thread-safe.

    A value that was decrypted is encrypted to the same ciphertext again, so that an unchanged state file
    stays byte-identical.
    """

    def __init__(self, key: bytes, state: str) -> None:
        self._key = key
        self._seen: dict[str, str] = {}
        self._lock = threading.Lock()
        self.state = state

    @classmethod
    def create(cls, passphrase: str, *, temporary: bool = False) -> Crypter:
        """Create a crypter with a new random salt; `temporary` is for a random passphrase."""
        salt = os.urandom(8)
        crypter = cls(_key(passphrase, salt, temporary=temporary), "")
        crypter.state = f"v1:{base64.b64encode(salt).decode()}:{crypter.encrypt(_CANARY)}"
        return crypter

    @classmethod
    def open(cls, passphrase: str, state: str, where: str, *, temporary: bool = False) -> Crypter:
        """Open the crypter of `state`, read from `where`. Raises StateError for a wrong passphrase."""
        version, _, rest = state.partition(":")
        salt, _, canary = rest.partition(":")
        try:
            if version != "v1":
                raise ValueError
            decoded = base64.b64decode(salt, validate=True)
            crypter = cls(_key(passphrase, decoded, temporary=temporary), state)
        except (ValueError, binascii.Error):
            raise StateError(
                f"{where}: secrets_providers.state.salt is not of the form v1:<salt>:<canary>",
                remedy="Restore the file from the backup beside it.",
            ) from None
        try:
            matches = crypter.decrypt(canary) == _CANARY
        except ValueError:
            matches = False
        if not matches:
            raise WrongPassphraseError(
                f"{where}: the passphrase cannot decrypt this stack's secrets",
                remedy="Set PULUMI_CONFIG_PASSPHRASE (or …_FILE) to the one it was created with.",
            )
        return crypter

    def encrypt(self, plaintext: str) -> str:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        with self._lock:
            known = self._seen.get(plaintext)
        if known is not None:
            return known
        nonce = os.urandom(12)
        sealed = AESGCM(self._key).encrypt(nonce, plaintext.encode(), None)
        text = f"v1:{base64.b64encode(nonce).decode()}:{base64.b64encode(sealed).decode()}"
        with self._lock:
            return self._seen.setdefault(plaintext, text)

    def digest(self, data: bytes) -> str:
        """Return a digest of `data` that cannot be tested without the passphrase: `data` may hold secrets."""
        return hmac.new(self._key, data, hashlib.sha256).hexdigest()

    def decrypt(self, ciphertext: str) -> str:
        """Decrypt. Raises ValueError if the ciphertext is damaged or was encrypted with another key."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        match ciphertext.split(":"):
            case ["v1", nonce, sealed]:
                try:
                    plain = AESGCM(self._key).decrypt(base64.b64decode(nonce), base64.b64decode(sealed), None)
                except (InvalidTag, binascii.Error) as error:
                    raise ValueError("the ciphertext is damaged or of another passphrase") from error
            case _:
                raise ValueError("the ciphertext is not of the form v1:<nonce>:<data>")
        text = plain.decode()
        with self._lock:
            self._seen.setdefault(text, ciphertext)
        return text


def is_salt(text: str) -> bool:
    """Return whether `text` has the form of `Crypter.state`."""
    match text.split(":", 2):
        case ["v1", salt, _]:
            try:
                base64.b64decode(salt, validate=True)
            except binascii.Error:
                return False
            return True
        case _:
            return False


def _key(passphrase: str, salt: bytes, *, temporary: bool) -> bytes:
    return _derive(passphrase, salt, TEMPORARY_ITERATIONS if temporary else ITERATIONS)


@lru_cache(maxsize=8)  # a preview and its update use the same key; a derivation takes 0.3 s
def _derive(passphrase: str, salt: bytes, iterations: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", passphrase.encode(), salt, iterations, 32)


def given_passphrase(environment: Mapping[str, str] = os.environ) -> str | None:
    """Return the passphrase in the environment, as the Pulumi CLI does, or None. Raises StateError."""
    if (given := environment.get("PULUMI_CONFIG_PASSPHRASE")) is not None:
        return given
    if not (path := environment.get("PULUMI_CONFIG_PASSPHRASE_FILE")):
        return None
    try:
        return Path(path).read_text().strip()
    except OSError as error:
        raise StateError(
            f"PULUMI_CONFIG_PASSPHRASE_FILE names {path}, which cannot be read: {error.strerror}",
            remedy="Point it at a readable file, or set PULUMI_CONFIG_PASSPHRASE instead.",
        ) from None


def passphrase(folder: Path, *, new: bool, environment: Mapping[str, str] = os.environ) -> str:
    """Return the passphrase of the environment, as the Pulumi CLI reads it, or one stored in `folder`.

    Raises StateError, also if there is none and the state is not new.
    """
    given = given_passphrase(environment)
    return stored_passphrase(folder, new=new) if given is None else given


def stored_passphrase(folder: Path, *, new: bool) -> str:
    """Return the passphrase stored in `folder`, which is random and readable by its owner only.

    It is created for the first `new` state, so that no set-up is needed. Raises StateError, also if there is
    none and the state is not new.
    """
    stored = folder / "passphrase"
    try:
        try:
            return stored.read_text().strip()
        except FileNotFoundError:
            if not new:
                raise StateError(
                    f"the passphrase of this state is not known: {stored} does not exist",
                    remedy="Set PULUMI_CONFIG_PASSPHRASE (or …_FILE) to the one it was created with.",
                ) from None
            folder.mkdir(parents=True, exist_ok=True)
            text = base64.urlsafe_b64encode(os.urandom(24)).decode()
            temporary = folder / f".passphrase.{os.getpid()}"
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(text + "\n")
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(temporary, stored)  # another command created it first: use that one
            except FileExistsError:
                pass
            finally:
                temporary.unlink()
            return stored.read_text().strip()
    except OSError as error:
        raise StateError(
            f"{stored} cannot be used: {error.strerror}",
            remedy="Make its folder writable, or set PULUMI_CONFIG_PASSPHRASE.",
        ) from None
