"""Refresh sessions over HTTP: rotation, reuse detection, sign-out, several pods, key rotation."""

from __future__ import annotations

import base64
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import pytest

from app.auth.tokens import RefreshClaims, Session, Tokens
from app.http.problems import Problem
from tests.app.conftest import Person
from tests.support.backends import ROOT, Platform, Process, pod, wait_for


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def sign_in(person: Person) -> dict[str, str]:
    credentials = {"email": person.email, "password": person.password}
    return person.client.post("/v1/sessions", json=credentials).json()


def refresh(client: httpx.Client, token: str) -> httpx.Response:
    return client.post("/v1/sessions/refresh", json={"refresh_token": token})


@pytest.fixture
def other_pod(platform: Platform) -> Iterator[Process]:
    process = pod("api", platform.folder, platform.settings)
    process.start()
    try:
        platform.wait_until_ready(process)
        yield process
    finally:
        process.kill()


def test_refresh_returns_the_next_token_pair(ada: Person, client: httpx.Client) -> None:
    first = sign_in(ada)
    second = refresh(client, first["refresh_token"]).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert client.get("/v1/accounts/me", headers=bearer(second["token"])).status_code == 200
    third = refresh(client, second["refresh_token"])
    assert third.status_code == 200


def test_repeated_refresh_returns_the_same_token(ada: Person, client: httpx.Client) -> None:
    first = sign_in(ada)
    lost = refresh(client, first["refresh_token"]).json()
    again = refresh(client, first["refresh_token"])
    assert again.json()["refresh_token"] == lost["refresh_token"]


def test_refresh_token_reuse_revokes_the_session(ada: Person, client: httpx.Client) -> None:
    first = sign_in(ada)
    second = refresh(client, first["refresh_token"]).json()
    third = refresh(client, second["refresh_token"]).json()
    reused = refresh(client, first["refresh_token"])
    assert reused.status_code == 401
    assert reused.json()["type"].endswith("#session-expired")
    assert refresh(client, third["refresh_token"]).status_code == 401, "both tokens are revoked"
    assert client.get("/v1/accounts/me", headers=bearer(third["token"])).status_code == 401
    assert ada.client.get("/v1/accounts/me").status_code == 200, "other sessions stay valid"


@pytest.mark.parametrize("token", ["", "x", "e30.1.x", f"{'0' * 8}-0000-7000-8000-{'0' * 12}.1.{'A' * 43}"])
def test_forged_refresh_token_is_rejected(client: httpx.Client, token: str) -> None:
    response = refresh(client, token)
    assert (response.status_code, response.json()["type"].rpartition("#")[2]) == (401, "session-expired")


def test_sign_out_revokes_the_session_in_every_pod(
    platform: Platform, other_pod: Process, ada: Person
) -> None:
    session = sign_in(ada)
    headers = bearer(session["token"])
    with httpx.Client(base_url=f"http://127.0.0.1:{other_pod.port}") as elsewhere:
        assert elsewhere.get("/v1/accounts/me", headers=headers).status_code == 200
        assert ada.client.delete("/v1/sessions/current", headers=headers).status_code == 204
        assert ada.client.get("/v1/accounts/me", headers=headers).status_code == 401, (
            "revoked immediately on this pod"
        )
        wait_for(
            "the sign-out reaches the other pod",
            lambda: elsewhere.get("/v1/accounts/me", headers=headers).status_code == 401,
            seconds=5,
        )
        assert refresh(elsewhere, session["refresh_token"]).status_code == 401


def test_sessions_are_listed_and_revoked_individually(ada: Person, eve: Person) -> None:
    other = sign_in(ada)
    listed = ada.client.get("/v1/sessions").json()["items"]
    assert [item["current"] for item in listed] == [False, True]
    path = f"/v1/sessions/{listed[0]['id']}"
    assert eve.client.delete(path).status_code == 404
    assert ada.client.delete(path).status_code == 204
    assert ada.client.get("/v1/accounts/me", headers=bearer(other["token"])).status_code == 401
    assert len(ada.client.get("/v1/sessions").json()["items"]) == 1


def test_password_change_revokes_the_other_sessions(ada: Person) -> None:
    other = sign_in(ada)
    put = ada.client.put
    wrong = put("/v1/accounts/me/password", json={"current": "not this one", "new": "another fine lantern"})
    assert wrong.status_code == 401
    payload = {"current": ada.password, "new": "another fine lantern"}
    assert put("/v1/accounts/me/password", json=payload).status_code == 204
    assert ada.client.get("/v1/accounts/me", headers=bearer(other["token"])).status_code == 401
    assert ada.client.get("/v1/accounts/me").status_code == 200
    credentials = {"email": ada.email, "password": ada.password}
    assert ada.client.post("/v1/sessions", json=credentials).status_code == 401


def test_role_takes_effect_at_the_next_refresh(platform: Platform, ada: Person) -> None:
    path = f"/v1/accounts/{ada.account['id']}/roles"
    assert ada.client.put(path, json={"roles": ["analyst"]}).status_code == 403
    session = sign_in(ada)
    granted = subprocess.run(
        [sys.executable, "-m", "app", "grant", ada.email, "administrator"],
        env=platform.settings,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert granted.returncode == 0, granted.stderr
    token = refresh(ada.client, session["refresh_token"]).json()["token"]
    response = ada.client.put(path, json={"roles": ["analyst", "administrator"]}, headers=bearer(token))
    assert response.json()["roles"] == ["administrator", "analyst"]


def test_password_hashing_does_not_block_other_requests(platform: Platform, ada: Person) -> None:
    """During two dozen sign-ins the liveness probe responds much faster than one sign-in takes."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        signing_in = [pool.submit(sign_in, ada) for _ in range(24)]
        slowest = 0.0
        while not all(each.done() for each in signing_in):
            began = time.perf_counter()
            assert ada.client.get("/livez").status_code == 200
            slowest = max(slowest, time.perf_counter() - began)
    assert slowest < 0.5


def key() -> bytes:
    return secrets.token_bytes(32)


def session(expires_in: float = 60) -> Session:
    return Session("an account", int(time.time() + expires_in), "a session")


def test_key_rotation_keeps_sessions_valid() -> None:
    old, new = key(), key()
    before, between, after = Tokens((old, new)), Tokens((new, old)), Tokens((new,))
    token, following = before.sign(session()), between.sign(session())
    assert between.verify(token) == before.verify(token)
    assert before.verify(following) == after.verify(following), (
        "pods that have not restarted know the next key"
    )
    with pytest.raises(Problem):
        after.verify(token)
    assert between.verify_refresh(before.sign_refresh(RefreshClaims("0" * 36, 3))) == RefreshClaims(
        "0" * 36, 3
    )


def test_access_and_refresh_tokens_are_not_interchangeable() -> None:
    tokens = Tokens((key(),))
    with pytest.raises(Problem):
        tokens.verify_refresh(tokens.sign(session()))
    with pytest.raises(Problem):
        tokens.verify(tokens.sign_refresh(RefreshClaims("0" * 36, 1)))


@pytest.mark.parametrize("header", ['{"alg":"none"}', '{"alg":"HS256"}', '{"alg":"RS256","typ":"JWT"}'])
def test_other_signature_algorithms_are_rejected(header: str) -> None:
    tokens = Tokens((key(),))
    _, payload, signature = tokens.sign(session()).split(".")
    other = base64.urlsafe_b64encode(header.encode()).decode().rstrip("=")
    with pytest.raises(Problem):
        tokens.verify(f"{other}.{payload}.{signature}")
    with pytest.raises(Problem):
        tokens.verify(f"{other}.{payload}.")


def test_expired_token_is_rejected() -> None:
    tokens = Tokens((key(),))
    with pytest.raises(Problem):
        tokens.verify(tokens.sign(session(-1)))
