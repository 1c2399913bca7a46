"""Estimate of the number of guesses until a password is found, by its words, numbers and keyboard rows.

A simplified form of zxcvbn (Wheeler, "zxcvbn: Low-Budget Password Strength Estimation", USENIX Security 2016)
with its word lists: the password is divided into the segments that an attacker finds first.
zxcvbn itself tries every combination of substituted characters, for which a client can choose a password
that takes seconds.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Final

ROWS: Final = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qazwsxedcrfvtgbyhnujmikolp",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "qwertzuiop",
    "azertyuiop",
    "абвгдежзийклмнопрстуфхцчшщъыьэюя",
    "йцукенгшщзхъ",
    "фывапролджэ",
    "ячсмитьбю",
)
ROWS_BOTH_WAYS: Final = (*ROWS, *(row[::-1] for row in ROWS))
LEET: Final = str.maketrans("013457@$!", "oieastasi")

_CHUNK: Final = 32  # characters that are divided together; the time grows with its square
_MIN_RUN: Final = 3  # characters of the shortest word, repetition or keyboard row
_MAX_WORD: Final = 20
_YEARS: Final = range(1900, 2060)
# Decimal logarithms of the number of guesses.
_ROW: Final = 2.0  # start, length and direction
_SAME: Final = 1.5  # one character, repeated
_AGAIN: Final = 1.0  # an earlier part of the password
_YEAR: Final = 2.0
_SUBSTITUTED: Final = 0.5  # added for a word with digits or symbols in place of letters
_DIGIT: Final = 1.0
_LETTER: Final = math.log10(26)
_SYMBOL: Final = math.log10(33)
_OTHER: Final = 2.0  # of other scripts


def log_guesses(password: str, known: frozenset[str] = frozenset(), *, enough: float = math.inf) -> float:
    """Return the decimal logarithm of the number of guesses. The computation stops at ``enough`` or more.

    ``password`` is in lower case. ``known`` are words that an attacker tries first, such as the name of the
    account. Takes about a millisecond for 32 characters.
    """
    total = 0.0
    for at in range(0, len(password), _CHUNK):
        if total >= enough:
            break
        total += _cheapest_split(password[at : at + _CHUNK], known)
    return total


def _cheapest_split(text: str, known: frozenset[str]) -> float:
    plain = text.translate(LEET)
    costs = [0.0]
    for end in range(1, len(text) + 1):
        starts = range(max(0, end - _MAX_WORD), end)
        costs.append(min(costs[start] + _segment(text, plain, start, end, known) for start in starts))
    return costs[-1]


def _segment(text: str, plain: str, start: int, end: int, known: frozenset[str]) -> float:
    """Return the logarithm of the guesses for ``text[start:end]`` as one word, number or repetition."""
    token, size = text[start:end], end - start
    if token in known:
        return 0.0
    found = [math.inf]
    if size == 1:
        found.append(_character(token))
    if size >= _MIN_RUN:
        if (rank := _ranks().get(token)) is not None:
            found.append(math.log10(rank))
        if (rank := _ranks().get(plain[start:end])) is not None:
            found.append(math.log10(rank) + _SUBSTITUTED)
        if token in text[:start]:
            found.append(_AGAIN)
        if len(set(token)) == 1:
            found.append(_SAME)
        if any(token in row for row in ROWS_BOTH_WAYS):
            found.append(_ROW)
    if size == 4 and token.isascii() and token.isdigit() and int(token) in _YEARS:
        found.append(_YEAR)
    return min(found)


def _character(character: str) -> float:
    if not character.isascii():
        return _OTHER
    if character.isdigit():
        return _DIGIT
    return _LETTER if character.isalpha() else _SYMBOL


@cache
def _ranks() -> dict[str, int]:
    """Return the words of all lists by their lowest rank: passwords, names, words of Wikipedia and films."""
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    ranks: dict[str, int] = {}
    for words in FREQUENCY_LISTS.values():
        for rank, word in enumerate(words, 1):
            ranks[word] = min(rank, ranks.get(word, rank))
    return ranks
