"""Mixes of users by name: all features, or one of them (LOD2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from loadtest.journey_users import users_of
from loadtest.journeys import journeys
from loadtest.users import Analyst, Creator, Newcomer, Shopper, User

# Uploads and batches of events have no journey of their own: the app sends both beside the others.
_BESIDE: Final[Mapping[type[User], int]] = {Shopper: 5, Analyst: 5}

MIXES: Final[Mapping[str, Mapping[type[User], int]]] = {
    "mixed": {**users_of(journeys()), **_BESIDE},
    "authentication": {Newcomer: 1},
    "generation": {Creator: 1},
    "analytics": {Analyst: 1},
}
