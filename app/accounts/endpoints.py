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
    CONFIRMATION_EXPIRED,
    PRECONDITION_FAILED,
    RESET_EXPIRED,
    SESSION_EXPIRED,
    WRONG_CREDENTIALS,
)
from app.http.routing import Access, RequestContext, Routes
from app.ids import Id
from app.rate_limits.policies import RateLimitClass
from app.resilience.priority import RequestPriority

accounts = Routes("/v1/accounts", tag="accounts")
sessions = Routes("/v1/sessions", tag="sessions")
resets = Routes("/v1/password-resets", tag="accounts")

_UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e]")
_MAX_DEVICE: Final = 120


@accounts.post("", status=202, access=Access.ANYONE, rate_limit_class=RateLimitClass.SIGN_UP)
async def sign_up(context: RequestContext, body: SignUp) -> SignUpAccepted:
    """Sign up.

    With `confirmation: mail`, send the code of the mail to `POST /v1/accounts/confirmation`; with `none`,
    sign in. The response is the same whether the address has an account or not; the owner of an address that
    has one is notified by mail.
    """
    return await context.services.registration.sign_up(body)


@accounts.post(
    "/confirmation",
    status=201,
    access=Access.ANYONE,
    problem_types=[CONFIRMATION_EXPIRED],
    rate_limit_class=RateLimitClass.SIGN_IN,
)
async def confirm(context: RequestContext, body: Confirming) -> SignedIn:
    """Create the account with the code of the mail, and sign in."""
    return await context.services.registration.confirm(body, _client(context))


@accounts.get("/me")
async def me(context: RequestContext) -> Account:
    """Get the account of this session."""
    return await context.services.accounts.read(context.session.account)


@accounts.put("/me/profile", problem_types=[PRECONDITION_FAILED], headers=[IF_MATCH])
async def change_profile(context: RequestContext, body: Profile) -> Account:
    """Change the public data of the account. Content that is already published retains its author name."""
    return await context.services.accounts.change_profile(context.session.account, body, condition(context))


@accounts.put("/me/password", status=204, problem_types=[WRONG_CREDENTIALS])
async def change_password(context: RequestContext, body: NewPassword) -> None:
    """Change the password. Every other session of the account ends."""
    await context.services.accounts.change_password(context.session, body)


@accounts.get("/me/export", priority=RequestPriority.BULK, rate_limit_class=RateLimitClass.EXPORT)
async def export(context: RequestContext) -> Export:
    """Export everything that is stored about the account.

    At most 10,000 items of each kind, latest first, ten times an hour.
    """
    return await context.services.recovery.export(context.session)


@accounts.post("/me/deletion", status=204, problem_types=[WRONG_CREDENTIALS])
async def close(context: RequestContext, body: Closing) -> None:
    """Delete the account.

    At once, every session ends, the account is anonymous, and its content is withdrawn from the feed. Its
    content, uploads and events are removed within two minutes. Orders and payments remain without a name, as
    the law requires.
    """
    await context.services.recovery.close(context.session, body, context.services.feed)


@resets.post("", status=202, access=Access.ANYONE, rate_limit_class=RateLimitClass.SIGN_UP)
async def request_reset(context: RequestContext, body: NewReset) -> None:
    """Send a code for a new password to an e-mail address.

    The response is the same whether the address has an account or not.
    """
    context.services.recovery.request_reset(body)


@resets.post(
    "/completion",
    access=Access.ANYONE,
    problem_types=[RESET_EXPIRED],
    rate_limit_class=RateLimitClass.SIGN_IN,
)
async def complete_reset(context: RequestContext, body: Reset) -> SignedIn:
    """Set a new password with the code of the e-mail, and sign in.

    Every other session of the account ends.
    """
    return await context.services.recovery.reset(body, _client(context))


@accounts.put("/{account_id}/roles", role=Role.ADMINISTRATOR)
async def set_roles(context: RequestContext, account_id: Id, body: Roles) -> Account:
    """Replace the roles of an account. Takes effect in each session at its next token refresh."""
    return await context.services.accounts.set_roles(account_id, body.roles)


@sessions.post(
    "",
    status=201,
    access=Access.ANYONE,
    problem_types=[WRONG_CREDENTIALS],
    priority=RequestPriority.CRITICAL,
    rate_limit_class=RateLimitClass.SIGN_IN,
)
async def sign_in(context: RequestContext, body: SignIn) -> SignedIn:
    """Exchange credentials for a session."""
    return await context.services.accounts.sign_in(body, _client(context))


@sessions.get("")
async def list_own(context: RequestContext) -> SignIns:
    """List the devices that are signed in."""
    return await context.services.accounts.sign_ins(context.session)


@sessions.post(
    "/refresh",
    access=Access.ANYONE,
    problem_types=[SESSION_EXPIRED],
    priority=RequestPriority.CRITICAL,
    rate_limit_class=RateLimitClass.REFRESH,
)
async def refresh(context: RequestContext, body: RefreshToken) -> SignedIn:
    """Exchange a refresh token for the next pair of tokens.

    A refresh token is valid once; a second use ends the session. Within 30 seconds the latest exchange can be
    repeated, in case its response was lost.
    """
    return await context.services.accounts.refresh(body.refresh_token)


@sessions.delete("/current", status=204)
async def sign_out(context: RequestContext) -> None:
    """End the session of this request.

    Its tokens are revoked: in this pod at once, in others within about a second.
    """
    await context.services.accounts.sign_out(context.session.account, context.session.id)


@sessions.delete("/{session_id}", status=204)
async def sign_out_elsewhere(context: RequestContext, session_id: Id) -> None:
    """End another session of the account."""
    await context.services.accounts.sign_out(context.session.account, session_id)


def _client(context: RequestContext) -> Client:
    """Return the client, for the list of devices and for the rate limits."""
    return Client(_device(context), context.services.protection.client_addresses.find(context.scope))


def _device(context: RequestContext) -> str:
    return _UNPRINTABLE.sub("?", context.header(b"user-agent") or "")[:_MAX_DEVICE]
