"""Estimated guesses: words, numbers and keyboard rows count less than other characters, for any password."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.accounts.password_guesses import log_guesses


@pytest.mark.parametrize(
    ("easier", "harder"),
    [
        ("password", "passworx"),
        ("love123love", "love123lqvz"),
        ("password", "p@ssword"),
        ("1987", "3187"),
        ("ffffffff", "fgkwqpzl"),
        ("zxcvbnm", "zcxnbvm"),
        ("love", "lovelove"),
        ("horse", "horse battery"),
    ],
)
def test_predictable_password_needs_fewer_guesses(easier: str, harder: str) -> None:
    assert log_guesses(easier) < log_guesses(harder)


def test_known_word_needs_no_guesses() -> None:
    assert log_guesses("lovelace", frozenset({"lovelace"})) == 0
    assert log_guesses("lovelace1", frozenset({"lovelace"})) == 1


def test_estimate_ends_when_it_is_enough() -> None:
    long = "gtf49klp2wqz" * 20
    assert 7 <= log_guesses(long, enough=7) < log_guesses(long)


@given(st.text(max_size=80))
def test_estimate_is_bounded_by_the_length(text: str) -> None:
    assert 0 <= log_guesses(text) <= 2 * len(text) + 1e-9


@pytest.mark.parametrize("text", ["4@8({[<369&!1|70$5+7%2" * 6, "a" * 128, "ab" * 64, "password" * 16])
def test_estimate_takes_milliseconds_for_every_password(text: str) -> None:
    log_guesses(text)
    began = time.process_time()
    log_guesses(text)
    assert time.process_time() - began < 0.1
