"""Secret filter: hides secrets of the configuration in what an operation reports."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any, Final

from rehearsal.engine.events import PropertyChange, Result
from rehearsal.pulumi.config import go_json
from rehearsal.pulumi.properties import Secret, Value

HIDDEN: Final = "[secret]"
_MIN_BYTES: Final = 3  # shorter texts would be found everywhere


class SecretFilter:
    """Replaces each of `secrets` in texts, also where it is part of a JSON text.

    A program can read a secret with a plain getter, so that it is in plaintext in messages, outputs and
    inputs. The CLI does the same (``replacements`` in ``sdk/go/common/util/logging/log.go``).
    """

    def __init__(self, secrets: Collection[str] = ()) -> None:
        found: dict[str, None] = {}
        for secret in sorted(secrets, key=len, reverse=True):
            if len(secret.encode()) >= _MIN_BYTES and secret.lower() not in ("true", "false"):
                found |= {secret: None, go_json(secret)[1:-1]: None}
        self._pattern = re.compile("|".join(map(re.escape, found))) if found else None

    def text(self, text: str) -> str:
        """Return `text` with a mark in place of secrets."""
        return text if self._pattern is None else self._pattern.sub(HIDDEN, text)

    def value(self, value: Value) -> Any:
        """Return `value` with a mark in place of secrets in its texts; values that are secret stay."""
        match value:
            case str():
                return self.text(value)
            case Secret():
                return value
            case dict():
                return {key: self.value(item) for key, item in value.items()}
            case list():
                return [self.value(item) for item in value]
            case _:
                return value

    def result(self, result: Result) -> Result:
        """Return `result` with a mark in place of secrets in what is displayed; its records stay."""
        if self._pattern is None:
            return result
        return replace(
            result,
            steps=tuple(replace(step, changes=self._changes(step.changes)) for step in result.steps),
            violations=tuple(
                replace(violation, message=self.text(violation.message)) for violation in result.violations
            ),
            remediations=tuple(
                replace(one, changes=self._changes(one.changes)) for one in result.remediations
            ),
            outputs=self.value(dict(result.outputs)),
        )

    def _changes(self, changes: Iterable[PropertyChange]) -> tuple[PropertyChange, ...]:
        return tuple(
            replace(change, old=self.value(change.old), new=self.value(change.new)) for change in changes
        )
