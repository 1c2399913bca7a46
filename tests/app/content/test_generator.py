"""The built-in generator publishes fragments and returns their concatenation."""

from __future__ import annotations

import pytest

from app.content.generator import GeneratorUnavailable, GrammarGenerator
from app.content.schemas import Form


@pytest.mark.anyio
async def test_fragments_add_up_to_the_text() -> None:
    fragments: list[str] = []

    async def collect(fragment: str) -> None:
        fragments.append(fragment)

    text = await GrammarGenerator().write("a lighthouse", Form.STORY, collect)
    assert text == "".join(fragments)
    assert len(fragments) > 1


def test_retry_delay_of_an_unavailable_generator_is_optional() -> None:
    assert GeneratorUnavailable("down").retry_after is None
    assert GeneratorUnavailable("down", 3.0).retry_after == 3.0
