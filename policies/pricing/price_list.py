"""The dated, sourced price list in ``prices.json``: list prices in USD, without any discount."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

LIST: Final = Path(__file__).with_name("prices.json")


@dataclass(frozen=True)
class Price:
    """One entry of the list: USD per `unit` in `region` (``global`` if it is the same everywhere)."""

    id: str
    usd: float
    unit: str
    region: str
    source: str


@dataclass(frozen=True)
class PriceList:
    """The list; `dated` is the range of its sources' dates."""

    prices: tuple[Price, ...]
    hours: int
    dated: str
    sources: dict[str, dict[str, str]]

    def find(self, name: str, region: str) -> Price | None:
        """Return the price in this region, else the global one, else that of another region."""
        found = [price for price in self.prices if price.id == name]
        for wanted in (region, "global"):
            for price in found:
                if price.region == wanted:
                    return price
        return found[0] if found else None


@cache
def price_list() -> PriceList:
    """Load the list beside this file. Raises ValueError for an entry without a source."""
    data = json.loads(LIST.read_text())
    prices = tuple(Price(**entry) for entry in data["prices"])
    sourceless = sorted({price.id for price in prices if price.source not in data["sources"]})
    if sourceless or data["currency"] != "USD":
        raise ValueError(f"{LIST}: without a source or not in USD: {', '.join(sourceless)}")
    dates = sorted(data["sources"][price.source]["date"] for price in prices)
    return PriceList(prices, data["hoursPerMonth"], f"{dates[0]} to {dates[-1]}", data["sources"])
