"""Validation of text fields: patterns that match up to the end of the text, and display names."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

# In Python, ``$`` also matches before a line break at the end; this pattern does not, as in JavaScript.
END: Final = r"$(?!\n)"
# Control characters, bidirectional formatting characters, and invisible ones that make two names look alike:
# also fillers, the blank Braille pattern, invisible musical symbols and tags.
_FORBIDDEN: Final = re.compile(
    "[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u2800\u3164\ufeff\uffa0\ufff9-\ufffb\U0001d159\U0001d173-\U0001d17a\U000e0000-\U000e007f]"
)


def name(value: str) -> str:
    """Return a display name in Unicode form NFC, without surrounding spaces.

    Raises ``ValueError``, which msgspec reports as a validation error, for control, direction and invisible
    characters, for unpaired surrogates, and for a name without visible characters.
    """
    value = unicodedata.normalize("NFC", value).strip()
    if not value:
        raise ValueError("Expected a name with at least one visible character")
    if _FORBIDDEN.search(value) or any(unicodedata.category(each) in {"Cs", "Cn"} for each in value):
        raise ValueError("Expected a name without control, direction or invisible characters")
    return value


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
    if _FORBIDDEN.search(value):
        raise ValueError("Expected an address without control, direction or invisible characters")
    return value
