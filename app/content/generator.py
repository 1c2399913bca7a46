"""Where texts come from: the grammar in this package, or a model behind an OpenAI-compatible address."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from app.content import grammar
from app.content.schemas import Form

Tell = Callable[[str], Awaitable[None]]


class GeneratorDown(Exception):  # noqa: N818 (a state, not a mistake)
    """No text just now; ``retry_after`` seconds are worth waiting, when that is known."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class GeneratorRefused(Exception):  # noqa: N818 (an answer, not a failure)
    """There will be no text for this prompt, however often it is asked for."""


class Generator(Protocol):
    """Writes texts."""

    async def write(self, prompt: str, form: Form, tell: Tell) -> str:
        """The text; ``tell`` hears each piece as it is written. :class:`GeneratorDown`, or
        :class:`GeneratorRefused`."""
        ...


class Embedded:
    """The generator that needs nothing: a grammar. The same prompt always gives the same text."""

    async def write(self, prompt: str, form: Form, tell: Tell) -> str:
        """As :class:`Generator` has it; never down, refuses nothing."""
        pieces = grammar.generate(prompt, form)
        for piece in pieces:
            await tell(piece)
        return "".join(pieces)
