"""A text generator without a network: a small grammar, expanded by choices seeded from the prompt.

The same prompt always gives the same text, so a job that runs twice has one result.
"""

from __future__ import annotations

import hashlib
import random
import re
from typing import Final

from app.content.schemas import Form

_RULES: Final[dict[str, tuple[str, ...]]] = {
    "story": (
        "{opening} {turn} {closing}",
        "{opening} {image} {turn} {closing}",
        "{opening} {image} {turn} {turn} {closing}",
    ),
    "caption": ("{prompt}: {mood} and {light}, made for the {person} in you.", "{image} {prompt}."),
    "verse": (
        "{prompt},\n{a_mood} wind over the {place},\n{thing} in the {person}'s hand,\nand {light} light.",
        "The {place} is {mood},\nthe {person} counts {thing},\n{prompt}.",
    ),
    "opening": (
        "In {a_mood} kingdom, someone whispered: {prompt}.",
        "It began with {prompt}, as old stories do.",
        "{prompt}: that was all the {person} had written down.",
    ),
    "image": (
        "The {place} lay {mood} under a {light} sky.",
        "A {light} glow crept over the {place}.",
        "Far off, the {place} turned {mood}.",
    ),
    "turn": (
        "Then the {person} found {thing} in the {place}.",
        "No one had counted on {thing}, least of all the {person}.",
        "The {person} traded {thing} for one more {light} morning.",
    ),
    "closing": (
        "And the {place} remembers.",
        "The next page is yours to write.",
        "By nightfall it was {mood} again.",
    ),
    "a_mood": ("a quiet", "a restless", "a golden", "a half-forgotten", "a stubborn", "an idle"),
    "mood": ("quiet", "restless", "golden", "half-forgotten", "stubborn", "bright"),
    "light": ("silver", "bright", "violet", "pale", "burning"),
    "place": ("harbour", "tower", "market", "orchard", "rooftop garden", "old theatre"),
    "person": ("mapmaker", "night baker", "clock mender", "young queen", "lamplighter"),
    "thing": ("a paper crown", "three honest words", "a key without a door", "a jar of thunder"),
}
_SLOT: Final = re.compile(r"\{(\w+)\}")
_WORD: Final = re.compile(r"\S+\s*")
_MAX_DEPTH: Final = 8
_WORDS_PER_FRAGMENT: Final = 5


def generate(prompt: str, form: Form) -> list[str]:
    """Return a short text about ``prompt``, split into fragments of five words."""
    choices = random.Random(hashlib.sha256(f"{form}:{prompt}".encode()).digest())  # noqa: S311 (a story)
    subject = " ".join(prompt.split()).rstrip(".!?")

    def expand(text: str, depth: int) -> str:
        # The prompt is inserted last and not expanded, so braces in it stay as they are.
        assert depth < _MAX_DEPTH, "the grammar is recursive"
        return _SLOT.sub(
            lambda slot: (
                slot[0] if slot[1] == "prompt" else expand(choices.choice(_RULES[slot[1]]), depth + 1)
            ),
            text,
        )

    text = subject.join(expand("{" + form.value + "}", 0).split("{prompt}"))
    words = _WORD.findall(text)
    return ["".join(words[at : at + _WORDS_PER_FRAGMENT]) for at in range(0, len(words), _WORDS_PER_FRAGMENT)]
