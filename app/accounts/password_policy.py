"""Passwords that are refused (NIST SP 800-63B, section 5.1.1.2): common, degenerate and obvious ones.

The list of common passwords is the one of zxcvbn, from leaked passwords by frequency.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from app.accounts.password_guesses import LEET, ROWS_BOTH_WAYS, log_guesses
from app.http import text

_MIN_DISTINCT: Final = 5
_MIN_REST: Final = 6
_UNSHIFTED: Final = str.maketrans("!@#$%^&*()", "1234567890")  # of the US keyboard
_PUNCTUATION: Final = re.compile(r"[\W_]+")
_MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september"),
    *("october", "november", "december"),
)
# Common passwords that the list of zxcvbn lacks: long words, "password" in other languages, names of months.
_WORDS: Final = (
    *("administrator", "correcthorsebatterystaple", "iloveyouforever", "troubador", "troubadour"),
    *("contraseña", "contrasena", "motdepasse", "passwort", "kennwort", "wachtwoord", "lozinka", "пароль"),
    *_MONTHS,
)
_EDGES: Final = re.compile(r"^[\W\d_]+|[\W\d_]+$")
_DATE: Final = r"(?:\d{1,2}[\W_]+\d{1,2}[\W_]+\d{2,4}|\d{4}[\W_]+\d{1,2}[\W_]+\d{1,2})"
_DATES: Final = re.compile(rf"{_DATE}(?:[\W_]*{_DATE})?", re.ASCII)
_SERVICE: Final = ("kingdom", "kingdomstudios", "studio")
_WORD: Final = re.compile(r"[^\W\d_]{3,}")
# Ten million guesses take centuries at the permitted rate of failed sign-ins, and weeks with leaked hashes.
_MIN_LOG_GUESSES: Final = 7.0


@cache
def _common() -> frozenset[str]:
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return frozenset(FREQUENCY_LISTS["passwords"]) | frozenset(_WORDS)


def violation(password: str, *obvious: str) -> str | None:
    """Return why ``password`` is rejected, or ``None``.

    ``obvious`` are the address and the name of the account.
    """
    folded = text.password(password).casefold()
    if len(set(folded)) < _MIN_DISTINCT:
        return f"has fewer than {_MIN_DISTINCT} different characters"
    if _repeats(folded):
        return "repeats the same few characters"
    if _is_row(folded) or _is_row(folded.translate(_UNSHIFTED)):
        return "is a sequence of the keyboard or of the alphabet"
    if _DATES.fullmatch(folded):
        return "is a date"
    # Frequent modifications of a common password: digits and punctuation around or in it, digits in place of
    # letters, repetition.
    squeezed = _PUNCTUATION.sub("", folded)
    for spelling in (folded, squeezed):
        plain, bare = spelling.translate(LEET), _EDGES.sub("", spelling)
        forms = (spelling, plain, bare, _EDGES.sub("", plain), bare.translate(LEET))
        if any(form in _common() or _half(form) in _common() for form in forms):
            return "is one of the most common passwords, or one of them with a few characters around it"
    rest = folded
    for each in (*obvious, *_SERVICE):
        for part in (each.casefold(), each.casefold().partition("@")[0]):
            if len(part) >= 4 and part in rest:
                rest = rest.replace(part, "")
    if rest != folded and len(rest) < _MIN_REST:
        return "is little more than your address, your name or the name of this service"
    words = frozenset(word for each in (*obvious, *_SERVICE) for word in _WORD.findall(each.casefold()))
    if log_guesses(folded, words, enough=_MIN_LOG_GUESSES) < _MIN_LOG_GUESSES:
        return "is a short combination of common words, numbers and keyboard rows"
    return None


def _repeats(text: str) -> bool:
    """Whether the text is one short sequence repeated; the last repetition may be incomplete."""
    return any(text == (text[:size] * len(text))[: len(text)] for size in range(1, len(text) // 2 + 1))


def _half(text: str) -> str:
    """Return the text once if it is a text written twice; else the text itself."""
    half = text[: len(text) // 2]
    return half if half * 2 == text else text


def _is_row(text: str) -> bool:
    """Whether the text consists of runs of adjacent keys, each of four or more."""
    at = 0
    while at < len(text):
        run = 0
        for row in ROWS_BOTH_WAYS:
            size = 0
            while at + size < len(text) and text[at : at + size + 1] in row:
                size += 1
            run = max(run, size)
        if run < min(4, len(text) - at):
            return False
        at += run
    return True
