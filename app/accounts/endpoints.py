"""The account routes."""

from __future__ import annotations

from app.accounts.schemas import Account, SignedIn, SignIn, SignUp
from app.problems import EMAIL_TAKEN, WRONG_CREDENTIALS
from app.routing import Access, Call, Routes

accounts = Routes("/v1/accounts", tag="accounts")
sessions = Routes("/v1/sessions", tag="sessions")


@accounts.post("", status=201, access=Access.ANYONE, kinds=[EMAIL_TAKEN])
async def sign_up(call: Call, body: SignUp) -> SignedIn:
    """Make an account and sign in to it."""
    return await call.services.accounts.sign_up(body)


@accounts.get("/me")
async def me(call: Call) -> Account:
    """The account that is signed in."""
    return await call.services.accounts.read(call.session.account)


@sessions.post("", status=201, access=Access.ANYONE, kinds=[WRONG_CREDENTIALS])
async def sign_in(call: Call, body: SignIn) -> SignedIn:
    """Exchange credentials for a session."""
    return await call.services.accounts.sign_in(body)
