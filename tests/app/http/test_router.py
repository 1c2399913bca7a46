from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from app.http.problems import METHOD_NOT_ALLOWED, NOT_FOUND, Problem
from app.http.router import Resource, Router

PATHS = ["/", "/v1/things", "/v1/things/{thing}", "/v1/things/current", "/v1/things/{thing}/parts/{part}"]


def named(name: str) -> ASGIApp:
    """An application that only notes that it was asked."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["answered_by"] = name

    return app


@pytest.fixture
def paths() -> Router:
    resources = [Resource(path, {"GET": named(path), "PUT": named(path)}) for path in PATHS]
    return Router([*resources, Resource("/v1/things/current/owner", {"GET": named("owner")})])


async def ask(paths: Router, path: str, method: str = "GET") -> Scope:
    scope: Scope = {"type": "http", "method": method, "path": path}

    async def receive() -> MutableMapping[str, Any]:
        raise AssertionError("nothing is read here")

    async def send(message: MutableMapping[str, Any]) -> None:
        raise AssertionError("nothing is answered here")

    await paths(scope, receive, send)
    return scope


pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("path", "route", "parameters"),
    [
        ("/", "/", {}),
        ("/v1/things", "/v1/things", {}),
        ("/v1/things/seven", "/v1/things/{thing}", {"thing": "seven"}),
        ("/v1/things/seven/parts/x y", PATHS[-1], {"thing": "seven", "part": "x y"}),
    ],
)
async def test_a_path_leads_to_its_route_with_its_parameters(
    paths: Router, path: str, route: str, parameters: dict[str, str]
) -> None:
    scope = await ask(paths, path)
    assert (scope["route"], scope["answered_by"], scope["path_params"]) == (route, route, parameters)


async def test_what_is_written_out_wins_over_what_is_not(paths: Router) -> None:
    assert (await ask(paths, "/v1/things/current"))["route"] == "/v1/things/current"
    # …but does not hide what only the other way leads to.
    scope = await ask(paths, "/v1/things/current/parts/one")
    assert scope["path_params"] == {"thing": "current", "part": "one"}


@pytest.mark.parametrize(
    "path",
    ["", "/v1", "/v1/", "/v1/things/", "/v1//seven", "/v1/things/seven/parts", "/v1/things/a/parts/b/c"],
)
async def test_no_other_path_leads_anywhere(paths: Router, path: str) -> None:
    with pytest.raises(Problem) as refusal:
        await ask(paths, path)
    assert refusal.value.kind is NOT_FOUND


async def test_a_head_is_answered_as_a_get_and_other_methods_are_named(paths: Router) -> None:
    assert (await ask(paths, "/v1/things", "HEAD"))["answered_by"] == "/v1/things"
    with pytest.raises(Problem) as refusal:
        await ask(paths, "/v1/things/current/owner", "PUT")
    assert (refusal.value.kind, refusal.value.headers) == (METHOD_NOT_ALLOWED, {"allow": "GET, HEAD"})


def test_a_path_is_there_once() -> None:
    one = Resource("/v1/{a}", {"GET": named("one")})
    with pytest.raises(AssertionError, match="duplicate path"):
        Router([one, Resource("/v1/{b}", {"GET": named("other")})])
