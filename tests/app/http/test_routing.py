"""Routes as typed functions: decoding, roles, statuses, and problems that follow from a signature."""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from types import SimpleNamespace
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta

from app.auth.roles import Role
from app.auth.tokens import Session
from app.http import problems
from app.http.problems import Problem, ProblemType
from app.http.routing import Access, Raw, RequestContext, Response, Routes, authenticate
from app.ids import Id, new_id
from app.rate_limits.policies import RateLimitClass
from app.resilience.priority import RequestPriority

pytestmark = pytest.mark.anyio
routes = Routes("/v1/things", tag="things")


class Body(msgspec.Struct, forbid_unknown_fields=True):
    size: Annotated[int, Meta(ge=1)]


class Query(msgspec.Struct, forbid_unknown_fields=True):
    limit: int = 20


@routes.get("/{thing}", access=Access.SESSION)
async def read(context: RequestContext, thing: Id, query: Query) -> dict[str, Any]:
    """Read a thing.

    All of it.
    """
    return {"thing": thing, "limit": query.limit, "account": context.session.account}


@routes.post("/", status=201, access=Access.SESSION)
async def create(context: RequestContext, body: Body) -> Response[dict[str, int]]:
    """Create a thing."""
    return Response({"size": body.size}, headers=((b"location", b"/v1/things/1"),))


@routes.delete("/{thing}", status=204, role=Role.ADMINISTRATOR)
async def remove(context: RequestContext, thing: Id) -> None:
    """Remove a thing."""


@routes.get("/file", access=Access.ANYONE, media_type="text/csv")
async def export(context: RequestContext) -> Raw:
    """Export all things."""
    return Raw(b"a,b")


READ, CREATE, REMOVE, EXPORT = routes.endpoints
ADA = Session(account="ada", expires=0, id="s")


async def call(
    endpoint: Any,
    *,
    body: bytes = b"",
    query: bytes = b"",
    session: Session | None = ADA,
    path: dict[str, str] | None = None,
    media_type: str = "application/json",
) -> tuple[int, dict[bytes, bytes], bytes]:
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "http",
        "method": endpoint.method,
        "path": endpoint.path,
        "headers": [(b"content-type", media_type.encode())],
        "query_string": query,
        "path_params": path or {},
        "session": session,
        "slot": SimpleNamespace(release=lambda: None, acquire_again=lambda: None),
    }
    await endpoint.respond(SimpleNamespace(), scope, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"]), b"".join(message["body"] for message in sent[1:])


async def refused(kind: ProblemType, endpoint: Any, **arguments: Any) -> Problem:
    with pytest.raises(Problem) as raised:
        await call(endpoint, **arguments)
    assert raised.value.kind is kind
    return raised.value


async def test_arguments_are_decoded_from_path_query_and_body() -> None:
    thing = new_id()
    status, headers, body = await call(READ, path={"thing": thing}, query=b"limit=5")
    assert (status, json.loads(body)) == (200, {"thing": thing, "limit": 5, "account": "ada"})
    assert b"etag" in headers
    status, headers, body = await call(CREATE, body=b'{"size": 2}')
    assert (status, headers[b"location"], json.loads(body)) == (201, b"/v1/things/1", {"size": 2})


async def test_result_without_a_body_and_raw_results() -> None:
    administrator = Session(account="ada", expires=0, id="s", roles=("administrator",))
    assert (await call(REMOVE, path={"thing": new_id()}, session=administrator))[0] == 204
    status, headers, body = await call(EXPORT, session=None)
    assert (status, headers[b"content-type"], body) == (200, b"text/csv", b"a,b")


@pytest.mark.parametrize("session", [None, ADA])
async def test_role_is_required(session: Session | None) -> None:
    await refused(problems.FORBIDDEN, REMOVE, path={"thing": new_id()}, session=session)


async def test_malformed_requests_are_refused() -> None:
    await refused(problems.NOT_FOUND, READ, path={"thing": "x"})
    await refused(problems.INVALID, READ, path={"thing": new_id()}, query=b"limit=x")
    await refused(problems.MALFORMED, CREATE, body=b"{")
    await refused(problems.MALFORMED, CREATE, body=b"\xff")
    await refused(problems.UNSUPPORTED_MEDIA_TYPE, CREATE, body=b'{"size": 1}', media_type="text/plain")
    problem = await refused(problems.INVALID, CREATE, body=b'{"size": 0}')
    assert problem.errors[0].at == "$.size"
    await refused(problems.INVALID, CREATE, body=b'{"size": 1, "other": 1}')


async def test_media_type_may_have_parameters() -> None:
    assert (await call(CREATE, body=b'{"size": 1}', media_type="Application/JSON; charset=utf-8"))[0] == 201


async def test_endpoint_describes_its_handler() -> None:
    assert (READ.path, READ.summary, READ.description) == (
        "/v1/things/{thing}",
        "Read a thing.",
        "All of it.",
    )
    assert (CREATE.body, READ.query, list(READ.path_parameters)) == (Body, Query, ["thing"])
    assert not READ.streams


async def test_reads_and_writes_have_their_own_limits_and_priorities() -> None:
    assert (READ.priority, READ.rate_limit_class) == (RequestPriority.READ, RateLimitClass.READ)
    assert (CREATE.priority, CREATE.rate_limit_class) == (RequestPriority.WRITE, RateLimitClass.WRITE)


async def test_problem_types_follow_from_the_signature() -> None:
    assert {problems.UNAUTHENTICATED, problems.INVALID, problems.NOT_FOUND} <= set(READ.problem_types)
    assert {problems.TOO_LARGE, problems.MALFORMED, problems.UNSUPPORTED_MEDIA_TYPE} <= set(
        CREATE.problem_types
    )
    assert problems.FORBIDDEN in REMOVE.problem_types
    assert set(EXPORT.problem_types) == {problems.METHOD_NOT_ALLOWED}


def services(*revoked: str) -> Any:
    class Tokens:
        def authenticate(self, authorization: bytes | None) -> Session:
            assert authorization == b"Bearer token"
            return ADA

    return SimpleNamespace(tokens=Tokens(), revocations=set(revoked))


BEARER = {"type": "http", "headers": [(b"authorization", b"Bearer token")]}


async def test_session_is_that_of_the_header() -> None:
    assert authenticate(services(), dict(BEARER)) is ADA


async def test_revoked_session_is_refused() -> None:
    with pytest.raises(Problem, match="revoked"):
        authenticate(services("s"), dict(BEARER))
