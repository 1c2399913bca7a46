"""A text generator without a network: a small grammar, expanded by choices that the prompt decides.

The same prompt always gives the same text, so a job that runs twice has one result.
"""

from __future__ import annotations

import hashlib
import random
import re
from typing import Final

_RULES: Final[dict[str, tuple[str, ...]]] = {
    "story": (
        "{opening} {turn} {closing}",
        "{opening} {image} {turn} {closing}",
        "{opening} {image} {closing}",
    ),
    "opening": (
        "In a {mood} kingdom, someone whispered: {prompt}.",
        "They say it began with {prompt}.",
        "{prompt}: that was all the {person} had written down.",
    ),
    "image": (
        "The {place} lay {mood} under a {light} sky.",
        "A {light} glow crept over the {place}.",
        "Far off, the {place} turned {mood}.",
    ),
    "turn": (
        "Then the {person} found {thing} in the {place}.",
        "Nobody had counted on {thing}, least of all the {person}.",
        "The {person} traded {thing} for one more {light} morning.",
    ),
    "closing": (
        "And the {place} remembers.",
        "What happened next is yours to make.",
        "By nightfall it was {mood} again.",
    ),
    "mood": ("quiet", "restless", "golden", "half-forgotten", "stubborn", "bright"),
    "light": ("silver", "amber", "violet", "pale", "burning"),
    "place": ("harbour", "tower", "market", "orchard", "rooftop garden", "old theatre"),
    "person": ("mapmaker", "night baker", "clock mender", "young queen", "lamplighter"),
    "thing": ("a paper crown", "three honest words", "a key without a door", "a jar of thunder"),
}
_SLOT: Final = re.compile(r"\{(\w+)\}")
_RULES_DEPTH: Final = 8


def generate(prompt: str) -> str:
    """A short text on ``prompt``."""
    choices = random.Random(hashlib.sha256(prompt.encode()).digest())  # noqa: S311 (a story, not a secret)
    subject = " ".join(prompt.split()).rstrip(".!?")

    def expand(text: str, depth: int) -> str:
        # The prompt goes in last and is never expanded itself: braces in it stay braces.
        assert depth < _RULES_DEPTH, "the grammar goes round in circles"
        return _SLOT.sub(
            lambda slot: (
                slot[0] if slot[1] == "prompt" else expand(choices.choice(_RULES[slot[1]]), depth + 1)
            ),
            text,
        )

    return subject.join(expand("{story}", 0).split("{prompt}"))
