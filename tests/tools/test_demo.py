"""The demo makes the whole journey to an order, and a second run changes nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from tests.support import backends
from tests.support.backends import ROOT, Platform
from tools.demo import CREDIT_CENTS, seed, sign_in


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    whole = backends.platform(tmp_path_factory.mktemp("demo"))
    try:
        yield whole
    finally:
        backends.end(whole)


def test_two_runs_make_one_journey(platform: Platform) -> None:
    def appoint(email: str) -> None:
        command = [sys.executable, "-m", "app", "grant", email, "administrator"]
        subprocess.run(command, cwd=ROOT, env=platform.settings, check=True, capture_output=True)

    with httpx.Client(base_url=platform.url, timeout=20) as client:
        first, again = seed(client, appoint), seed(client, appoint)
        assert first == again
        ada = sign_in(client, "ada")
        assert len(ada.call("GET", "/v1/orders")["items"]) == 1
        assert len(ada.call("GET", "/v1/contents")["items"]) == 2
        assert len(ada.call("GET", "/v1/uploads")["items"]) == 1
        assert 0 < ada.call("GET", "/v1/accounts/me")["balance"] < CREDIT_CENTS
        assert len(client.get("/v1/feed").json()["items"]) == 4
