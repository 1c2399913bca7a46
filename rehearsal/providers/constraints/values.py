"""Rules about one plain value: enumerations, ranges, lengths, patterns and formats."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final

from rehearsal.providers.constraints.formats import fault

_SHOWN: Final = 12  # values of an enumeration that a message lists
# An escaped character, a class of characters, or the end of the text.
_END: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\$")


def value_faults(
    facts: Mapping[str, Any], value: Any, *, ignore_case: bool = False
) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield each violation of the rules in `facts`: the reason, and the allowed values for a suggestion."""
    text = _text(value)
    if (values := facts.get("enum")) is not None:
        allowed = [_text(one) for one in values]
        if text not in allowed and not (ignore_case and text.casefold() in map(str.casefold, allowed)):
            yield f"{text!r} is not one of {listed(allowed)}", allowed
            return
    number = _number(value)
    if number is not None:
        yield from ((reason, ()) for reason in _out_of_range(facts, number, text))
    if isinstance(value, str):
        yield from ((reason, ()) for reason in _malformed(facts, value))


def _out_of_range(facts: Mapping[str, Any], number: float, text: str) -> Iterator[str]:
    min_value, max_value = facts.get("min"), facts.get("max")
    if (min_value is not None and number < min_value) or (max_value is not None and number > max_value):
        yield f"{text} is out of range: {_range(min_value, max_value)}"
    if (above := facts.get("exclusive_min")) is not None and number <= above:
        yield f"{text} is out of range: more than {above}"
    if (ranges := facts.get("ranges")) and not any(first <= number <= last for first, last in ranges):
        allowed = ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in ranges)
        yield f"{text} is out of range: {allowed}"


def _malformed(facts: Mapping[str, Any], value: str) -> Iterator[str]:
    if value == "" and facts.get("or_empty"):
        return
    min_length, max_length = facts.get("min_length", 0), facts.get("max_length")
    if len(value) < min_length or (max_length is not None and len(value) > max_length):
        bounds = f"{min_length} to {max_length}" if max_length is not None else f"at least {min_length}"
        yield f"{value[:40]!r} has {len(value)} characters: {bounds} are allowed"
        return
    for pattern in facts.get("patterns", ()):
        if not _compiled(pattern).search(value):
            yield f"{value[:60]!r} does not match {pattern}"
            return
    if (name := facts.get("format")) is not None and (reason := fault(name, value)):
        yield reason
    elif (seconds := _seconds(value)) is not None:
        low, high = facts.get("min_seconds"), facts.get("max_seconds")
        if (low is not None and seconds < low) or (high is not None and seconds > high):
            yield f"{value!r} is out of range: {_range(low, high)} seconds"


def _seconds(value: str) -> float | None:
    """Return the number in a duration of Google's APIs, such as "3600s"; None for another text."""
    return _number(value[:-1]) if value.endswith("s") else None


def _range(min_value: Any, max_value: Any) -> str:
    if max_value is None:
        return f"at least {min_value}"
    return f"at most {max_value}" if min_value is None else f"{min_value} to {max_value}"


def listed(values: Sequence[str]) -> str:
    """Return `values` quoted and separated by commas, the first 12 if there are more; "" is left out."""
    shown = [f'"{one}"' for one in values if one]
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return ", ".join(shown[:_SHOWN]) + more


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except ValueError:
        return None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    r"""Compile a regular expression of Go.

    Go writes ``\\z`` for the end of the text, which ``$`` means too, also after a final newline. Classes
    such as ``\\d`` contain only ASCII.
    """
    pattern = pattern.replace(r"\z", r"\Z").replace("[[:alnum:]]", "[A-Za-z0-9]")
    return re.compile(_END.sub(lambda found: r"\Z" if found[0] == "$" else found[0], pattern), re.ASCII)
