"""Services of a process: every one with indexes is prepared at startup."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, get_type_hints

import pytest

from app.services import Services

pytestmark = pytest.mark.anyio


class FakeService:
    def __init__(self, name: str, prepared: list[str]) -> None:
        self.name, self.prepared = name, prepared

    async def prepare(self) -> None:
        self.prepared.append(self.name)


async def test_every_service_with_indexes_is_prepared_once() -> None:
    prepared: list[str] = []
    fakes: dict[str, Any] = {item.name: FakeService(item.name, prepared) for item in fields(Services)}
    await Services(**fakes).prepare()
    hints = get_type_hints(Services)
    expected = [name for name in fakes if hasattr(hints[name], "prepare")]
    assert "accounts" in expected
    assert sorted(prepared) == sorted(expected)
