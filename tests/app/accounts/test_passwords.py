"""Password hashes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from app.accounts import passwords as module
from app.accounts.passwords import Passwords
from app.http.problems import UNAVAILABLE, Problem

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def passwords() -> Iterator[Passwords]:
    found = Passwords()
    yield found
    found.close()


async def test_password_matches_its_own_hash_only(passwords: Passwords) -> None:
    encoded = await passwords.hash("correct horse")
    assert encoded.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await passwords.hash("correct horse") != encoded
    assert await passwords.matches("correct horse", encoded)
    assert not await passwords.matches("Correct horse", encoded)


async def test_spellings_of_a_password_in_unicode_match(passwords: Passwords) -> None:
    encoded = await passwords.hash("sie\u0308ben Laternen \ufb01")
    assert await passwords.matches("si\u00ebben Laternen fi", encoded)
    assert not await passwords.matches("sieben Laternen fi", encoded)


@pytest.mark.parametrize("encoded", [None, "", "not a hash", "$argon2id$v=19$m=1$x"])
async def test_missing_or_malformed_hash_matches_nothing(passwords: Passwords, encoded: str | None) -> None:
    assert not await passwords.matches("dummy", encoded)


async def test_requests_beyond_the_queue_are_refused(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_WAITING", 2)
    outcomes = await asyncio.gather(*(passwords.hash("x") for _ in range(3)), return_exceptions=True)
    [refused] = [each for each in outcomes if isinstance(each, BaseException)]
    assert isinstance(refused, Problem)
    assert (refused.kind, refused.headers) == (UNAVAILABLE, {"retry-after": "1"})
    assert await passwords.hash("x"), "the queue is empty again"
