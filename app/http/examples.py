"""Example request bodies for the OpenAPI document, by the name of their type."""

from __future__ import annotations

from typing import Any, Final

_PASSWORD: Final = "four unrelated words here"  # noqa: S105 (an example)
_REFRESH: Final = "0197c4a0-6f3e-7c11-9b7e-2f6f0a5d4c21.1.Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmE"
_RESET: Final = _REFRESH.replace(".1.", ".1.1767225600.")

BODIES: Final[dict[str, dict[str, Any]]] = {
    "SignUp": {"email": "ada@example.com", "password": _PASSWORD, "name": "Ada"},
    "Confirming": {"code": _REFRESH.replace(".1.", ".")},
    "SignIn": {"email": "ada@example.com", "password": _PASSWORD},
    "Profile": {"name": "Ada Lovelace"},
    "RefreshToken": {"refresh_token": _REFRESH},
    "NewPassword": {"current": _PASSWORD, "new": "another four plain words"},
    "Roles": {"roles": ["analyst"]},
    "NewReset": {"email": "ada@example.com"},
    "Reset": {"token": _RESET, "password": "another four plain words"},
    "Closing": {"password": _PASSWORD},
    "NewContent": {"prompt": "a fox in the snow", "form": "story"},
    "NewOrder": {"product": "creator-month"},
    "NewPayment": {"amount": 5000},
    "NewEvents": {
        "events": [
            {"id": "app-0000001", "name": "app.opened", "at": "2026-01-31T09:30:00Z"},
            {
                "id": "app-0000002",
                "name": "content.viewed",
                "at": "2026-01-31T09:30:20Z",
                "content": "0197c4a0-6f3e-7c11-9b7e-2f6f0a5d4c21",
                "screen": "/content/[id]",
                "seconds": 12.5,
            },
        ],
    },
}
