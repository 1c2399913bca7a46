"""Access tokens: one request per token lifetime, and an error that states why a token is missing."""

from __future__ import annotations

import google.auth
import pytest
from google.auth.exceptions import DefaultCredentialsError, RefreshError

from app.google_auth import AccessTokenError, AccessTokens


class Credentials:
    """Credentials that count their refreshes, or fail with `error`."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.refreshes = 0
        self.valid = False

    @property
    def token(self) -> str:
        return f"token-{self.refreshes}"

    def refresh(self, _: object) -> None:
        if self.error is not None:
            raise self.error
        self.refreshes += 1
        self.valid = True


def tokens(monkeypatch: pytest.MonkeyPatch, found: Credentials | Exception) -> AccessTokens:
    def default(scopes: list[str]) -> tuple[Credentials, str]:
        assert scopes == ["a-scope"]
        if isinstance(found, Exception):
            raise found
        return found, "project"

    monkeypatch.setattr(google.auth, "default", default)
    return AccessTokens("a-scope")


def test_a_token_is_requested_again_only_when_it_has_expired(monkeypatch: pytest.MonkeyPatch) -> None:
    credentials = Credentials()
    found = tokens(monkeypatch, credentials)
    assert not found.valid
    assert (found.token(), found.token()) == ("token-1", "token-1")
    assert found.valid
    credentials.valid = False
    assert found.token() == "token-2"


@pytest.mark.parametrize(
    "found", [DefaultCredentialsError("none"), Credentials(RefreshError("403"))], ids=["absent", "refused"]
)
def test_a_missing_token_is_an_error_with_a_remedy(
    monkeypatch: pytest.MonkeyPatch, found: Credentials | Exception
) -> None:
    with pytest.raises(AccessTokenError, match=r"no access token for a-scope .*Workload Identity"):
        tokens(monkeypatch, found).token()
