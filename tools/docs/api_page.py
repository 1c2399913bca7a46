"""`docs/api.md`: every operation of the service and every problem it can return."""

from collections.abc import Iterator
from typing import Any

from app.application import PUBLIC
from app.http import openapi
from app.http.problems import PROBLEM_TYPES

HEAD = """# The API

Written by `make docs` from the routes themselves. The service describes itself at more length, with all
types: `/openapi.json` (OpenAPI 3.1) and `/docs`.
"""


def api_page() -> str:
    """The page as Markdown."""
    endpoints = [endpoint for part in PUBLIC for endpoint in part.endpoints]
    document = openapi.document(endpoints, base="https://api.example.com", version="1")
    roles = {f"{each.method} {each.path}": each.role for each in endpoints}
    kinds = [f"| `{kind.slug}` | {kind.status} | {kind.title} |" for kind in PROBLEM_TYPES]
    lines = [HEAD]
    for tag in dict.fromkeys(endpoint.tag for endpoint in endpoints):
        rows = [_row(name, operation, roles[name]) for name, operation in _operations(document, tag)]
        lines += [f"## {tag.capitalize()}\n", "| operation | who | what |", "| --- | --- | --- |", *rows, ""]
    lines += [
        "## Problems\n",
        "Every error is `application/problem+json` (RFC 9457). Its `type` ends with one of these.\n",
        "| type | status | title |",
        "| --- | --- | --- |",
        *kinds,
    ]
    return "\n".join(lines).rstrip() + "\n"


def _operations(document: dict[str, Any], tag: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if tag in operation["tags"]:
                yield f"{method.upper()} {path}", operation


def _row(name: str, operation: dict[str, Any], role: object) -> str:
    who = f"role `{role}`" if role is not None else "a session" if "security" in operation else "anyone"
    return f"| `{name}` | {who} | {operation['summary']} |"
