"""Access tokens of the pod's workload identity, from the metadata server."""

from __future__ import annotations

import threading
from typing import Any


class AccessTokenError(Exception):
    """No access token could be obtained; the text states why, and what to check."""


class AccessTokens:
    """Access tokens for one OAuth `scope`, refreshed before they expire; usable from several threads."""

    def __init__(self, scope: str) -> None:
        self._scope = scope
        self._credentials: Any = None
        self._lock = threading.Lock()

    @property
    def valid(self) -> bool:
        """Whether :meth:`token` returns without a request."""
        return self._credentials is not None and bool(self._credentials.valid)

    def token(self) -> str:
        """Return a token, after a blocking request if needed. Raises AccessTokenError."""
        # The import takes 0.3 s, which pods without Google Cloud do not need.
        import google.auth
        import google.auth.transport.requests
        from google.auth.exceptions import GoogleAuthError

        with self._lock:
            if not self.valid:
                try:
                    if self._credentials is None:
                        self._credentials, _ = google.auth.default(scopes=[self._scope])
                    self._credentials.refresh(google.auth.transport.requests.Request())
                except GoogleAuthError as error:
                    raise AccessTokenError(
                        f"no access token for {self._scope} ({type(error).__name__}: {str(error)[:300]}):"
                        " check that the pod's service account has Workload Identity and that the metadata"
                        " server is reachable"
                    ) from error
            return str(self._credentials.token)
