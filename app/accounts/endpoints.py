"""The account routes."""

from __future__ import annotations

import re
from typing import Final

from app.accounts.schemas import (
    Account,
    NewPassword,
    Profile,
    RefreshToken,
    Roles,
    SignedIn,
    SignIn,
    SignIns,
    SignUp,
)
from app.auth.roles import Role
from app.http.preconditions import IF_MATCH, condition
from app.http.problems import CHANGED_SINCE, EMAIL_TAKEN, SESSION_OVER, WRONG_CREDENTIALS
from app.http.routing import Access, Call, Routes
from app.ids import Id
from app.rate_limits.policies import Class
from app.resilience.priority import Urgency

accounts = Routes("/v1/accounts", tag="accounts")
sessions = Routes("/v1/sessions", tag="sessions")

_UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e]")
_LONGEST_DEVICE: Final = 120


@accounts.post("", status=201, access=Access.ANYONE, kinds=[EMAIL_TAKEN], limits=Class.SIGN_UP)
async def sign_up(call: Call, body: SignUp) -> SignedIn:
    """Make an account and sign in to it."""
    return await call.services.accounts.sign_up(body, _device(call))


@accounts.get("/me")
async def me(call: Call) -> Account:
    """The account that is signed in."""
    return await call.services.accounts.read(call.session.account)


@accounts.put("/me/profile", kinds=[CHANGED_SINCE], headers=[IF_MATCH])
async def change_profile(call: Call, body: Profile) -> Account:
    """Change what the account says of itself; pieces that are published keep the name they came out under."""
    return await call.services.accounts.change_profile(call.session.account, body, condition(call))


@accounts.put("/me/password", status=204, kinds=[WRONG_CREDENTIALS])
async def change_password(call: Call, body: NewPassword) -> None:
    """Set another password. Every other session of the account ends."""
    await call.services.accounts.change_password(call.session, body)


@accounts.put("/{account_id}/roles", role=Role.ADMINISTRATOR)
async def set_roles(call: Call, account_id: Id, body: Roles) -> Account:
    """Replace the roles of an account. Its sessions have them from their next refresh on."""
    return await call.services.accounts.set_roles(account_id, body.roles)


@sessions.post(
    "",
    status=201,
    access=Access.ANYONE,
    kinds=[WRONG_CREDENTIALS],
    urgency=Urgency.VITAL,
    limits=Class.SIGN_IN,
)
async def sign_in(call: Call, body: SignIn) -> SignedIn:
    """Exchange credentials for a session."""
    return await call.services.accounts.sign_in(body, _device(call))


@sessions.get("")
async def list_own(call: Call) -> SignIns:
    """Where the account is signed in."""
    return await call.services.accounts.sign_ins(call.session)


@sessions.post(
    "/refresh",
    access=Access.ANYONE,
    kinds=[SESSION_OVER],
    urgency=Urgency.VITAL,
    limits=Class.REFRESH,
)
async def refresh(call: Call, body: RefreshToken) -> SignedIn:
    """Exchange a refresh token for the next pair of tokens.

    A refresh token is good once. When one is shown a second time the session ends, for whoever holds it; only
    within 30 seconds, the latest exchange can be repeated, for an answer that was lost on its way.
    """
    return await call.services.accounts.refresh(body.refresh_token)


@sessions.delete("/current", status=204)
async def sign_out(call: Call) -> None:
    """End the session that asks.

    Its tokens are good no more: here at once, with other pods within about a second.
    """
    await call.services.accounts.sign_out(call.session.account, call.session.id)


@sessions.delete("/{session_id}", status=204)
async def sign_out_elsewhere(call: Call, session_id: Id) -> None:
    """End another session of the account."""
    await call.services.accounts.sign_out(call.session.account, session_id)


def _device(call: Call) -> str:
    """What the client calls itself, for the list of sign-ins."""
    return _UNPRINTABLE.sub("?", call.header(b"user-agent") or "")[:_LONGEST_DEVICE]
