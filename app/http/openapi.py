"""The OpenAPI 3.1 document, generated from the signatures of the route handlers."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from typing import Any, Final, get_args

import msgspec

from app.http import examples, problems
from app.http.problems import ProblemDetails, ProblemType
from app.http.requests import Upload
from app.http.routing import Access, Endpoint, Stream
from app.http.text import END

_REFERENCE: Final = "#/components/schemas/{name}"
# Problems that any API request can cause, whatever its route.
_EVERYWHERE: Final = (
    problems.TOO_MANY_REQUESTS,
    problems.URI_TOO_LONG,
    problems.HEADER_FIELDS_TOO_LARGE,
    problems.INTERNAL,
    problems.UNAVAILABLE,
    problems.DEADLINE,
)
_HEADERS: Final = {
    "ETag": "Entity tag of this representation; send it in If-None-Match.",
    "Location": "URL of the created resource.",
    "Cache-Control": "Caching directives for the response.",
    "Accept-Ranges": "`bytes`: byte ranges can be requested.",
    "Content-Range": "Byte range of the body and total size.",
    "Idempotency-Replayed": "`true` if the request was executed before and this is its first result.",
    "Retry-After": "Seconds to wait before the request is sent again.",
}
_RETRIED: Final = (problems.TOO_MANY_REQUESTS.status, problems.UNAVAILABLE.status)
TAGS: Final = {
    "accounts": "Sign up, change the profile or the password, export the data, delete the account.",
    "sessions": "Sign in, refresh a session, list and end sessions.",
    "contents": "Generate texts and images, follow the progress, publish the results.",
    "feed": "Published content of all accounts. Requires no session.",
    "media": "Upload images; public URLs of their variants.",
    "orders": "Products, orders and payments.",
    "analytics": "Events of the app, and reports about them.",
}
_GETTING_STARTED: Final = """The backend of Kingdom Studios' app for creators.

**Getting started**

1. Sign up: `POST /v1/accounts` with an e-mail address, a password and a name. Then sign in:
   `POST /v1/sessions`, or send the code of the mail to `POST /v1/accounts/confirmation` if the response has
   `confirmation: mail`. Both return a session.
2. Send its token with every request: `Authorization: Bearer <token>`. It expires after 15 minutes; then
   `POST /v1/sessions/refresh` exchanges the refresh token for the next pair.
3. Create content: `POST /v1/contents` with a prompt, then read it at its `Location` or follow its events.
4. Publish it: `PUT /v1/contents/{content_id}/publication`. It is listed publicly at `GET /v1/feed`.

**Conventions**

- Errors are `application/problem+json` (RFC 9457). Their `type` links to the list of problems on this page.
- `RateLimit` and `RateLimit-Policy` report the remaining quota; after 429 and 503 wait for `Retry-After`
  seconds.
- Requests that create something accept an `Idempotency-Key`: a retry with the same key is not executed again.
- Lists have `limit` and `cursor`; the `next` of a page is the cursor of the following page.
- Changes can be conditional: send the `ETag` of a read in `If-Match`.
"""
_BYTES: Final[dict[str, Any]] = {"type": "string", "format": "binary"}


def document(endpoints: Iterable[Endpoint], *, base: str, version: str) -> dict[str, Any]:
    """Return the OpenAPI document for ``endpoints``. ``base`` is the public URL of the service."""
    endpoints = list(endpoints)
    types = [kind for endpoint in endpoints for kind in _types(endpoint)] + [ProblemDetails]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    colliding = [name for name in components if not name.isidentifier()]
    # msgspec adds the module to the names of types that collide; client generators drop such types.
    assert not colliding, f"two types share a name; rename one of each: {', '.join(colliding)}"
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
    """Return the position of a path's tag, so that operations are sorted in the order of ``TAGS``."""
    return min(list(TAGS).index(operation["tags"][0]) for operation in methods.values())


def _portable(value: Any) -> Any:
    """Return the schema with portable patterns: ``$`` for the end, as in ECMA 262."""
    if isinstance(value, dict):
        return {
            key: each.replace(END, "$") if key == "pattern" and isinstance(each, str) else _portable(each)
            for key, each in value.items()
        }
    return [_portable(each) for each in value] if isinstance(value, list) else value


def _types(endpoint: Endpoint) -> list[Any]:
    candidates = (endpoint.body, endpoint.query, endpoint.response_type)
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
            **{str(status): _response(endpoint, by_type, status) for status in _statuses(endpoint)},
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
    # Parameters are listed one by one, so the query type itself is not among the components.
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
    return endpoint.method == "GET" and not _is_raw(endpoint.response_type)


def _response(endpoint: Endpoint, by_type: dict[int, Any], status: int) -> dict[str, Any]:
    if status == 304:
        return {"description": "Not modified.", "headers": _header_objects(("ETag",))}
    response: dict[str, Any] = {"description": _success(endpoint, status)}
    names = (*endpoint.response_headers, *(("ETag",) if _has_tag(endpoint) else ()))
    if names:
        response["headers"] = _header_objects(names)
    if status == 204:
        return response
    if _is_raw(endpoint.response_type):
        anything: dict[str, Any] = {}
        response["content"] = {endpoint.media_type: anything}
    elif endpoint.response_type is not None:
        response["content"] = {"application/json": {"schema": by_type[id(endpoint.response_type)]}}
    return response


def _success(endpoint: Endpoint, status: int) -> str:
    """Return the description of a successful response: of its status and of its type."""
    if status == 204 or endpoint.response_type is None:
        return {202: "Accepted; the response has no body."}.get(status, "Done; the response has no body.")
    if _is_raw(endpoint.response_type):
        return f"The data, as `{endpoint.media_type}`."
    before = {201: "Created. ", 202: "Accepted; the work continues in the background. "}.get(status, "")
    text = inspect.getdoc(endpoint.response_type) or endpoint.response_type.__name__
    return before + text.partition("\n")[0]


def _header_objects(names: Iterable[str]) -> dict[str, Any]:
    return {name: {"description": _HEADERS[name], "schema": {"type": "string"}} for name in names}


def _problems(endpoint: Endpoint) -> dict[str, Any]:
    titles: dict[int, list[str]] = {}
    problem_types: tuple[ProblemType, ...] = (*endpoint.problem_types, *_EVERYWHERE)
    for kind in problem_types:
        titles.setdefault(kind.status, []).append(kind.title)
    schema = {"$ref": _REFERENCE.format(name=ProblemDetails.__name__)}
    wait = {"headers": _header_objects(("Retry-After",))}
    return {
        str(status): {
            "description": "; or: ".join(dict.fromkeys(texts)) + ".",
            "content": {"application/problem+json": {"schema": schema}},
            **(wait if status in _RETRIED else {}),
        }
        for status, texts in sorted(titles.items())
    }
