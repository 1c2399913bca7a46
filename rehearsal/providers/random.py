"""The `random` package with reproducible values.

A rehearsal must give the same plan and state on every machine, so a "random" value is a hash of the
resource's URN, its length and its keepers. Do not use it as a secret outside of a rehearsal.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from pulumi.runtime.proto import provider_pb2

from rehearsal.providers import diff, fake_values
from rehearsal.providers.base import Cloud, type_of
from rehearsal.providers.validation import Rules
from rehearsal.pulumi.properties import Secret, decode, unwrap

_LOWER: Final = "abcdefghijklmnopqrstuvwxyz"
_DIGITS: Final = "0123456789"
_SPECIAL: Final = "!@#$%&*()-_=+[]{}<>:?"
# Every input of these types forces a replacement (terraform-provider-random, `internal/provider`), except
# the bookkeeping ones of `RandomPassword`.
_FIXED: Final = diff.patterns(
    "keepers", "length", "lower", "minLower", "minNumeric", "minSpecial", "minUpper", "number", "numeric",
    "overrideSpecial", "special", "upper", "byteLength", "prefix", "separator", "min", "max", "seed",
    "inputs", "resultCount",
)  # fmt: skip


class Random(Cloud):
    package: ClassVar[str] = "random"
    rules: ClassVar[Rules] = Rules(coerces=True)

    def fixed(self, token: str) -> frozenset[diff.Pattern]:
        return _FIXED

    def identify(self, urn: str, token: str, inputs: Mapping[str, Any]) -> str:
        kind, seed = token.rsplit(":", 1)[1], self.seed(urn, token, inputs)
        match kind:
            case "RandomBytes":
                return _base64(_stream(seed, int(inputs.get("length") or 0)))
            case "RandomPassword":
                return "none"  # as in the real provider: the id would reveal the secret
            case "RandomString":
                return _password(seed, inputs)
            case "RandomUuid" | "RandomUuid4" | "RandomUuid7":
                return fake_values.uuid(seed)
            case "RandomId":
                return (
                    base64.urlsafe_b64encode(_stream(seed, int(inputs.get("byteLength") or 0)))
                    .decode()
                    .rstrip("=")
                )
            case "RandomPet":
                words = [
                    fake_values.hexadecimal(6, seed, str(at)) for at in range(int(inputs.get("length") or 2))
                ]
                return str(inputs.get("separator") or "-").join(
                    [*([inputs["prefix"]] if inputs.get("prefix") else []), *words]
                )
            case "RandomInteger":
                return str(fake_values.number(int(inputs.get("min") or 0), int(inputs.get("max") or 0), seed))
            case _:
                return fake_values.hexadecimal(32, seed)

    def curated(self, token: str, id_: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        if token.endswith(":RandomPet"):
            return {"length": int(inputs.get("length") or 2)}
        if not id_:
            return {}
        match token.rsplit(":", 1)[1]:
            case "RandomBytes":
                return {"base64": id_, "hex": base64.b64decode(id_).hex()}
            case "RandomPassword":
                return {"bcryptHash": f"$2a$10${fake_values.hexadecimal(53, str(sorted(inputs.items())))}"}
            case "RandomId":
                raw = base64.urlsafe_b64decode(id_ + "=" * (-len(id_) % 4))
                prefix = str(inputs.get("prefix") or "")
                return {
                    "b64Std": prefix + _base64(raw),
                    "b64Url": prefix + id_,
                    "dec": prefix + str(int.from_bytes(raw, "big")),
                    "hex": prefix + raw.hex(),
                }
            case "RandomInteger":
                return {"result": int(id_)}
            case "RandomShuffle":
                items = list(inputs.get("inputs") or [])
                items.sort(key=lambda item: fake_values.digest(id_, str(item)))
                return {"results": items[: int(inputs.get("resultCount") or len(items))]}
            case _:
                return {"result": id_}

    def Create(self, request: provider_pb2.CreateRequest, context: Any = None) -> provider_pb2.CreateResponse:
        response = super().Create(request, context)
        token = request.type or type_of(request.urn)
        if token.endswith(":RandomPassword") and not request.preview:
            # A password must not appear in the id, which is not secret.
            inputs = unwrap(decode(request.properties))
            outputs = decode(response.properties)
            outputs["result"] = Secret(_password(self.seed(request.urn, token, inputs), inputs))
            response.properties.CopyFrom(self._encode(outputs))
        return response


def _stream(seed: str, length: int) -> bytes:
    return hashlib.shake_256(seed.encode()).digest(length)


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _password(seed: str, inputs: Mapping[str, Any]) -> str:
    """Return a text of `length` characters with the requested character classes and minimum counts."""
    special = str(inputs.get("overrideSpecial") or _SPECIAL)
    numeric = inputs.get("numeric", inputs.get("number", True))
    classes = [
        (_LOWER, inputs.get("lower", True), inputs.get("minLower")),
        (_LOWER.upper(), inputs.get("upper", True), inputs.get("minUpper")),
        (_DIGITS, numeric, inputs.get("minNumeric")),
        (special, inputs.get("special", True), inputs.get("minSpecial")),
    ]
    length = int(inputs.get("length") or 0)
    stream = iter(_stream(seed, 8 * length + 64))
    alphabet = "".join(letters for letters, wanted, _ in classes if wanted is not False) or _LOWER
    least = [
        letters for letters, wanted, count in classes if wanted is not False for _ in range(int(count or 0))
    ]
    letters = [one[next(stream) % len(one)] for one in (*least, *[alphabet] * (length - len(least)))]
    order = sorted(range(len(letters)), key=lambda at: fake_values.digest(seed, str(at)))
    return "".join(letters[at] for at in order)
