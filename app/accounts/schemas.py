"""Bodies of the account routes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from app.auth.roles import Plan, Role
from app.http import text
from app.http.text import END

# Enough to catch a slip of the finger; whether the address exists, only a letter to it can tell.
Email = Annotated[
    str,
    Meta(
        min_length=3,
        max_length=254,
        pattern=r"^[^@\s\x00-\x20\x7f]{1,64}@[^@\s\x00-\x20\x7f]+\.[^@\s\x00-\x20\x7f]+" + END,
    ),
]
Password = Annotated[str, Meta(min_length=10, max_length=128, description="At least ten characters.")]
Candidate = Annotated[str, Meta(max_length=128)]
Name = Annotated[str, Meta(min_length=1, max_length=80)]


class SignUp(msgspec.Struct, forbid_unknown_fields=True):
    """A new account."""

    email: Email
    password: Password
    name: Name

    def __post_init__(self) -> None:
        self.email = text.address(self.email)
        self.name = text.name(self.name)


class SignIn(msgspec.Struct, forbid_unknown_fields=True):
    """Credentials."""

    email: Annotated[str, Meta(max_length=254)]
    password: Candidate
    device_token: Annotated[
        str, Meta(max_length=200, description="Of an earlier answer: this device had signed in before.")
    ] = ""


class Profile(msgspec.Struct, forbid_unknown_fields=True):
    """What an account says of itself."""

    name: Name

    def __post_init__(self) -> None:
        self.name = text.name(self.name)


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
    device_token: str = ""


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


class NewReset(msgspec.Struct, forbid_unknown_fields=True):
    """The address of an account whose password is forgotten."""

    email: Annotated[str, Meta(max_length=254)]


class Reset(msgspec.Struct, forbid_unknown_fields=True):
    """The code of the e-mail, and the new password."""

    token: Annotated[str, Meta(max_length=200)]
    password: Password


class Closing(msgspec.Struct, forbid_unknown_fields=True):
    """The password, to show that the owner is asking."""

    password: Candidate


class ExportedContent(msgspec.Struct):
    """A piece of content: what was asked for, and the text that was made."""

    id: str
    created_at: datetime
    state: str
    prompt: str
    text: str


class ExportedMedia(msgspec.Struct):
    """An uploaded image."""

    id: str
    created_at: datetime
    state: str


class ExportedOrder(msgspec.Struct):
    """Something that was bought."""

    id: str
    placed_at: datetime
    product: str
    price: int


class Export(msgspec.Struct):
    """Everything that is stored about an account."""

    exported_at: datetime
    account: Account
    sessions: list[SignInDevice]
    contents: list[ExportedContent]
    media: list[ExportedMedia]
    orders: list[ExportedOrder]
