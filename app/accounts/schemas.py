"""Bodies of the account routes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from app.auth.roles import Plan, Role

# Enough to catch a slip of the finger; whether the address exists, only a letter to it can tell.
Email = Annotated[
    str, Meta(min_length=3, max_length=254, pattern=r"^[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+\.[^@\s\x00-\x1f]+$")
]
Password = Annotated[str, Meta(min_length=10, max_length=128, description="At least ten characters.")]
Candidate = Annotated[str, Meta(max_length=128)]


class SignUp(msgspec.Struct, forbid_unknown_fields=True):
    """A new account."""

    email: Email
    password: Password
    name: Annotated[str, Meta(min_length=1, max_length=80)]


class SignIn(msgspec.Struct, forbid_unknown_fields=True):
    """Credentials."""

    email: Annotated[str, Meta(max_length=254)]
    password: Candidate


class Profile(msgspec.Struct, forbid_unknown_fields=True):
    """What an account says of itself."""

    name: Annotated[str, Meta(min_length=1, max_length=80)]


class RefreshToken(msgspec.Struct, forbid_unknown_fields=True):
    """The refresh token of the last answer."""

    refresh_token: Annotated[str, Meta(max_length=200)]


class NewPassword(msgspec.Struct, forbid_unknown_fields=True):
    """A password in place of the current one."""

    current: Candidate
    new: Password


class Roles(msgspec.Struct, forbid_unknown_fields=True):
    """All roles of an account."""

    roles: Annotated[list[Role], Meta(max_length=len(Role))]


class Account(msgspec.Struct):
    """An account, as its owner sees it. ``balance``: what can be spent, in cents; ``plan_until``: when a plan
    that was bought ends."""

    id: str
    email: str
    name: str
    plan: Plan
    roles: list[Role]
    balance: int
    created_at: datetime
    plan_until: datetime | None = None


class SignedIn(msgspec.Struct):
    """A session. Send the token as ``Authorization: Bearer <token>``.

    The token is good for ``expires_in`` seconds; then exchange the refresh token, which is good once, for the
    next pair.
    """

    token: str
    token_type: str
    expires_in: int
    refresh_token: str
    account: Account


class SignIns(msgspec.Struct):
    """Where the account is signed in, latest first."""

    items: list[SignInDevice]


class SignInDevice(msgspec.Struct):
    """A session that can be refreshed. ``current``: it is the one that asks."""

    id: str
    device: str
    created_at: datetime
    refreshed_at: datetime
    current: bool
