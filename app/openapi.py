"""The OpenAPI 3.1 document, made from the same signatures that read and write the requests."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from app.problems import Kind, ProblemDetails
from app.routing import Access, Endpoint

_REFERENCE: Final = "#/components/schemas/{name}"
_EVERYWHERE: Final = (500, 503)


def document(endpoints: Iterable[Endpoint], *, base: str, version: str) -> dict[str, Any]:
    """The document of ``endpoints``, served below ``base``."""
    endpoints = list(endpoints)
    types = [kind for endpoint in endpoints for kind in _types(endpoint)] + [ProblemDetails]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    by_type = {id(kind): schema for kind, schema in zip(types, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(
            endpoint, by_type, components
        )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Kingdom Studios",
            "version": version,
            "description": "The backend of Kingdom Studios' app for creators.",
        },
        "servers": [{"url": base}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"session": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _types(endpoint: Endpoint) -> list[Any]:
    candidates = (endpoint.body, endpoint.query, endpoint.answer)
    return [kind for kind in candidates if kind is not None and not _is_raw(kind)]


def _is_raw(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, bytes)


def _operation(endpoint: Endpoint, by_type: dict[int, Any], components: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{endpoint.tag}_{endpoint.handler.__name__}",
        "tags": [endpoint.tag],
        "summary": endpoint.summary,
        "parameters": [*_path_parameters(endpoint), *_query_parameters(endpoint, by_type, components)],
        "responses": {str(endpoint.status): _answer(endpoint, by_type), **_problems(endpoint)},
    }
    if endpoint.description:
        operation["description"] = re.sub(r"\s*\n\s*", " ", endpoint.description)
    if endpoint.access is Access.SESSION:
        scopes: list[str] = []
        operation["security"] = [{"session": scopes}]
    if endpoint.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": by_type[id(endpoint.body)]}},
        }
    return operation


def _path_parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in endpoint.path_parameters
    ]


def _query_parameters(
    endpoint: Endpoint, by_type: dict[int, Any], components: dict[str, Any]
) -> list[dict[str, Any]]:
    if endpoint.query is None:
        return []
    # A query is an object to the handler and a list of parameters to the client, so it is no component.
    schema = components[by_type[id(endpoint.query)]["$ref"].rpartition("/")[2]]
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": member}
        for name, member in schema["properties"].items()
    ]


def _answer(endpoint: Endpoint, by_type: dict[int, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": "Done."}
    if _is_raw(endpoint.answer):
        anything: dict[str, Any] = {}
        answer["content"] = {endpoint.media_type: anything}
    elif endpoint.answer is not None:
        answer["content"] = {"application/json": {"schema": by_type[id(endpoint.answer)]}}
    return answer


def _problems(endpoint: Endpoint) -> dict[str, Any]:
    titles: dict[int, list[str]] = {status: ["Not possible just now"] for status in _EVERYWHERE}
    titles[500] = ["Something went wrong on our side"]
    by_status: dict[int, list[Kind]] = {}
    for kind in endpoint.kinds:
        by_status.setdefault(kind.status, []).append(kind)
    titles.update({status: [kind.title for kind in kinds] for status, kinds in by_status.items()})
    schema = {"$ref": _REFERENCE.format(name=ProblemDetails.__name__)}
    return {
        str(status): {
            "description": "; or: ".join(dict.fromkeys(texts)) + ".",
            "content": {"application/problem+json": {"schema": schema}},
        }
        for status, texts in sorted(titles.items())
    }
