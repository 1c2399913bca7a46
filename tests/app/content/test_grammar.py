"""The built-in grammar: deterministic, complete, and safe for any prompt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.content.grammar import generate
from app.content.schemas import Form


@pytest.mark.parametrize("form", Form)
def test_same_prompt_gives_the_same_text(form: Form) -> None:
    assert generate("a lighthouse", form) == generate("a lighthouse", form)
    assert "".join(generate("a lighthouse", form)) != "".join(generate("a forest", form))


@given(st.text(min_size=1, max_size=60), st.sampled_from(Form))
def test_text_has_no_unexpanded_slots(prompt: str, form: Form) -> None:
    text = "".join(generate(prompt.replace("{", "").replace("}", ""), form))
    assert text
    assert "{" not in text


def test_braces_of_the_prompt_are_not_expanded() -> None:
    texts = "".join("".join(generate("{mood} of {thing}", form)) for form in Form)
    assert "{mood} of {thing}" in texts


def test_fragments_have_five_words_except_the_last() -> None:
    fragments = generate("a lighthouse", Form.STORY)
    assert {len(fragment.split()) for fragment in fragments[:-1]} == {5}
    assert 1 <= len(fragments[-1].split()) <= 5
