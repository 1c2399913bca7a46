"""Bodies of the account routes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

# Enough to catch a slip of the finger; whether the address exists, only a letter to it can tell.
Email = Annotated[
    str, Meta(min_length=3, max_length=254, pattern=r"^[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+\.[^@\s\x00-\x1f]+$")
]
Password = Annotated[str, Meta(min_length=10, max_length=128, description="At least ten characters.")]


class SignUp(msgspec.Struct, forbid_unknown_fields=True):
    """A new account."""

    email: Email
    password: Password
    name: Annotated[str, Meta(min_length=1, max_length=80)]


class SignIn(msgspec.Struct, forbid_unknown_fields=True):
    """Credentials."""

    email: Annotated[str, Meta(max_length=254)]
    password: Annotated[str, Meta(max_length=128)]


class Account(msgspec.Struct):
    """An account, as its owner sees it."""

    id: str
    email: str
    name: str
    plan: str
    created_at: datetime


class SignedIn(msgspec.Struct):
    """A session. Send the token as ``Authorization: Bearer <token>``."""

    token: str
    token_type: str
    expires_in: int
    account: Account
