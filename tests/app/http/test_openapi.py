"""The OpenAPI document of the routes."""

from __future__ import annotations

import json
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta

from app.auth.roles import Role
from app.http.openapi import document
from app.http.routing import Access, Raw, RequestContext, RequestHeader, Routes
from app.http.text import END


class NewThing(msgspec.Struct):
    """A thing to create."""

    name: Annotated[str, Meta(pattern="^[a-z]+" + END)]


class Thing(msgspec.Struct):
    """A thing."""

    name: str


class Search(msgspec.Struct):
    word: str
    limit: Annotated[int, Meta(ge=1)] = 20


feed, orders = Routes("/v1/feed", tag="feed"), Routes("/v1/orders", tag="orders")


@orders.post(
    "/{order}",
    status=202,
    role=Role.ANALYST,
    headers=(RequestHeader("If-Match", "Entity tag.", pattern="^x" + END),),
    response_headers=("Location",),
)
async def create(context: RequestContext, order: str, body: NewThing) -> Thing:
    """Create a thing.

    In the
    background.
    """
    return Thing("a")


@feed.get("/", access=Access.ANYONE)
async def search(context: RequestContext, query: Search) -> Thing:
    """Search things."""
    return Thing("a")


@feed.get("/file", access=Access.ANYONE, media_type="text/csv")
async def export(context: RequestContext) -> Raw:
    """Export things."""
    return Raw(b"")


@orders.delete("/{order}", status=204)
async def remove(context: RequestContext, order: str) -> None:
    """Remove a thing."""


@pytest.fixture(scope="module")
def openapi() -> dict[str, Any]:
    endpoints = [*orders.endpoints, *feed.endpoints]
    return document(endpoints, base="https://api.test", version="1.2.3")


def test_paths_are_in_the_order_of_the_tags(openapi: dict[str, Any]) -> None:
    assert list(openapi["paths"]) == ["/v1/feed/", "/v1/feed/file", "/v1/orders/{order}"]
    assert openapi["servers"] == [{"url": "https://api.test"}]
    assert openapi["info"]["version"] == "1.2.3"


def test_parameters_are_those_of_path_query_and_headers(openapi: dict[str, Any]) -> None:
    found = openapi["paths"]["/v1/feed/"]["get"]["parameters"]
    assert [(item["name"], item["in"], item["required"]) for item in found] == [
        ("word", "query", True),
        ("limit", "query", False),
    ]
    found = openapi["paths"]["/v1/orders/{order}"]["post"]["parameters"]
    assert [(item["name"], item["in"], item["required"]) for item in found] == [
        ("order", "path", True),
        ("If-Match", "header", False),
    ]


def test_patterns_are_portable(openapi: dict[str, Any]) -> None:
    assert openapi["components"]["schemas"]["NewThing"]["properties"]["name"]["pattern"] == "^[a-z]+$"
    assert "(?!" not in json.dumps(openapi["paths"])


def test_operation_with_a_session_and_a_role(openapi: dict[str, Any]) -> None:
    operation = openapi["paths"]["/v1/orders/{order}"]["post"]
    assert operation["operationId"] == "orders_create"
    assert operation["security"] == [{"session": []}]
    assert operation["description"] == "In the background. Only for the role `analyst`."
    assert "security" not in openapi["paths"]["/v1/feed/"]["get"]


def test_responses_have_their_bodies_headers_and_problems(openapi: dict[str, Any]) -> None:
    responses = openapi["paths"]["/v1/orders/{order}"]["post"]["responses"]
    assert {"202", "400", "401", "403", "404", "413", "422", "429", "503"} <= responses.keys()
    accepted = responses["202"]
    assert accepted["description"] == "Accepted; the work continues in the background. A thing."
    assert list(accepted["headers"]) == ["Location"]
    assert accepted["content"]["application/json"]["schema"]["$ref"].endswith("/Thing")
    assert list(responses["401"]["content"]) == ["application/problem+json"]


def test_reads_can_be_conditional_and_raw_data_cannot(openapi: dict[str, Any]) -> None:
    found = openapi["paths"]["/v1/feed/"]["get"]["responses"]
    assert list(found["304"]["headers"]) == list(found["200"]["headers"]) == ["ETag"]
    found = openapi["paths"]["/v1/feed/file"]["get"]["responses"]
    assert found["200"]["description"] == "The data, as `text/csv`."
    assert "304" not in found


def test_response_without_a_body(openapi: dict[str, Any]) -> None:
    found = openapi["paths"]["/v1/orders/{order}"]["delete"]["responses"]["204"]
    assert found == {"description": "Done; the response has no body."}


def test_types_that_share_a_name_are_refused() -> None:
    other = Routes("/v1/feed", tag="feed")
    same = msgspec.defstruct("Thing", [("size", int)], module="elsewhere")

    async def handler(context: RequestContext) -> Any: ...

    handler.__annotations__["return"] = same
    other.get("/other", access=Access.ANYONE)(handler)
    with pytest.raises(AssertionError, match="two types share a name"):
        document([*feed.endpoints, *other.endpoints], base="", version="")


def test_responses_that_are_to_be_retried_name_the_seconds_to_wait(openapi: dict[str, Any]) -> None:
    responses = openapi["paths"]["/v1/feed/"]["get"]["responses"]
    waits = [status for status, response in responses.items() if "Retry-After" in response.get("headers", {})]
    assert waits == ["429", "503"]
