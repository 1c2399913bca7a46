"""Bodies of the content routes: bounds of the prompt, defaults, unknown fields."""

from __future__ import annotations

import msgspec
import pytest

from app.content.schemas import Form, NewContent


def decode(body: dict[str, object]) -> NewContent:
    return msgspec.json.decode(msgspec.json.encode(body), type=NewContent)


@pytest.mark.parametrize("length", [1, 500])
def test_prompt_within_its_bounds_is_accepted(length: int) -> None:
    content = decode({"prompt": "x" * length})
    assert (len(content.prompt), content.form) == (length, Form.STORY)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"prompt": ""},
        {"prompt": "x" * 501},
        {"prompt": "x\u0000"},
        {"prompt": "\u202ex"},
        {"prompt": "x", "form": "novel"},
        {"prompt": "x", "y": 1},
    ],
)
def test_invalid_body_is_rejected(body: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        decode(body)
