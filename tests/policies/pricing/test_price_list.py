"""The price list."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from policies.pricing import price_list as module
from policies.pricing.price_list import Price, PriceList, price_list


def price(region: str, usd: float) -> Price:
    return Price("a", usd, "hour", region, "s")


@pytest.mark.parametrize(
    ("prices", "usd"),
    [
        ([price("us", 1), price("global", 2), price("eu", 3)], 3),
        ([price("us", 1), price("global", 2)], 2),
        ([price("us", 1), price("asia", 2)], 1),
        ([], None),
    ],
)
def test_price_of_the_region_precedes_the_global_one(prices: list[Price], usd: float | None) -> None:
    found = PriceList(tuple(prices), 730, "", {}).find("a", "eu")
    assert (found.usd if found else None) == usd
    assert PriceList(tuple(prices), 730, "", {}).find("b", "eu") is None


def test_list_is_dated_by_its_sources() -> None:
    found = price_list()
    first, _, last = found.dated.partition(" to ")
    dates = {source["date"] for source in found.sources.values()}
    assert first <= last
    assert {first, last} <= dates
    assert found.hours == 730


@pytest.mark.parametrize("changes", [{"currency": "EUR"}, {"sources": {}}])
def test_price_without_a_source_or_in_another_currency_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    entry = {"id": "a", "usd": 1, "unit": "hour", "region": "eu", "source": "s"}
    data = {
        "currency": "USD",
        "hoursPerMonth": 730,
        "sources": {"s": {"date": "2026-01-01"}},
        "prices": [entry],
    }
    (tmp_path / "prices.json").write_text(json.dumps(data | changes))
    monkeypatch.setattr(module, "LIST", tmp_path / "prices.json")
    with pytest.raises(ValueError, match="without a source or not in USD"):
        module.price_list.__wrapped__()
