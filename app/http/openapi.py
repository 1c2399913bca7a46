"""The OpenAPI 3.1 document, made from the same signatures that read and write the requests."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, get_args

import msgspec

from app.http import problems
from app.http.problems import Kind, ProblemDetails
from app.http.requests import Upload
from app.http.routing import Access, Endpoint, Stream

_REFERENCE: Final = "#/components/schemas/{name}"
# What can happen to any request: too many, a head or an address too large, a fault of ours, an overload.
_EVERYWHERE: Final = (
    problems.TOO_MANY_REQUESTS,
    problems.ADDRESS_TOO_LONG,
    problems.HEAD_TOO_LARGE,
    problems.INTERNAL,
    problems.UNAVAILABLE,
    problems.DEADLINE,
)
_HEADERS: Final = {
    "ETag": "Names this state of the answer; send it back in If-None-Match.",
    "Location": "Where what was made is found.",
    "Cache-Control": "Who may keep the answer, and how long.",
    "Accept-Ranges": "Parts can be asked for by bytes.",
    "Content-Range": "Which part this is.",
    "Idempotency-Replayed": "`true` when the request had been carried out before, and this is its result.",
}
_BYTES: Final[dict[str, Any]] = {"type": "string", "format": "binary"}


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
    candidates = get_args(kind) or (kind,)
    return any(isinstance(each, type) and issubclass(each, (bytes, Upload, Stream)) for each in candidates)


def _operation(endpoint: Endpoint, by_type: dict[int, Any], components: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{endpoint.tag}_{endpoint.handler.__name__}",
        "tags": [endpoint.tag],
        "summary": endpoint.summary,
        "parameters": [
            *_path_parameters(endpoint),
            *_query_parameters(endpoint, by_type, components),
            *_header_parameters(endpoint),
        ],
        "responses": {
            **{str(status): _answer(endpoint, by_type, status) for status in _statuses(endpoint)},
            **_problems(endpoint),
        },
    }
    if endpoint.description:
        operation["description"] = re.sub(r"\s*\n\s*", " ", endpoint.description)
    if endpoint.access is Access.SESSION:
        scopes: list[str] = []
        operation["security"] = [{"session": scopes}]
    if endpoint.role is not None:
        operation["description"] = (
            f"{operation.get('description', '')} Only for the role `{endpoint.role}`.".strip()
        )
    if endpoint.body is not None:
        schema = _BYTES if endpoint.body is Upload else by_type[id(endpoint.body)]
        operation["requestBody"] = {
            "required": True,
            "content": {media_type: {"schema": schema} for media_type in endpoint.takes},
        }
    return operation


def _path_parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": msgspec.json.schema(kind)}
        for name, kind in endpoint.path_parameters.items()
    ]


def _header_parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    return [
        {
            "name": wanted.name,
            "in": "header",
            "required": wanted.required,
            "description": wanted.description,
            "schema": {"type": "string"} | ({"pattern": wanted.pattern} if wanted.pattern else {}),
        }
        for wanted in endpoint.headers
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


def _statuses(endpoint: Endpoint) -> tuple[int, ...]:
    statuses = (endpoint.status, *endpoint.other_statuses)
    return (*statuses, 304) if _has_tag(endpoint) else statuses


def _has_tag(endpoint: Endpoint) -> bool:
    return endpoint.method == "GET" and not _is_raw(endpoint.answer)


def _answer(endpoint: Endpoint, by_type: dict[int, Any], status: int) -> dict[str, Any]:
    if status == 304:
        return {"description": "What the client has still holds.", "headers": _answer_headers(("ETag",))}
    answer: dict[str, Any] = {"description": "Done."}
    names = (*endpoint.answer_headers, *(("ETag",) if _has_tag(endpoint) else ()))
    if names:
        answer["headers"] = _answer_headers(names)
    if status == 204:
        return answer
    if _is_raw(endpoint.answer):
        anything: dict[str, Any] = {}
        answer["content"] = {endpoint.media_type: anything}
    elif endpoint.answer is not None:
        answer["content"] = {"application/json": {"schema": by_type[id(endpoint.answer)]}}
    return answer


def _answer_headers(names: Iterable[str]) -> dict[str, Any]:
    return {name: {"description": _HEADERS[name], "schema": {"type": "string"}} for name in names}


def _problems(endpoint: Endpoint) -> dict[str, Any]:
    titles: dict[int, list[str]] = {}
    kinds: tuple[Kind, ...] = (*endpoint.kinds, *_EVERYWHERE)
    for kind in kinds:
        titles.setdefault(kind.status, []).append(kind.title)
    schema = {"$ref": _REFERENCE.format(name=ProblemDetails.__name__)}
    return {
        str(status): {
            "description": "; or: ".join(dict.fromkeys(texts)) + ".",
            "content": {"application/problem+json": {"schema": schema}},
        }
        for status, texts in sorted(titles.items())
    }
