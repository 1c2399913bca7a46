"""Validation of text fields: patterns that match up to the end of the text, display names, prose."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

# In Python, ``$`` also matches before a line break at the end; this pattern does not, as in JavaScript.
END: Final = r"$(?!\n)"
# Patterns of the OpenAPI document, with escapes that are equal in ECMA 262 and in Python. No character is
# outside of the basic plane: without the flag `u`, a pattern would match half of it.
# Control characters, line separators, and what changes the direction of the text around it.
NOT_IN_LINE: Final = (
    r"\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb"
)
LINE: Final = f"^[^{NOT_IN_LINE}]*{END}"
# A text of several lines: as :func:`prose`, apart from the characters outside of the basic plane.
PROSE: Final = (
    r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ufff9-\ufffb]*" + END
)
# Codes and tokens, which are compared: visible ASCII characters.
CODE: Final = r"^[!-~]*" + END
# Control characters, bidirectional formatting characters, and invisible ones that make two names look alike:
# also fillers, the blank Braille pattern, invisible musical symbols, tags and variation selectors.
_FORBIDDEN: Final = re.compile(
    "[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u2800\u3164\ufe00-\ufe0d\ufeff\uffa0\ufff9-\ufffb\U0001d159\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)
# They choose the form of a symbol (❤️); after anything else they are invisible.
_PRESENTATION: Final = frozenset("\ufe0e\ufe0f")
# Surrogates, private-use and unassigned code points, which each client may interpret differently.
_MEANINGLESS: Final = frozenset({"Cs", "Co", "Cn"})
# More marks on one letter than any language uses cover the lines above and below.
_STACKED: Final = 5
# Not in a text of several lines: control characters except line breaks and tabs, and the characters that
# change the direction of the following text up to the end of the paragraph, or are tags.
_FORBIDDEN_IN_PROSE: Final = re.compile(
    "[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)


def name(value: str) -> str:
    """Return a display name in Unicode form NFC, without surrounding spaces.

    Raises ``ValueError``, which msgspec reports as a validation error, for control, direction and invisible
    characters, for unpaired surrogates and characters without a meaning, for stacks of combining marks, and
    for a name without visible characters.
    """
    # Before the spaces are removed: Python counts some control characters among them.
    hidden = _FORBIDDEN.search(value)
    value = unicodedata.normalize("NFC", value).strip()
    categories = [unicodedata.category(each) for each in value]
    if not any(category[0] in "LNPS" for category in categories):
        raise ValueError("Expected a name with at least one visible character")
    if (
        hidden
        or not _MEANINGLESS.isdisjoint(categories)
        or any(
            each in _PRESENTATION and (at == 0 or categories[at - 1][0] != "S")
            for at, each in enumerate(value)
        )
    ):
        raise ValueError("Expected a name without control, direction or invisible characters")
    if "M" * _STACKED in "".join(category[0] for category in categories):
        raise ValueError(f"Expected a name with fewer than {_STACKED} marks on a letter")
    return value


def password(value: str) -> str:
    """Return the form of a password that is equal for all ways to type it: NFKC (NIST SP 800-63B, 5.1.1.2).

    Keyboards of different devices send the same accented letter as one or as two characters.
    """
    return unicodedata.normalize("NFKC", value)


def prose(value: str) -> str:
    """Return a text of one or more lines.

    Raises ``ValueError`` as :func:`name` does, for control and direction characters, which would change how
    the text around it is shown. Line breaks, tabs and the marks and joiners of single words are allowed.
    """
    if _FORBIDDEN_IN_PROSE.search(value):
        raise ValueError("Expected a text without control or direction characters")
    return value


def clean_prose(value: str) -> str:
    """Return a text without the characters that :func:`prose` refuses."""
    return _FORBIDDEN_IN_PROSE.sub("", value)


def address_key(email: str) -> str:
    """Return the form of an e-mail address that is equal for all its spellings.

    NFKC, without case, and the domain in its ASCII form (IDNA), as mail servers compare it, without the dot
    of the root domain.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", email).casefold()).rstrip(".")
    local, at, domain = folded.rpartition("@")
    try:
        return f"{local}{at}{domain.encode('idna').decode()}"
    except UnicodeError:
        return folded


def address(value: str) -> str:
    """Return an e-mail address in the form that is stored and used for mail.

    Raises ``ValueError`` as :func:`name` does.
    """
    value = unicodedata.normalize("NFC", value)
    if _FORBIDDEN.search(value) or not _PRESENTATION.isdisjoint(value):
        raise ValueError("Expected an address without control, direction or invisible characters")
    return value
