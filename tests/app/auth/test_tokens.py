"""Signed tokens: round trips, forged and expired ones, and rotation of keys."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

import pytest

from app.auth import tokens as module
from app.auth.tokens import RefreshClaims, ResetClaims, Session, Tokens
from app.http.problems import CONFIRMATION_EXPIRED, RESET_EXPIRED, SESSION_EXPIRED, UNAUTHENTICATED, Problem
from app.ids import new_id

KEY, OTHER = b"k" * 32, b"o" * 32
ID = new_id()
NOW = 1_700_000_000.0
SESSION = Session(account=ID, expires=int(NOW) + 900, id=ID, plan="studio", roles=("analyst",))


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    now = {"now": NOW}
    monkeypatch.setattr(module.time, "time", lambda: now["now"])
    return now


@pytest.fixture
def tokens() -> Tokens:
    return Tokens((KEY,))


def encoded(data: Any) -> bytes:
    return base64.urlsafe_b64encode(json.dumps(data, separators=(",", ":")).encode()).rstrip(b"=")


def signed(header: Any, payload: Any, key: bytes = KEY) -> str:
    content = encoded(header) + b"." + encoded(payload)
    signature = base64.urlsafe_b64encode(hmac.digest(key, content, "sha256")).rstrip(b"=")
    return (content + b"." + signature).decode()


HEADER = {"alg": "HS256", "typ": "JWT"}
CLAIMS = {"sub": ID, "exp": int(NOW) + 900, "sid": ID}


# -- access tokens -------------------------------------------------------------------------------------


def test_access_token_is_a_json_web_token(tokens: Tokens) -> None:
    assert tokens.verify(tokens.sign(SESSION)) == SESSION
    assert tokens.verify(signed(HEADER, CLAIMS)) == Session(account=ID, expires=int(NOW) + 900, id=ID)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a.b.c",
        signed(HEADER, CLAIMS, OTHER),
        signed({"alg": "none", "typ": "JWT"}, CLAIMS),
        signed({"typ": "JWT", "alg": "HS256"}, CLAIMS),
        signed(HEADER, {"sub": ID}),
        signed(HEADER, CLAIMS)[:-1] + "é",
        signed(HEADER, CLAIMS) + "\n",
    ],
)
def test_forged_access_token_is_refused(tokens: Tokens, token: str) -> None:
    with pytest.raises(Problem) as raised:
        tokens.verify(token)
    assert raised.value.kind is UNAUTHENTICATED
    assert "invalid_token" in raised.value.headers["www-authenticate"]


@pytest.mark.parametrize(("seconds", "expired"), [(899.9, False), (900.0, True)])
def test_access_token_expires_also_if_it_was_verified_before(
    tokens: Tokens, clock: dict[str, float], seconds: float, expired: bool
) -> None:
    header = bearer(tokens.sign(SESSION))
    tokens.authenticate(header)
    clock["now"] = NOW + seconds
    if expired:
        with pytest.raises(Problem, match="expired"):
            tokens.authenticate(header)
    else:
        assert tokens.authenticate(header) == SESSION


def bearer(token: str, scheme: str = "Bearer ") -> bytes:
    return (scheme + token).encode("latin-1")


@pytest.mark.parametrize(("before", "after"), [("Bearer ", ""), ("bearer  ", " "), ("BEARER ", "")])
def test_session_is_that_of_the_bearer_token(tokens: Tokens, before: str, after: str) -> None:
    header = bearer(tokens.sign(SESSION) + after, before)
    for _ in range(2):  # the second one from the cache
        assert tokens.authenticate(header) == SESSION


@pytest.mark.parametrize("header", [None, b"", b"token", b"Basic token", b"Bearer ", b"Bearer"])
def test_header_without_a_bearer_token_is_refused(tokens: Tokens, header: bytes | None) -> None:
    with pytest.raises(Problem) as raised:
        tokens.authenticate(header)
    assert raised.value.kind is UNAUTHENTICATED
    assert raised.value.headers == {"www-authenticate": "Bearer"}


def test_refused_header_is_refused_again(tokens: Tokens) -> None:
    for _ in range(2):
        with pytest.raises(Problem, match="invalid"):
            tokens.authenticate(bearer(signed(HEADER, CLAIMS, OTHER)))
    assert tokens.authenticate(bearer(tokens.sign(SESSION))) == SESSION


def test_cached_headers_are_bounded_in_number_and_length(
    tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_CACHED", 4)
    token = tokens.sign(SESSION)
    for spaces in range(0, 2_000, 100):
        assert tokens.authenticate(bearer(" " * spaces + token)) == SESSION
        assert len(tokens._verified) <= 4
        assert max(map(len, tokens._verified), default=0) <= 1_024


def test_tokens_of_former_keys_are_accepted_and_new_ones_have_the_first_key() -> None:
    rotated = Tokens((OTHER, KEY))
    assert rotated.verify(Tokens((KEY,)).sign(SESSION)) == SESSION
    assert Tokens((OTHER,)).verify(rotated.sign(SESSION)) == SESSION
    with pytest.raises(Problem):
        Tokens((KEY,)).verify(rotated.sign(SESSION))


# -- refresh, reset, confirmation and device tokens ----------------------------------------------------


def changed(token: str) -> list[str]:
    """Return copies of a valid token, each with one changed character or part."""
    other = "A" if token[-1] != "A" else "B"
    return [token[:-1] + other, token + "\n", " " + token, token[1:], token.upper(), "", ".".join(["x"] * 4)]


def test_refresh_token_names_session_and_generation(tokens: Tokens) -> None:
    claims = RefreshClaims(ID, 7)
    token = tokens.sign_refresh(claims)
    assert token == tokens.sign_refresh(claims)
    assert tokens.verify_refresh(token) == claims
    forged = [token.replace(".7.", number) for number in (".8.", ".07.", ".0.")]
    for each in [*changed(token), *forged]:
        with pytest.raises(Problem) as raised:
            tokens.verify_refresh(each)
        assert raised.value.kind is SESSION_EXPIRED


@pytest.mark.parametrize(("seconds", "valid"), [(59, True), (60, False)])
def test_reset_token_is_valid_until_it_expires(
    tokens: Tokens, clock: dict[str, float], seconds: int, valid: bool
) -> None:
    claims = ResetClaims(ID, 2, int(NOW) + 60)
    token = tokens.sign_reset(claims)
    clock["now"] = NOW + seconds
    if valid:
        assert tokens.verify_reset(token) == claims
    else:
        with pytest.raises(Problem) as raised:
            tokens.verify_reset(token)
        assert raised.value.kind is RESET_EXPIRED


def test_forged_reset_token_is_refused(tokens: Tokens) -> None:
    token = tokens.sign_reset(ResetClaims(ID, 2, int(NOW) + 60))
    for each in [
        *changed(token),
        token.replace(".2.", ".3."),
        token.replace(str(int(NOW) + 60), str(int(NOW) + 61)),
    ]:
        with pytest.raises(Problem):
            tokens.verify_reset(each)


def test_confirmation_code_is_that_of_its_sign_up(tokens: Tokens) -> None:
    code = tokens.sign_confirmation(ID)
    assert tokens.verify_confirmation(code) == ID
    for each in [*changed(code), f"{new_id()}.{code.partition('.')[2]}"]:
        with pytest.raises(Problem) as raised:
            tokens.verify_confirmation(each)
        assert raised.value.kind is CONFIRMATION_EXPIRED


def test_device_token_is_that_of_its_address(tokens: Tokens) -> None:
    token = tokens.sign_device("ada@example.com")
    assert tokens.is_device_of("ada@example.com", token)
    assert not tokens.is_device_of("eve@example.com", token)
    assert not tokens.is_device_of("ada@example.com", "")
    assert not tokens.is_device_of("ada@example.com", token + "é")


def test_token_of_one_kind_is_not_one_of_another(tokens: Tokens) -> None:
    confirmation = tokens.sign_confirmation(ID)
    signature = confirmation.partition(".")[2]
    with pytest.raises(Problem):
        tokens.verify_refresh(f"{ID}.1.{signature}")
    with pytest.raises(Problem):
        tokens.verify_reset(f"{ID}.0.{int(NOW) + 60}.{signature}")
