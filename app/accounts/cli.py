"""Grant a role to an account: ``python -m app grant EMAIL ROLE``, for operators, in a pod."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from pymongo.errors import PyMongoError

from app.accounts.service import key
from app.auth.roles import Role
from app.connections import open_mongodb
from app.settings import load


async def grant(email: str, name: str, environ: Mapping[str, str]) -> int:
    """Grant the role ``name`` and return the exit code: 0 granted, 1 failed, 2 unknown role.

    Raises :class:`app.settings.environment.SettingsError`.
    """
    if name not in set(Role):
        print(f"unknown role {name!r}: use one of {', '.join(Role)}", file=sys.stderr)
        return 2
    settings = load(environ)
    try:
        async with open_mongodb(settings.mongodb, app_name="kingdom-grant") as database:
            changed = await database["accounts"].update_one(
                {"email_key": key(email)}, {"$addToSet": {"roles": Role(name).value}}
            )
    except PyMongoError as error:
        print(f"MongoDB is unavailable: {error}", file=sys.stderr)
        return 1
    if changed.matched_count == 0:
        print(f"no account has the address {email}: sign up first", file=sys.stderr)
        return 1
    print(f"{email} has the role {name} from its next sign-in or token refresh on")
    return 0
