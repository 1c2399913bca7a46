"""Database operators in all inputs of a request: they are rejected or treated as text."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from app.ids import new_id
from tests.app.conftest import Person
from tests.app.contract.operations import OPERATIONS, TABLE, Request

OPERATORS: list[Any] = [{"$ne": None}, {"$gt": ""}, {"$where": "1"}, {"$regex": ".*"}, [{"$ne": 1}]]
WITH_BODY = [
    name
    for name, operation in OPERATIONS.items()
    if "application/json" in operation.get("requestBody", {}).get("content", {})
]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of all members of a body, at any depth."""
    members = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for name, member in members:
        yield (*path, name)
        yield from places(member, (*path, name))


def replaced(body: Any, path: tuple[Any, ...], value: Any) -> Any:
    changed = copy.deepcopy(body)
    inner = changed
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    return changed


def caller(name: str, ada: Person, administrator: Person, analyst: Person) -> httpx.Client:
    role = TABLE[name].role
    return {"administrator": administrator, "analyst": analyst}.get(str(role), ada).client


@pytest.mark.parametrize("name", WITH_BODY)
def test_body_members_reject_operators(
    name: str, ada: Person, administrator: Person, analyst: Person
) -> None:
    client = caller(name, ada, administrator, analyst)
    request = TABLE[name].make(ada)
    found = list(places(request.json))
    assert found, "a body has members"
    for path in found:
        for operator in OPERATORS:
            body = replaced(request.json, path, operator)
            sent = Request(request.path, body, headers=request.headers)
            response = sent.send(client, name.partition(" ")[0])
            assert response.status_code == 422, f"{path} took {operator}: {response.text}"
    extra = Request(request.path, {**request.json, "$where": "1"}, headers=request.headers)
    assert extra.send(client, name.partition(" ")[0]).status_code == 422


@pytest.mark.parametrize("name", [name for name in OPERATIONS if "{" in name])
def test_path_parameters_reject_operators(
    name: str, ada: Person, administrator: Person, analyst: Person
) -> None:
    client = caller(name, ada, administrator, analyst)
    method, _, path = name.partition(" ")
    parameters = [each["name"] for each in OPERATIONS[name]["parameters"] if each["in"] == "path"]
    for value in ('{"$ne":null}', "[$ne]", "$where", "*", "..", "%00", "' || '1'=='1", new_id() + "$"):
        odd = path
        for parameter in parameters:
            odd = odd.replace(f"{{{parameter}}}", quote(value, safe=""))
        body = TABLE[name].make(ada).json if "requestBody" in OPERATIONS[name] else None
        response = Request(odd, body).send(client, method)
        assert response.status_code in {404, 405, 422}, f"{odd}: {response.status_code}"


@pytest.mark.parametrize("name", [name for name, each in OPERATIONS.items() if each["parameters"]])
def test_query_parameters_reject_operators(
    name: str, ada: Person, administrator: Person, analyst: Person
) -> None:
    client = caller(name, ada, administrator, analyst)
    queried = [each["name"] for each in OPERATIONS[name]["parameters"] if each["in"] == "query"]
    request = TABLE[name].make(ada)
    path = request.path.partition("?")[0]
    for parameter in queried:
        for query in ({f"{parameter}[$ne]": "1"}, {parameter: '{"$ne":null}'}, {parameter: "$where"}):
            response = client.request(name.partition(" ")[0], path, params=query)
            assert response.status_code == 422, f"{query}: {response.text}"


def test_text_that_resembles_an_operator_is_stored_as_text(ada: Person) -> None:
    prompt = '{"$where": "sleep(1000)"} $ne ..'
    content = ada.create(prompt)
    assert ada.finished(content["id"])["prompt"] == prompt
