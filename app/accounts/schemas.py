"""Bodies of the account routes."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from app.auth.roles import Plan, Role
from app.http import text
from app.http.text import CODE, END, LINE, NOT_IN_LINE

_VISIBLE: Final = rf"[^@\s{NOT_IN_LINE}]"
_LABEL: Final = rf"[^@.\s{NOT_IN_LINE}]{{1,63}}"  # the longest that DNS has
# Detects typing errors; only a mail to the address can prove that it exists.
Email = Annotated[
    str,
    Meta(
        min_length=3,
        max_length=254,
        pattern=rf"^{_VISIBLE}{{1,64}}@{_LABEL}(\.{_LABEL})+{END}",
    ),
]
Password = Annotated[str, Meta(min_length=10, max_length=128, description="At least ten characters.")]
Candidate = Annotated[str, Meta(max_length=128)]
Name = Annotated[str, Meta(min_length=1, max_length=80, extra_json_schema={"pattern": LINE})]
# Of an existing account: compared in the form of :func:`app.http.text.address_key`.
KnownEmail = Annotated[str, Meta(max_length=254, pattern=LINE)]
Code = Annotated[str, Meta(max_length=200, pattern=CODE)]


class SignUp(msgspec.Struct, forbid_unknown_fields=True):
    """A new account."""

    email: Email
    password: Password
    name: Name

    def __post_init__(self) -> None:
        self.email = text.address(self.email)
        self.name = text.name(self.name)


class Confirmation(StrEnum):
    """The next step of a sign-up: the code of the mail, or none, and the account can sign in."""

    MAIL = "mail"
    NONE = "none"


class SignUpAccepted(msgspec.Struct):
    """A sign-up was accepted; the same for an address with and without an account."""

    confirmation: Confirmation


class Confirming(msgspec.Struct, forbid_unknown_fields=True):
    """The code that was mailed to the address."""

    code: Code


class SignIn(msgspec.Struct, forbid_unknown_fields=True):
    """Credentials."""

    email: KnownEmail
    password: Candidate
    device_token: Annotated[
        str,
        Meta(
            max_length=200,
            pattern=CODE,
            description="Device token of an earlier response: this device has signed in before.",
        ),
    ] = ""


class Profile(msgspec.Struct, forbid_unknown_fields=True):
    """The public data of an account."""

    name: Name

    def __post_init__(self) -> None:
        self.name = text.name(self.name)


class RefreshToken(msgspec.Struct, forbid_unknown_fields=True):
    """The refresh token of the latest response."""

    refresh_token: Code


class NewPassword(msgspec.Struct, forbid_unknown_fields=True):
    """A password in place of the current one."""

    current: Candidate
    new: Password


class Roles(msgspec.Struct, forbid_unknown_fields=True):
    """All roles of an account."""

    roles: Annotated[list[Role], Meta(max_length=len(Role))]


class Account(msgspec.Struct):
    """An account as its owner sees it.

    ``balance`` is in cents; ``plan_until`` is the end of a bought plan.
    """

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

    The token is valid for ``expires_in`` seconds; then exchange the refresh token, which is valid once, for
    the next pair.
    """

    token: str
    token_type: str
    expires_in: int
    refresh_token: str
    account: Account
    device_token: str = ""


class SignIns(msgspec.Struct):
    """The devices that are signed in, latest first."""

    items: list[SignInDevice]


class SignInDevice(msgspec.Struct):
    """A session that can be refreshed. ``current`` is true for the session of this request."""

    id: str
    device: str
    created_at: datetime
    refreshed_at: datetime
    current: bool


class NewReset(msgspec.Struct, forbid_unknown_fields=True):
    """The address of an account that requests a password reset."""

    email: KnownEmail


class Reset(msgspec.Struct, forbid_unknown_fields=True):
    """The code of the e-mail, and the new password."""

    token: Code
    password: Password


class Closing(msgspec.Struct, forbid_unknown_fields=True):
    """The password of the account, as confirmation."""

    password: Candidate


class ExportedContent(msgspec.Struct):
    """A piece of content: its prompt and the generated text."""

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
    """An order."""

    id: str
    placed_at: datetime
    product: str
    price: int


class ExportedPayment(msgspec.Struct):
    """A payment to the balance, in cents."""

    id: str
    paid_at: datetime
    amount: int


class ExportedEvent(msgspec.Struct):
    """An event of the app."""

    id: str
    name: str
    at: datetime
    content: str | None = None
    screen: str | None = None
    seconds: float | None = None


class Export(msgspec.Struct):
    """Everything that is stored about an account."""

    exported_at: datetime
    account: Account
    sessions: list[SignInDevice]
    contents: list[ExportedContent]
    media: list[ExportedMedia]
    orders: list[ExportedOrder]
    payments: list[ExportedPayment]
    events: list[ExportedEvent]
