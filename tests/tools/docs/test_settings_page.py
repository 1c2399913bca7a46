"""`docs/settings.md`: every setting with its description and its allowed values."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import pytest
import yaml
from pydantic import BaseModel, Field

from tests.repository._tree import ROOT
from tools.docs import settings_page as module
from tools.docs.settings_page import settings_page

KEY = re.compile(r"^\| `([^`]+)` \| (.*) \| (.*) \|$", re.MULTILINE)


class Inner(BaseModel):
    """One size."""

    size: Literal["M10", "M20"] = Field(description="size of\n  the | database")


class Section(BaseModel):
    """A section."""

    on: bool
    fixed: Literal["x"]
    low: int = Field(ge=1)
    high: float = Field(le=9)
    both: int = Field(ge=1, le=9)
    short: str = Field(pattern="^[a|b]$")
    long: str = Field(pattern="^" + "[a-z]" * 10 + "$")
    either: int | None
    inner: Inner
    maybe: Inner | None = Field(description="may be off")
    named: dict[str, Inner] = Field(description="by name")
    many: list[Annotated[str, Field(pattern="^z$")]]


class Model(BaseModel):
    """All settings."""

    first: Section
    gcp: Inner = Field(alias="gcp:", description="Of the provider.")


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(module, "Settings", Model)
    return settings_page()


def test_sections_have_the_namespace_of_the_program_or_their_own(page: str) -> None:
    assert re.findall(r"^## `(.+)`\n\n(.+)$", page, re.MULTILINE) == [
        ("kingdom:first", "A section."),
        ("gcp:", "Of the provider."),
    ]


def test_rows_have_key_description_and_allowed_values(page: str) -> None:
    cell = "size of the \\| database"
    sizes = "`M10`, `M20`"
    assert KEY.findall(page) == [
        ("on", "", "`true` or `false`"),
        ("fixed", "", "`x`"),
        ("low", "", "whole number, at least 1"),
        ("high", "", "number, at most 9"),
        ("both", "", "whole number, 1 to 9"),
        ("short", "", "text, `^[a\\|b]$`"),
        ("long", "", "text"),
        ("either", "", "whole number or null"),
        ("inner.size", cell, sizes),
        ("maybe", "may be off", "object or `null`"),
        ("maybe.size", cell, sizes),
        ("named.NAME.size", cell, sizes),
        ("many[]", "", "text, `^z$`"),
        ("size", cell, sizes),
    ]


def keys(value: Any, prefix: str = "") -> set[str]:
    """The keys of a tree with dots, lists as `[]`."""
    if isinstance(value, dict):
        return {
            name for key, item in value.items() for name in keys(item, f"{prefix}.{key}" if prefix else key)
        }
    if isinstance(value, list):
        return {name for item in value for name in keys(item, f"{prefix}[]")}
    return {prefix}


def test_every_key_of_the_production_stack_is_documented() -> None:
    sections = re.findall(
        r"^## `kingdom:([^`]+)`$(.*?)(?=^## |\Z)", settings_page(), re.MULTILINE | re.DOTALL
    )
    config = yaml.safe_load((ROOT / "stacks" / "Pulumi.prod.yaml").read_text())["config"]
    assert {f"kingdom:{name}" for name, _ in sections} == {
        key for key in config if key.startswith("kingdom:")
    }
    for name, text in sections:
        value = config[f"kingdom:{name}"]
        patterns = [
            re.escape(key).replace("NAME", r"[^.]+") + r"(\..*|\[\].*)?" for key, _, _ in KEY.findall(text)
        ]
        for key in keys(value) if isinstance(value, dict) else ():
            assert any(re.fullmatch(pattern, key) for pattern in patterns), f"kingdom:{name}.{key}"
