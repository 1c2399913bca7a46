"""Closed sets and defaults read from docstrings: unclear wording yields nothing."""

from __future__ import annotations

import pytest

from rehearsal.providers.constraints.docstring_enums import closed_set, default_value


@pytest.mark.parametrize(
    ("doc", "values"),
    [
        ("Default value is `A`.\nPossible values are: `A`, `A_B`.", ("A", "A_B")),
        ('The mode. Possible values: ["READ", "WRITE"]', ("READ", "WRITE")),
        ('The kind.\nAvailable values: "managed", "zone".', ("managed", "zone")),
        # Cloudflare's generated pages read underscores as emphasis.
        (
            'Available values: "http*request*cache", "http_ratelimit".',
            ("http_request_cache", "http_ratelimit"),
        ),
        ('Possible enum values:\n - `"Always"` means so\n - `"Never"` means not', ("Always", "Never")),
    ],
)
def test_a_sentence_that_lists_all_values_closes_the_set(doc: str, values: tuple[str, ...]) -> None:
    assert closed_set(doc) == values


@pytest.mark.parametrize(
    "doc",
    [
        "",
        "Any name.",
        "Possible values are: `A`, `B` and any custom machine type.",
        "Possible values include: `A`, `B`.",
        "Valid values are `A` (the default) or a percentage.",
        "Possible values are: `A`, `B`.\nWhen other is set, Possible values are: `C`.",
        "Possible values are documented in the API.",
    ],
)
def test_a_sentence_with_other_possible_values_yields_no_closed_set(doc: str) -> None:
    assert closed_set(doc) == ()


@pytest.mark.parametrize(
    ("doc", "kind", "value"),
    [
        ("Default value is `DISABLED`.", "string", "DISABLED"),
        ("Defaults to `true`.", "boolean", True),
        ("Defaults to `5`.", "integer", 5),
        ("Defaults to `5`.", "boolean", None),
        ("Defaults to `a`, or for others it defaults to: Defaults to `b`.", "string", None),
        ("Defaults to whatever fits.", "string", None),
    ],
)
def test_a_default_is_taken_when_it_is_one_and_fits(doc: str, kind: str, value: object) -> None:
    assert default_value(doc, kind) == value
