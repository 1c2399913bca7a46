"""Bodies of the account routes: addresses, passwords and names."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from app.accounts.schemas import NewPassword, Profile, Roles, SignUp

VALID = {"email": "ada@example.com", "password": "correct horse", "name": "Ada"}


def sign_up(**changes: Any) -> SignUp:
    return msgspec.convert(VALID | changes, SignUp)


@pytest.mark.parametrize(
    "email",
    [
        *("a@b.c", "ada+tag@sub.example.com", "ä@exämple.de"),
        *("x" * 64 + "@example.com", "a@" + "x" * 63 + ".com"),
    ],
)
def test_address_is_accepted(email: str) -> None:
    assert sign_up(email=email).email == email


@pytest.mark.parametrize(
    "email",
    [
        "",
        "ada",
        "ada@example",
        "@example.com",
        "a b@example.com",
        "ada@@example.com",
        "ada@example.com\n",
        "ada@exam\u200bple.com",
        "x" * 65 + "@example.com",
        "a@" + "x" * 250 + ".com",
        "a@" + "x" * 64 + ".com",
        "ada@example..com",
        "ada@.example.com",
        "ada@example.com.",
    ],
)
def test_malformed_address_is_refused(email: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        sign_up(email=email)


@pytest.mark.parametrize(("length", "valid"), [(9, False), (10, True), (128, True), (129, False)])
def test_length_of_a_password(length: int, valid: bool) -> None:
    if valid:
        assert sign_up(password="x" * length)
        assert msgspec.convert({"current": "", "new": "x" * length}, NewPassword)
    else:
        with pytest.raises(msgspec.ValidationError):
            sign_up(password="x" * length)


def test_name_is_normalized() -> None:
    assert sign_up(name="  Zoe\u0308 ").name == "Zo\u00eb"
    assert msgspec.convert({"name": " Ada "}, Profile).name == "Ada"
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"name": "  "}, Profile)


def test_unknown_members_and_roles_are_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown field `role`"):
        sign_up(role="administrator")
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"roles": ["owner"]}, Roles)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"roles": ["analyst"] * 3}, Roles)
