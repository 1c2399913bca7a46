"""Rules for text that clients send and others read: patterns that end where the text does, and names."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

# In Python, ``$`` also matches before a line break at the end. This does not, and JavaScript agrees.
END: Final = r"$(?!\n)"
# Controls, characters that turn the direction of text, and invisible ones that make two names look alike.
_FORBIDDEN: Final = re.compile(
    "[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)


def name(value: str) -> str:
    """A name to show: in Unicode form NFC, without spaces around it.

    Raises ``ValueError``, which msgspec reports as a validation error, for control, direction and invisible
    characters, for unpaired surrogates, and for a name of nothing else.
    """
    value = unicodedata.normalize("NFC", value).strip()
    if not value:
        raise ValueError("Expected a name with at least one visible character")
    if _FORBIDDEN.search(value) or any(unicodedata.category(each) in {"Cs", "Cn"} for each in value):
        raise ValueError("Expected a name without control, direction or invisible characters")
    return value


def address_key(email: str) -> str:
    """The form in which two spellings of one e-mail address are equal: NFKC, without case, and the domain in
    its ASCII form (IDNA), as mail servers compare it."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", email).casefold())
    local, at, domain = folded.rpartition("@")
    try:
        return f"{local}{at}{domain.encode('idna').decode()}"
    except UnicodeError:
        return folded


def address(value: str) -> str:
    """An e-mail address as it is stored and written to. Raises ``ValueError`` as :func:`name` does."""
    value = unicodedata.normalize("NFC", value)
    if _FORBIDDEN.search(value):
        raise ValueError("Expected an address without control, direction or invisible characters")
    return value
