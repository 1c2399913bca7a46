"""The problems that are reported about a stack file."""

from __future__ import annotations

from typing import Any

import pytest

from infra.settings.errors import SettingsError
from infra.settings.loader import parse


def setting_problems(values: dict[str, Any]) -> dict[str, str]:
    """Text of each problem of `values` as those of prod, by key. Fails if there is none."""
    with pytest.raises(SettingsError) as caught:
        parse("prod", values)
    return {problem.key: str(problem) for problem in caught.value.problems}
