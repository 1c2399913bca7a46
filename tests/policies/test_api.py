"""The public names of the policy pack."""

from __future__ import annotations

import pytest

from policies import api
from policies.model.quantities import parse


def test_every_public_name_is_importable() -> None:
    assert set(api.__all__) == set(api._PLACES)
    assert all(getattr(api, name) is not None for name in api.__all__)


def test_renamed_function_is_the_one_of_its_module() -> None:
    assert api.parse_quantity is parse


def test_any_other_name_raises_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Scaling'"):
        _ = api.Scaling
