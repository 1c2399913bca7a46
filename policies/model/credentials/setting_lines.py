"""Settings in the lines of a file, and the secrets among them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from policies.model.credentials.names import is_code, sets_secret

MAX_FILE: Final = 200_000  # characters that are read
# ``name = value``, ``name: value``, ``name => value`` (Logstash) or ``export NAME=value``.
_SETTING: Final = re.compile(
    r"^[ \t]*(?:-[ \t]+|export[ \t]+)?[\"']?(?P<name>[A-Za-z_][\w.-]{0,100})[\"']?[ \t]*(?:=>|[=:])[ \t]*"
    r"(?P<value>\S[^\n]{0,1000})$",
    re.MULTILINE,
)


# Assignments of a string in source code, and constants of PHP; other values are expressions.
_LITERAL: Final = re.compile(
    r"^[ \t]*(?:(?:export|const|let|var|local|self\.|\$)[ \t]*){0,3}[\"']?(?P<name>[A-Za-z_][\w.-]{0,100})"
    r"[\"']?[ \t]*(?:=>|:=|[=:])[ \t]*(?P<value>(?P<quote>[\"'])[^\"'\n]{1,300}(?P=quote))"
    r"[ \t]*[,;]?[ \t]*(?:(?:#|//)[^\n]*)?$",
    re.MULTILINE,
)
_CONSTANT: Final = re.compile(
    r"\bdefine\([ \t]*[\"'](?P<name>\w{1,100})[\"'][ \t]*,[ \t]*(?P<value>[\"'][^\"'\n]{1,300}[\"'])[ \t]*\)"
)


def secret_literals(text: str) -> Iterator[tuple[re.Match[str], str, str]]:
    """Yield the strings in source code that are a secret: the match, the name, and the value."""
    yield from secret_settings(text, _LITERAL)
    yield from secret_settings(text, _CONSTANT)


def secret_settings(
    text: str, pattern: re.Pattern[str] = _SETTING
) -> Iterator[tuple[re.Match[str], str, str]]:
    """Yield the settings in `text` that hold a secret: the match, the name, and the value without quotes.

    `pattern` has the groups ``name`` and ``value``.
    """
    for found in pattern.finditer(text[:MAX_FILE]):
        name, value = found["name"], found["value"].rstrip(" \t\r,;").strip("\"'")
        if sets_secret(name, value) and not is_code(name, value):
            yield found, name, value
