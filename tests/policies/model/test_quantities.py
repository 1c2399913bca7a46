"""Quantities are parsed exactly: every spelling of a number has the same value."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.model.quantities import MAX_AMOUNT, int_or_percent, parse, show

SUFFIXES = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}


@given(st.integers(-(10**6), 10**6), st.sampled_from(sorted(SUFFIXES)))
def test_a_decimal_suffix_is_its_power_of_ten(number: int, suffix: str) -> None:
    assert parse(f"{number}{suffix}") == number * Fraction(10) ** SUFFIXES[suffix]
    if suffix:
        assert parse(f"{number}e{SUFFIXES[suffix]}") == parse(f"{number}{suffix}")


@given(st.integers(0, 10**6), st.integers(1, 6))
def test_a_binary_suffix_is_its_power_of_1024(number: int, power: int) -> None:
    assert parse(f"{number}{' KMGTPE'[power]}i") == number * 1024**power


@given(st.integers(0, 10**9), st.integers(0, 999))
def test_decimals_are_exact(whole: int, part: int) -> None:
    assert parse(f"{whole}.{part:03}") == Fraction(whole * 1000 + part, 1000)
    assert parse(f"{whole}.{part:03}Gi") == Fraction(whole * 1000 + part, 1000) * 1024**3


@pytest.mark.parametrize("text", ["", "x", "1 Gi", "Gi", "1gi", "--1", "1.2.3", "1e", None, True, [], {}])
def test_other_text_is_not_a_quantity(text: object) -> None:
    assert parse(text) is None


def test_text_with_too_many_digits_is_not_a_quantity() -> None:
    assert parse("1" + "0" * 999) == MAX_AMOUNT
    assert parse("0" * 999 + "7") == 7
    assert parse("0" * 1_000 + "7") is None


@given(st.text(max_size=12))
def test_any_text_is_parsed_without_an_exception(text: str) -> None:
    parse(text)
    int_or_percent(text, 10, up=True)


@given(st.integers(0, 300), st.integers(0, 1000))
def test_percentages_round_as_the_controllers_do(percent: int, total: int) -> None:
    up, down = (int_or_percent(f"{percent}%", total, up=direction) for direction in (True, False))
    assert up is not None
    assert down is not None
    assert down * 100 <= percent * total <= up * 100
    assert up - down <= 1


@pytest.mark.parametrize(
    ("key", "amount", "text"),
    [
        ("requests.cpu", Fraction(1, 2), "0.5"),
        ("limits.memory", Fraction(3 * 2**29), "1.5Gi"),
        ("requests.ephemeral-storage", Fraction(2**40), "1Ti"),
        ("requests.hugepages-2Mi", Fraction(200 * 2**20), "200Mi"),
        ("pods", Fraction(7), "7"),
    ],
)
def test_quantities_are_shown_with_a_suffix(key: str, amount: Fraction, text: str) -> None:
    assert show(key, amount) == text
