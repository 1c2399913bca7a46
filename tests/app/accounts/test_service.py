"""Accounts: views of stored documents, credentials, and passwords that change at the same time."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from redis.asyncio import Redis

from app import clock
from app.accounts.guard import SignInGuard
from app.accounts.passwords import Passwords
from app.accounts.refresh_sessions import RefreshSessions
from app.accounts.revocations import Revocations
from app.accounts.schemas import NewPassword, Profile, SignIn
from app.accounts.service import Accounts, Client, account, account_results, key, plan_of, require_strong
from app.auth.roles import Plan, Role
from app.auth.tokens import Tokens
from app.connections import Database
from app.http.problems import (
    INVALID,
    NOT_FOUND,
    PRECONDITION_FAILED,
    SESSION_EXPIRED,
    TOO_MANY_REQUESTS,
    UNAUTHENTICATED,
    WRONG_CREDENTIALS,
    Problem,
    ProblemType,
)
from app.ids import new_id
from app.rate_limits import Limiter
from app.rate_limits.policies import RateLimitPolicies

pytestmark = pytest.mark.anyio
PASSWORD, CLIENT = "correct horse battery", Client("browser", "192.0.2.1")


def document(**changes: Any) -> dict[str, Any]:
    return {
        "_id": new_id(),
        "email": "Ada@example.com",
        "email_key": "ada@example.com",
        "name": "Ada",
        "roles": ["analyst"],
        "balance": 0,
        "created_at": clock.now(),
    } | changes


async def refused(kind: ProblemType, call: Any) -> None:
    with pytest.raises(Problem) as raised:
        await call
    assert raised.value.kind is kind


@pytest.mark.parametrize(("seconds", "plan"), [(60, Plan.STUDIO), (-1, Plan.FREE), (None, Plan.FREE)])
async def test_plan_is_the_bought_one_until_it_expires(seconds: int | None, plan: Plan) -> None:
    until = None if seconds is None else clock.now() + timedelta(seconds=seconds)
    stored = document(subscription={"plan": "studio", "until": until} if until else None)
    assert plan_of(stored) is plan
    assert account(stored).plan_until == (until if plan is Plan.STUDIO else None)


async def test_spellings_of_an_address_have_one_key() -> None:
    assert key("ADA@Example.COM") == key("ada@example.com")
    assert key("ada@exämple.de") == "ada@xn--exmple-cua.de"


async def test_guessable_password_is_an_invalid_member() -> None:
    require_strong(PASSWORD, "a@example.com", "Ada")
    with pytest.raises(Problem) as raised:
        require_strong("password123", "a@example.com", "Ada", at="$.new")
    assert raised.value.kind is INVALID
    assert raised.value.errors[0].at == "$.new"


@pytest.fixture(scope="module")
def passwords() -> Any:
    found = Passwords()
    yield found
    found.close()


@pytest.fixture
async def accounts(own_database: Database, redis: Redis, passwords: Passwords) -> Accounts:
    tokens = Tokens((b"k" * 32,))
    revocations = Revocations(redis)
    found = Accounts(
        own_database,
        passwords,
        tokens,
        RefreshSessions(own_database, revocations),
        account_results(redis),
        SignInGuard(Limiter(redis), RateLimitPolicies(1.0)),
    )
    await found.prepare()
    return found


async def stored(accounts: Accounts, passwords: Passwords, **changes: Any) -> dict[str, Any]:
    found = document(password=await passwords.hash(PASSWORD), **changes)
    await accounts._accounts.insert_one(found)
    return found


async def test_sign_in_needs_the_password_of_the_address(accounts: Accounts, passwords: Passwords) -> None:
    await stored(accounts, passwords)
    signed_in = await accounts.sign_in(SignIn("ADA@example.com", PASSWORD), CLIENT)
    session = accounts._tokens.verify(signed_in.token)
    assert (session.account, session.roles) == (signed_in.account.id, ("analyst",))
    assert accounts._tokens.is_device_of("ada@example.com", signed_in.device_token)
    await refused(WRONG_CREDENTIALS, accounts.sign_in(SignIn("ada@example.com", PASSWORD + "x"), CLIENT))
    await refused(WRONG_CREDENTIALS, accounts.sign_in(SignIn("eve@example.com", PASSWORD), CLIENT))


async def test_session_for_a_former_password_is_not_opened(accounts: Accounts, passwords: Passwords) -> None:
    read = await stored(accounts, passwords)
    await accounts.set_password(read, "seven quiet lanterns")
    await refused(WRONG_CREDENTIALS, accounts.open_session(read, CLIENT))
    await refused(WRONG_CREDENTIALS, accounts.set_password(read, "another fine lantern"))
    assert await accounts._accounts.database["sessions"].count_documents({"account": read["_id"]}) == 0


async def test_session_that_a_password_change_ends_first_is_refused(
    accounts: Accounts, passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A password change may end a session before the sign-in or refresh that opened it has returned."""
    read = await stored(accounts, passwords)
    signed_in = await accounts.sign_in(SignIn("ada@example.com", PASSWORD), CLIENT)
    sessions = accounts._refresh_sessions
    await accounts.set_password(read, "seven quiet lanterns")

    def ending(call: Any) -> Any:
        async def ended(*arguments: Any, **named: Any) -> Any:
            result = await call(*arguments, **named)
            await sessions.end_others(read["_id"])
            return result

        return ended

    monkeypatch.setattr(sessions, "open", ending(sessions.open))
    monkeypatch.setattr(sessions, "renew", ending(sessions.renew))
    await refused(SESSION_EXPIRED, accounts.refresh(signed_in.refresh_token))
    await refused(WRONG_CREDENTIALS, accounts.open_session(read, CLIENT))


async def test_concurrent_uses_of_a_former_refresh_token_are_all_refused(
    accounts: Accounts, passwords: Passwords
) -> None:
    await stored(accounts, passwords)
    first = await accounts.sign_in(SignIn("ada@example.com", PASSWORD), CLIENT)
    await accounts.refresh((await accounts.refresh(first.refresh_token)).refresh_token)
    uses = [accounts.refresh(first.refresh_token) for _ in range(8)]
    problems = await asyncio.gather(*uses, return_exceptions=True)
    assert {each.kind if isinstance(each, Problem) else each for each in problems} == {SESSION_EXPIRED}


async def test_password_guessing_with_a_session_is_limited(accounts: Accounts, passwords: Passwords) -> None:
    await stored(accounts, passwords)
    body = SignIn("ada@example.com", PASSWORD)
    stolen, own = [accounts._tokens.verify((await accounts.sign_in(body, CLIENT)).token) for _ in range(2)]
    for _ in range(20):
        await refused(WRONG_CREDENTIALS, accounts.verify_password(stolen, "a guess"))
    await refused(TOO_MANY_REQUESTS, accounts.verify_password(stolen, PASSWORD))
    await accounts.verify_password(own, PASSWORD)


async def test_new_password_ends_the_other_sessions(accounts: Accounts, passwords: Passwords) -> None:
    await stored(accounts, passwords)
    body = SignIn("ada@example.com", PASSWORD)
    own, other = [await accounts.sign_in(body, CLIENT) for _ in range(2)]
    session = accounts._tokens.verify(own.token)
    await refused(
        WRONG_CREDENTIALS, accounts.change_password(session, NewPassword("x", "seven quiet lanterns"))
    )
    await refused(INVALID, accounts.change_password(session, NewPassword(PASSWORD, "password123")))
    await accounts.change_password(session, NewPassword(PASSWORD, "seven quiet lanterns"))
    assert (await accounts.refresh(own.refresh_token)).account == own.account
    with pytest.raises(Problem):
        await accounts.refresh(other.refresh_token)
    await refused(WRONG_CREDENTIALS, accounts.sign_in(body, CLIENT))


async def test_roles_are_replaced_and_cached_views_invalidated(
    accounts: Accounts, passwords: Passwords
) -> None:
    found = await stored(accounts, passwords)
    assert (await accounts.read(found["_id"])).roles == [Role.ANALYST]
    both = [Role.ANALYST, Role.ADMINISTRATOR, Role.ANALYST]
    assert (await accounts.set_roles(found["_id"], both)).roles == [Role.ADMINISTRATOR, Role.ANALYST]
    assert (await accounts.read(found["_id"])).roles == [Role.ADMINISTRATOR, Role.ANALYST]
    await refused(NOT_FOUND, accounts.set_roles(new_id(), both))


async def test_stale_condition_changes_nothing(accounts: Accounts, passwords: Passwords) -> None:
    found = await stored(accounts, passwords)
    await refused(PRECONDITION_FAILED, accounts.change_profile(found["_id"], Profile("Eve"), '"stale"'))
    assert (await accounts.change_profile(found["_id"], Profile("Eve"), "*")).name == "Eve"
    assert (await accounts.change_profile(found["_id"], Profile("Ada"), None)).name == "Ada"


async def test_deleted_account_is_not_found(accounts: Accounts, passwords: Passwords) -> None:
    found = await stored(accounts, passwords, deleted_at=clock.now())
    await refused(UNAUTHENTICATED, accounts.find(found["_id"]))
    await refused(UNAUTHENTICATED, accounts.find(new_id()))
    await refused(NOT_FOUND, accounts.set_roles(found["_id"], [Role.ADMINISTRATOR]))


async def test_profile_of_an_account_that_is_deleted_meanwhile_is_not_changed(
    accounts: Accounts, passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = await stored(accounts, passwords)
    find, documents = accounts.find, accounts._accounts

    async def deleting(account_id: str) -> dict[str, Any]:
        read = await find(account_id)
        anonymous = {"$set": {"name": "", "deleted_at": clock.now()}}
        await documents.update_one({"_id": account_id}, anonymous)
        return read

    monkeypatch.setattr(accounts, "find", deleting)
    await refused(UNAUTHENTICATED, accounts.change_profile(found["_id"], Profile("Eve"), None))
    assert (await documents.find_one({"_id": found["_id"]}) or {})["name"] == ""
