"""Requirements on the version of the Pulumi CLI, which kingdom compares with the version it mirrors.

The ranges are those of ``ParseRange`` in ``range.go`` of github.com/blang/semver, which the CLI uses in
``ValidatePulumiVersionRange`` (``sdk/go/common/resource/plugin/plugin.go``).
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

MIRRORED: Final = "3.260.0"  # version of the CLI that `tests/rehearsal/parity` compares kingdom with

_NUMBER: Final = "(0|[1-9][0-9]*)"
_VERSION: Final = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
)
_COMPARATORS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    **dict.fromkeys(("", "=", "=="), operator.eq),
    **dict.fromkeys(("!", "!="), operator.ne),
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


class VersionRangeError(ValueError):
    """The mirrored version of the CLI is not in a range, or the text is not a range."""


def require(text: str) -> None:
    """Raise VersionRangeError unless `MIRRORED` is in the range `text`; an empty text requires nothing."""
    if text and not satisfies(text, MIRRORED):
        raise VersionRangeError(
            f"kingdom has the behavior of the Pulumi CLI version {MIRRORED}, which does not satisfy the"
            f' version range "{text}"'
        )


def satisfies(text: str, version: str) -> bool:
    """Return whether `version` is in the range `text`. Raises VersionRangeError if either is malformed."""
    alternatives: list[list[str]] = [[]]
    for part in _parts(text):
        if part == "||":
            alternatives.append([])
        else:
            alternatives[-1] += _expanded(part)
    if not (alternatives[0] and alternatives[-1]):
        raise VersionRangeError(f'"{text}" is not a range of versions: a version is missing')
    wanted = [[_comparison(part) for part in parts] for parts in alternatives]
    found = _key(version)
    return any(parts and all(compare(found, key) for compare, key in parts) for parts in wanted)


def _parts(text: str) -> Iterator[str]:
    """Yield the comparisons of a range. A space separates them, unless it follows an operator.

    Parts of one character are left out, as by ``splitAndTrim``.
    """
    start, before = 0, ""
    for index, character in enumerate(text):
        if character == " " and before not in ("<", ">", "="):
            if start < index - 1:
                yield text[start:index].replace(" ", "")
            start = index + 1
        elif character != " ":
            before = character
    if start < len(text) - 1:
        yield text[start:].replace(" ", "")


def _split(part: str) -> tuple[str, str]:
    """Return the operator and the version of a comparison. Raises VersionRangeError."""
    found = re.search(r"\d", part)
    if found is None:
        raise VersionRangeError(f'could not get a version from "{part}"')
    return part[: found.start()].strip(), part[found.start() :]


def _expanded(part: str) -> list[str]:
    """Return comparisons without the wildcard ``x`` in place of `part` (``expandWildcardVersion``)."""
    if "x" not in part:
        return [part]
    sign, version = _split(part)
    numbers = version.split(".")
    flat = version.replace(".x.x", ".x", 1).replace(".x", ".0", 1)
    flat = f"{flat}.0" if flat.count(".") == 1 else flat
    wild = len(numbers) if numbers[-1] == "x" else 0
    above = _next(flat, 1 if wild == 3 else 0) if wild in (2, 3) else ""
    match sign:
        case ">":
            return [f">={above}"]
        case "<=":
            return [f"<{above}"]
        case "" | "=" | "==":
            return [f">={flat}", f"<{above}"]
        case "!=" | "!":
            return [f"<{flat}", f">={above}"]
        case _:
            return [f"{sign if sign in ('<', '>=') else ''}{flat}"]


def _next(version: str, position: int) -> str:
    numbers = version.split(".")
    if not numbers[position].isdigit():
        return ""
    numbers[position] = str(int(numbers[position]) + 1)
    return ".".join(numbers)


def _comparison(part: str) -> tuple[Callable[[Any, Any], bool], Any]:
    sign, version = _split(part)
    if sign not in _COMPARATORS:
        raise VersionRangeError(f'"{sign}" in "{part}" is not an operator')
    return _COMPARATORS[sign], _key(version)


def _key(version: str) -> tuple[Any, ...]:
    """Return a key in the order of versions; build metadata does not count. Raises VersionRangeError."""
    found = _VERSION.fullmatch(version)
    if found is None:
        raise VersionRangeError(f'"{version}" is not a version with three numbers, such as {MIRRORED}')
    *numbers, before = found.groups()
    if before is None:
        return (*map(int, numbers), 1)
    # Numbers precede texts, and a release follows its pre-releases.
    parts = [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in before.split(".")]
    return (*map(int, numbers), 0, parts)
