"""`mobile/openapi.json`: an OpenAPI 3.1 document that client generators can read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
from openapi_python_client.schema import OpenAPI

from app.application import PUBLIC
from tools.docs.openapi_document import openapi_document

TEXT = openapi_document()
DOCUMENT: dict[str, Any] = json.loads(TEXT)


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def test_a_client_generator_accepts_the_document() -> None:
    OpenAPI.model_validate(DOCUMENT)
    assert DOCUMENT["openapi"].startswith("3.1.")


def test_schemas_are_valid_and_every_reference_has_a_target() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    found = set(references(DOCUMENT))
    assert len(found) > 20
    for reference in found:
        target: Any = DOCUMENT
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]


def test_every_public_operation_is_described() -> None:
    described = {
        f"{method.upper()} {path}" for path, methods in DOCUMENT["paths"].items() for method in methods
    }
    assert described == {f"{item.method} {item.path}" for part in PUBLIC for item in part.endpoints}


def test_release_and_host_are_not_in_the_document() -> None:
    assert DOCUMENT["info"]["version"] == "1"
    assert [server["url"] for server in DOCUMENT.get("servers", [])] in ([], ["/"])
    assert "example.com" not in json.dumps(DOCUMENT.get("servers"))


def test_text_ends_with_a_line_break_and_has_characters_unescaped() -> None:
    assert TEXT.endswith("}\n")
    assert json.dumps(json.loads(TEXT), ensure_ascii=False, indent=1) + "\n" == TEXT
