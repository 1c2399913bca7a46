"""Text generators: the built-in grammar, or a model behind an OpenAI-compatible API."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from app.content import grammar
from app.content.schemas import Form

TextCallback = Callable[[str], Awaitable[None]]


class GeneratorUnavailable(Exception):  # noqa: N818 (a state, not an error)
    """No text can be generated currently; retry after ``retry_after`` seconds, if known."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class PromptRejected(Exception):  # noqa: N818 (an expected outcome)
    """The generator rejects this prompt; retries would fail."""


class Generator(Protocol):
    """Generates texts."""

    async def write(self, prompt: str, form: Form, on_text: TextCallback) -> str:
        """Return the text; ``on_text`` is awaited with each fragment as it is generated.

        Raises :class:`GeneratorUnavailable` or :class:`PromptRejected`.
        """
        ...


class GrammarGenerator:
    """The built-in generator: a grammar without dependencies. The same prompt always gives the same text."""

    async def write(self, prompt: str, form: Form, on_text: TextCallback) -> str:
        """See :meth:`Generator.write`; raises nothing."""
        fragments = grammar.generate(prompt, form)
        for fragment in fragments:
            await on_text(fragment)
        return "".join(fragments)
