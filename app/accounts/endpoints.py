"""The account routes."""

from __future__ import annotations

import re
from typing import Final

from app.accounts.schemas import (
    Account,
    Closing,
    Confirming,
    Export,
    NewPassword,
    NewReset,
    Profile,
    RefreshToken,
    Reset,
    Roles,
    SignedIn,
    SignIn,
    SignIns,
    SignUp,
    SignUpAccepted,
)
from app.accounts.service import Client
from app.auth.roles import Role
from app.http.preconditions import IF_MATCH, condition
from app.http.problems import (
    CHANGED_SINCE,
    CONFIRMATION_OVER,
    RESET_OVER,
    SESSION_OVER,
    WRONG_CREDENTIALS,
)
from app.http.routing import Access, Call, Routes
from app.ids import Id
from app.rate_limits.policies import RateLimitClass
from app.resilience.priority import RequestPriority

accounts = Routes("/v1/accounts", tag="accounts")
sessions = Routes("/v1/sessions", tag="sessions")
resets = Routes("/v1/password-resets", tag="accounts")

_UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e]")
_MAX_DEVICE: Final = 120


@accounts.post("", status=202, access=Access.ANYONE, limits=RateLimitClass.SIGN_UP)
async def sign_up(call: Call, body: SignUp) -> SignUpAccepted:
    """Sign up.

    With `confirmation: mail`, send the code of the mail to `POST /v1/accounts/confirmation`; with `none`,
    sign in. The response is the same whether the address has an account or not; the owner of an address that
    has one is notified by mail.
    """
    return await call.services.registration.sign_up(body)


@accounts.post(
    "/confirmation",
    status=201,
    access=Access.ANYONE,
    kinds=[CONFIRMATION_OVER],
    limits=RateLimitClass.SIGN_IN,
)
async def confirm(call: Call, body: Confirming) -> SignedIn:
    """Create the account with the code of the mail, and sign in."""
    return await call.services.registration.confirm(body, _client(call))


@accounts.get("/me")
async def me(call: Call) -> Account:
    """The account that is signed in."""
    return await call.services.accounts.read(call.session.account)


@accounts.put("/me/profile", kinds=[CHANGED_SINCE], headers=[IF_MATCH])
async def change_profile(call: Call, body: Profile) -> Account:
    """Change the public data of the account; published pieces retain the name they were published with."""
    return await call.services.accounts.change_profile(call.session.account, body, condition(call))


@accounts.put("/me/password", status=204, kinds=[WRONG_CREDENTIALS])
async def change_password(call: Call, body: NewPassword) -> None:
    """Set another password. Every other session of the account ends."""
    await call.services.accounts.change_password(call.session, body)


@accounts.get("/me/export")
async def export(call: Call) -> Export:
    """Export everything that is stored about the account."""
    return await call.services.recovery.export(call.session)


@accounts.post("/me/deletion", status=204, kinds=[WRONG_CREDENTIALS])
async def close(call: Call, body: Closing) -> None:
    """Delete the account.

    Every session ends and the account is anonymous at once; its content is removed within two minutes. Orders
    and payments remain without a name, as the law requires.
    """
    await call.services.recovery.close(call.session, body)


@resets.post("", status=202, access=Access.ANYONE, limits=RateLimitClass.SIGN_UP)
async def request_reset(call: Call, body: NewReset) -> None:
    """Send a code for a new password to an e-mail address.

    The response is the same whether the address has an account or not.
    """
    call.services.recovery.request_reset(body)


@resets.post("/completion", access=Access.ANYONE, kinds=[RESET_OVER], limits=RateLimitClass.SIGN_IN)
async def complete_reset(call: Call, body: Reset) -> SignedIn:
    """Set a new password with the code of the e-mail, and sign in.

    Every other session of the account ends.
    """
    return await call.services.recovery.reset(body, _client(call))


@accounts.put("/{account_id}/roles", role=Role.ADMINISTRATOR)
async def set_roles(call: Call, account_id: Id, body: Roles) -> Account:
    """Replace the roles of an account. Its sessions have them from their next refresh on."""
    return await call.services.accounts.set_roles(account_id, body.roles)


@sessions.post(
    "",
    status=201,
    access=Access.ANYONE,
    kinds=[WRONG_CREDENTIALS],
    priority=RequestPriority.CRITICAL,
    limits=RateLimitClass.SIGN_IN,
)
async def sign_in(call: Call, body: SignIn) -> SignedIn:
    """Exchange credentials for a session."""
    return await call.services.accounts.sign_in(body, _client(call))


@sessions.get("")
async def list_own(call: Call) -> SignIns:
    """List the devices that are signed in."""
    return await call.services.accounts.sign_ins(call.session)


@sessions.post(
    "/refresh",
    access=Access.ANYONE,
    kinds=[SESSION_OVER],
    priority=RequestPriority.CRITICAL,
    limits=RateLimitClass.REFRESH,
)
async def refresh(call: Call, body: RefreshToken) -> SignedIn:
    """Exchange a refresh token for the next pair of tokens.

    A refresh token is valid once; a second use ends the session. Within 30 seconds the latest exchange can be
    repeated, in case its response was lost.
    """
    return await call.services.accounts.refresh(body.refresh_token)


@sessions.delete("/current", status=204)
async def sign_out(call: Call) -> None:
    """End the session of this request.

    Its tokens are revoked: in this pod at once, in others within about a second.
    """
    await call.services.accounts.sign_out(call.session.account, call.session.id)


@sessions.delete("/{session_id}", status=204)
async def sign_out_elsewhere(call: Call, session_id: Id) -> None:
    """End another session of the account."""
    await call.services.accounts.sign_out(call.session.account, session_id)


def _client(call: Call) -> Client:
    """The client, for the list of devices and for the rate limits."""
    return Client(_device(call), call.services.engine.addresses.of(call.scope))


def _device(call: Call) -> str:
    return _UNPRINTABLE.sub("?", call.header(b"user-agent") or "")[:_MAX_DEVICE]
