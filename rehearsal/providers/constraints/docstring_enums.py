"""Enumerations and defaults that bridged SDKs declare in documentation only.

The patterns are narrow on purpose: a missed set leaves a misspelled value unreported, a wrong set would
refuse a correct program. For example, a set counts only if the sentence ends with it, so that "Valid values
are `A` (the default) and others" yields nothing.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

_ITEM: Final = r"""(?:`"?[^`"\s]+"?`|"[^"\s]+")"""
_LIST: Final = rf"{_ITEM}(?:(?:,\s*|,?\s+(?:and|or)\s+){_ITEM})*"
_END: Final = r"(?=\.?\s*(?:$|\n|\s-\s)|\.\s)"
# Google: "Possible values are: `A`, `B`." and 'Possible values: ["A", "B"]'; Cloudflare: 'Available values:
# "a", "b".'.
_SETS: Final = (
    re.compile(rf"Possible values are:\s*({_LIST})\s*{_END}"),
    re.compile(rf"Possible values:\s*\[\s*({_LIST})\s*\]"),
    re.compile(rf"Available values:\s*({_LIST})\s*{_END}"),
)
# Kubernetes: "Possible enum values:" and then lines such as " - `"A"` explanation".
_KUBERNETES_SET: Final = re.compile(r"Possible enum values:((?:\s*-\s*`\"[^`\"]*\"`[^\n]*)+)")
_KUBERNETES_ITEM: Final = re.compile(r"(?:^|\n|\s)-\s*`\"([^`\"]*)\"`")
_WORD: Final = re.compile(r"""[`"]+([^`"]+)[`"]+""")
_DEFAULT: Final = re.compile(
    r"(?:[Dd]efault value is|Default value:|Defaults to) (?:`\"?([^`\"\n]*)\"?`|\"([^\"\n]*)\")"
)


@lru_cache(maxsize=4096)
def closed_set(doc: str) -> tuple[str, ...]:
    """Return the values that a docstring lists as the only ones, or an empty tuple."""
    if found := _KUBERNETES_SET.search(doc):
        return tuple(_KUBERNETES_ITEM.findall(found[1]))
    found_sets = [found for pattern in _SETS for found in pattern.finditer(doc)]
    if len(found_sets) != 1:  # none, or a description of several variants at once
        return ()
    return tuple(_plain(word) for word in _WORD.findall(found_sets[0][1]))


def _plain(word: str) -> str:
    # Cloudflare's generator treats underscores as Markdown emphasis and writes `a*b*c` for `a_b_c`.
    return word.replace("*", "_").replace("\\_", "_") if word.strip("*") else word


def admits(values: tuple[str, ...], value: str) -> bool:
    return value in values or not value


@lru_cache(maxsize=4096)
def default(doc: str) -> str | None:
    """Return the default that a docstring names, as text; None if it names none or several."""
    found = {first or second for first, second in _DEFAULT.findall(doc)}
    return found.pop() if len(found) == 1 else None


def default_value(doc: str, kind: str) -> Any:
    """Return the default that a docstring names, as a value of scalar `kind`; None if there is none."""
    text = default(doc)
    if text is None:
        return None
    match kind:
        case "boolean" if text.lower() in ("true", "false"):
            return text.lower() == "true"
        case "integer" if re.fullmatch(r"-?\d+", text):
            return int(text)
        case "number" if re.fullmatch(r"-?\d+(\.\d+)?", text):
            return float(text)
        case "string" if text and " " not in text:
            return text
        case _:
            return None
