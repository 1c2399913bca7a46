from __future__ import annotations

import pytest

from tests.app.conftest import Person

BALANCE = 5_000  # cents; covers five orders of the cheapest product


@pytest.fixture
def ada(ada: Person, administrator: Person) -> Person:
    """A user with a balance."""
    administrator.pay_in(ada, BALANCE)
    return ada
