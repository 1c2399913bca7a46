from __future__ import annotations

import pytest

from tests.app.conftest import Person

ENOUGH = 5_000  # cents, for five of the cheapest


@pytest.fixture
def ada(ada: Person, administrator: Person) -> Person:
    """Somebody who can pay."""
    administrator.pay_in(ada, ENOUGH)
    return ada
