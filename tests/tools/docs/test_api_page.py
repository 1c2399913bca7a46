"""`docs/api.md`: a row for every operation and every problem."""

from __future__ import annotations

import re

from app.application import PUBLIC
from app.http.problems import PROBLEM_TYPES
from tools.docs.api_page import api_page

PAGE = api_page()
ENDPOINTS = [endpoint for part in PUBLIC for endpoint in part.endpoints]


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_operation_is_in_the_table_of_its_tag() -> None:
    for tag in {endpoint.tag for endpoint in ENDPOINTS}:
        expected = {f"`{item.method} {item.path}`" for item in ENDPOINTS if item.tag == tag}
        assert {row[0] for row in rows(tag.capitalize())} == expected
    assert len(re.findall(r"^\| `[A-Z]+ /", PAGE, re.MULTILINE)) == len(ENDPOINTS)


def test_operation_has_its_caller_and_a_summary() -> None:
    found = {
        row[0].strip("`"): row[1:]
        for tag in {item.tag for item in ENDPOINTS}
        for row in rows(tag.capitalize())
    }
    for endpoint in ENDPOINTS:
        who, summary = found[f"{endpoint.method} {endpoint.path}"]
        assert summary
        if endpoint.role is not None:
            assert who == f"role `{endpoint.role}`"
        else:
            assert who in ("a session", "anyone")
    assert found["POST /v1/sessions"][0] == "anyone"
    assert {who for who, _ in found.values()} >= {"a session", "anyone"}


def test_every_problem_has_status_and_title() -> None:
    assert rows("Problems") == [[f"`{kind.slug}`", str(kind.status), kind.title] for kind in PROBLEM_TYPES]


def test_page_ends_with_one_line_break() -> None:
    assert PAGE.endswith("|\n")
    assert PAGE.startswith("# The API\n")
