"""The OpenAPI 3.1 document, made from the same signatures that read and write the requests."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from typing import Any, Final, get_args

import msgspec

from app.http import examples, problems
from app.http.problems import Kind, ProblemDetails
from app.http.requests import Upload
from app.http.routing import Access, Endpoint, Stream
from app.http.text import END

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
TAGS: Final = {
    "accounts": "Sign up, change the profile or the password, export the data, delete the account.",
    "sessions": "Sign in, keep a session alive, see and end sessions.",
    "contents": "Have texts and images made, follow how they are made, publish them.",
    "feed": "What everybody has published. Needs no session.",
    "media": "Upload images; public addresses of their variants.",
    "orders": "Products, orders and payments.",
    "analytics": "Events of the app, and what follows from them.",
}
_GETTING_STARTED: Final = """The backend of Kingdom Studios' app for creators.

**Getting started**

1. Sign up: `POST /v1/accounts` with an e-mail address, a password and a name. Then sign in:
   `POST /v1/sessions`, or send the code of the mail to `POST /v1/accounts/confirmation` if the response has
   `confirmation: mail`. Both return a session.
2. Send its token with every request: `Authorization: Bearer <token>`. It is good for 15 minutes; then
   `POST /v1/sessions/refresh` exchanges the refresh token for the next pair.
3. Create content: `POST /v1/contents` with a prompt, then read it at its `Location` or follow its events.
4. Publish it: `PUT /v1/contents/{content_id}/publication`. Everybody finds it at `GET /v1/feed`.

**Rules that hold everywhere**

- Errors are `application/problem+json` (RFC 9457). Their `type` leads to the list of problems on this page.
- `RateLimit` and `RateLimit-Policy` show what is left; after 429 and 503 wait for `RetryLater-After` seconds.
- Requests that create something take an `Idempotency-Key`: sent again, they are carried out once.
- Lists have `limit` and `cursor`; the `next` of a page is the cursor of the one after it.
- Changes can be conditional: send the `ETag` of a read in `If-Match`.
"""
_BYTES: Final[dict[str, Any]] = {"type": "string", "format": "binary"}


def document(endpoints: Iterable[Endpoint], *, base: str, version: str) -> dict[str, Any]:
    """The document of ``endpoints``, served below ``base``."""
    endpoints = list(endpoints)
    types = [kind for endpoint in endpoints for kind in _types(endpoint)] + [ProblemDetails]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    colliding = [name for name in components if not name.isidentifier()]
    # msgspec names a type by its module when two have one name; generated clients drop such types.
    assert not colliding, f"two types have one name; rename one of each: {', '.join(colliding)}"
    by_type = {id(kind): schema for kind, schema in zip(types, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(
            endpoint, by_type, components
        )
    return {
        "openapi": "3.1.0",
        "info": {"title": "Kingdom Studios", "version": version, "description": _GETTING_STARTED},
        "servers": [{"url": base}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": dict(sorted(paths.items(), key=lambda item: _order(item[1]))),
        "components": {
            "schemas": _portable(components),
            "securitySchemes": {"session": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _order(methods: dict[str, Any]) -> int:
    """The position of a path's tag: operations appear as a user meets them."""
    return min(list(TAGS).index(operation["tags"][0]) for operation in methods.values())


def _portable(value: Any) -> Any:
    """The schema with patterns as other languages write them: there, ``$`` is the end and nothing else."""
    if isinstance(value, dict):
        return {
            key: each.replace(END, "$") if key == "pattern" and isinstance(each, str) else _portable(each)
            for key, each in value.items()
        }
    return [_portable(each) for each in value] if isinstance(value, list) else value


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
        shown = examples.BODIES.get(endpoint.body.__name__)
        example = {} if shown is None else {"example": shown}
        operation["requestBody"] = {
            "required": True,
            "content": {media_type: {"schema": schema, **example} for media_type in endpoint.takes},
        }
    return operation


def _path_parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": _portable(msgspec.json.schema(kind))}
        for name, kind in endpoint.path_parameters.items()
    ]


def _header_parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    return [
        {
            "name": wanted.name,
            "in": "header",
            "required": wanted.required,
            "description": wanted.description,
            "schema": _portable({"type": "string"} | ({"pattern": wanted.pattern} if wanted.pattern else {})),
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
        {"name": name, "in": "query", "required": name in required, "schema": _portable(member)}
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
    answer: dict[str, Any] = {"description": _success(endpoint, status)}
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


def _success(endpoint: Endpoint, status: int) -> str:
    """What a client gets: the description of the type, after what the status adds to it."""
    if status == 204 or endpoint.answer is None:
        return {202: "Accepted; the response has no body."}.get(status, "Done; the response has no body.")
    if _is_raw(endpoint.answer):
        return f"The data, as `{endpoint.media_type}`."
    before = {201: "Created. ", 202: "Accepted; the work goes on in the background. "}.get(status, "")
    return before + (inspect.getdoc(endpoint.answer) or endpoint.answer.__name__).partition("\n")[0]


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
