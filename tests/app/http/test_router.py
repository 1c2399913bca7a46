from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from app.http.problems import METHOD_NOT_ALLOWED, NOT_FOUND, Problem
from app.http.router import Resource, Router

PATHS = ["/", "/v1/things", "/v1/things/{thing}", "/v1/things/current", "/v1/things/{thing}/parts/{part}"]


def named(name: str) -> ASGIApp:
    """Return an application that records in the scope that it was called."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["handled_by"] = name

    return app


@pytest.fixture
def router() -> Router:
    resources = [Resource(path, {"GET": named(path), "PUT": named(path)}) for path in PATHS]
    return Router([*resources, Resource("/v1/things/current/owner", {"GET": named("owner")})])


async def dispatch(router: Router, path: str, method: str = "GET") -> Scope:
    scope: Scope = {"type": "http", "method": method, "path": path}

    async def receive() -> MutableMapping[str, Any]:
        raise AssertionError("the router must not read the request")

    async def send(message: MutableMapping[str, Any]) -> None:
        raise AssertionError("the router must not send a response")

    await router(scope, receive, send)
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
async def test_path_is_routed_with_its_parameters(
    router: Router, path: str, route: str, parameters: dict[str, str]
) -> None:
    scope = await dispatch(router, path)
    assert (scope["route"], scope["handled_by"], scope["path_params"]) == (route, route, parameters)


async def test_literal_segments_take_precedence(router: Router) -> None:
    assert (await dispatch(router, "/v1/things/current"))["route"] == "/v1/things/current"
    # A literal prefix does not hide a route that is reached through the parameter only.
    scope = await dispatch(router, "/v1/things/current/parts/one")
    assert scope["path_params"] == {"thing": "current", "part": "one"}


@pytest.mark.parametrize(
    "path",
    ["", "/v1", "/v1/", "/v1/things/", "/v1//seven", "/v1/things/seven/parts", "/v1/things/a/parts/b/c"],
)
async def test_unknown_paths_are_not_found(router: Router, path: str) -> None:
    with pytest.raises(Problem) as refusal:
        await dispatch(router, path)
    assert refusal.value.kind is NOT_FOUND


async def test_head_is_served_by_get_and_allowed_methods_are_listed(router: Router) -> None:
    assert (await dispatch(router, "/v1/things", "HEAD"))["handled_by"] == "/v1/things"
    with pytest.raises(Problem) as refusal:
        await dispatch(router, "/v1/things/current/owner", "PUT")
    assert (refusal.value.kind, refusal.value.headers) == (METHOD_NOT_ALLOWED, {"allow": "GET, HEAD"})


def test_duplicate_paths_are_rejected() -> None:
    one = Resource("/v1/{a}", {"GET": named("one")})
    with pytest.raises(AssertionError, match="duplicate path"):
        Router([one, Resource("/v1/{b}", {"GET": named("other")})])
