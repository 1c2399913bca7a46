"""Authorization: every operation is called by unauthorized callers and by an authorized one."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path

import httpx
import pytest

from app.auth.roles import Role
from app.auth.tokens import Session, Tokens
from app.ids import new_id
from tests.app.conftest import Person
from tests.app.contract.operations import OPERATIONS, TABLE, Request
from tests.app.test_application import problem
from tests.support.backends import Platform

GUARDED = [name for name, row in TABLE.items() if not row.anyone]
OPEN = [name for name, row in TABLE.items() if row.anyone]
OWNED = [name for name, row in TABLE.items() if row.owned]
BY_ROLE = [name for name, row in TABLE.items() if row.role is not None]


def method(name: str) -> str:
    return name.partition(" ")[0]


def key(platform: Platform) -> bytes:
    return base64.b64decode((Path(platform.settings["KINGDOM_SECRETS_DIR"]) / "session-key").read_text())


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def bad_tokens(platform: Platform, account: str) -> dict[str, str]:
    """Invalid tokens, each with a single defect."""
    now = int(time.time())
    good = Session(account, now + 900, new_id(), roles=tuple(Role))
    signed = Tokens((key(platform),)).sign(good)
    head, payload, signature = signed.split(".")
    claims = {"sub": account, "exp": now + 900, "sid": new_id(), "roles": list(Role)}
    return {
        "no token at all": "x",
        "of another key": Tokens((b"k" * 32,)).sign(good),
        "over": Tokens((key(platform),)).sign(Session(account, now - 1, new_id())),
        "without a signature": f"{head}.{payload}.",
        "of no algorithm": f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}.",
        "of a changed claim": f"{head}.{part(claims)}.{signature}",
        "cut off": signed[:-4],
        "a refresh token": "a.1.b",
    }


def test_every_operation_is_in_the_table() -> None:
    assert set(TABLE) == set(OPERATIONS), "a new route needs a row in the table of operations"


def test_document_matches_the_access_table() -> None:
    assert {name for name, operation in OPERATIONS.items() if "security" in operation} == set(GUARDED)
    declared = {
        name
        for name, operation in OPERATIONS.items()
        if "Only for the role" in operation.get("description", "")
    }
    assert declared == set(BY_ROLE)


@pytest.mark.parametrize("name", GUARDED)
def test_invalid_tokens_are_rejected(platform: Platform, client: httpx.Client, name: str) -> None:
    account = new_id()
    path = name.partition(" ")[2]
    for parameter in OPERATIONS[name]["parameters"]:
        path = path.replace(f"{{{parameter['name']}}}", new_id())
    request = Request(path)
    problem(request.send(client, method(name)), 401, "unauthenticated")
    for defect, token in bad_tokens(platform, account).items():
        refused = request.send(client, method(name), authorization=f"Bearer {token}")
        assert refused.status_code == 401, f"a token was accepted: {defect}"
    basic = request.send(client, method(name), authorization="Basic YWRhOmFkYQ==")
    problem(basic, 401, "unauthenticated")


@pytest.mark.parametrize("name", OPEN)
def test_public_operations_need_no_token(client: httpx.Client, ada: Person, name: str) -> None:
    row = TABLE[name]
    response = row.make(ada).send(client, method(name))
    if row.refused_as:
        problem(response, 401, row.refused_as)
    else:
        assert response.is_success, response.text


@pytest.mark.parametrize("name", OWNED)
def test_resources_of_other_accounts_are_not_found(ada: Person, eve: Person, name: str) -> None:
    request = TABLE[name].make(ada)
    refused = request.send(eve.client, method(name))
    absent = problem(refused, 404, "not-found")
    nothing = Request("/".join(new_id() if len(each) == 36 else each for each in request.path.split("/")))
    assert problem(nothing.send(eve.client, method(name)), 404, "not-found")["detail"] == absent["detail"]
    # Last, because some operations delete the resource: its owner still has access.
    allowed = request.send(ada.client, method(name))
    assert allowed.is_success, allowed.text


@pytest.mark.parametrize("name", BY_ROLE)
def test_operations_require_their_exact_role(
    name: str, ada: Person, eve: Person, administrator: Person, analyst: Person
) -> None:
    holders = {Role.ADMINISTRATOR: administrator, Role.ANALYST: analyst}
    request = TABLE[name].make(eve)
    problem(request.send(ada.client, method(name)), 403, "forbidden")
    problem(request.send(eve.client, method(name)), 403, "forbidden")
    for role, holder in holders.items():
        response = request.send(holder.client, method(name))
        if role is TABLE[name].role:
            assert response.is_success, response.text
        else:
            problem(response, 403, "forbidden")


LISTS = [name for name in GUARDED if name.startswith("GET") and "{" not in name and name not in BY_ROLE]


@pytest.mark.parametrize("name", LISTS)
def test_lists_exclude_resources_of_other_accounts(ada: Person, eve: Person, name: str) -> None:
    for make in ("POST /v1/contents", "POST /v1/uploads", "POST /v1/orders", "POST /v1/events"):
        assert TABLE[make].make(ada).send(ada.client, "POST").is_success
    hers = TABLE[name].make(ada).send(ada.client, "GET").text
    response = TABLE[name].make(eve).send(eve.client, "GET")
    assert response.is_success
    assert ada.account["id"] not in response.text
    shown = response.json()
    assert shown.get("items", []) == [] or name == "GET /v1/sessions"
    assert shown.get("events", []) == []
    assert response.text != hers


@pytest.mark.parametrize("name", GUARDED)
def test_authorized_callers_succeed(ada: Person, administrator: Person, analyst: Person, name: str) -> None:
    row = TABLE[name]
    caller = {Role.ADMINISTRATOR: administrator, Role.ANALYST: analyst, None: ada}[row.role]
    response = row.make(ada).send(caller.client, method(name))
    assert response.is_success, response.text
