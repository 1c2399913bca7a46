"""The operator's command that gives an account a role: ``python -m app grant EMAIL ROLE``, in a pod."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from pymongo.errors import PyMongoError

from app.accounts.service import key
from app.auth.roles import Role
from app.connections import open_mongodb
from app.settings import load


async def grant(email: str, name: str, environ: Mapping[str, str]) -> int:
    """Give the role; the exit code says whether it is given (0), could not be (1), or was misspelt (2).

    Raises :class:`app.settings.SettingsError`.
    """
    if name not in set(Role):
        print(f"There is no role {name!r}; there are {', '.join(Role)}.", file=sys.stderr)
        return 2
    settings = load(environ)
    try:
        async with open_mongodb(settings.mongodb, app_name="kingdom-grant") as database:
            changed = await database["accounts"].update_one(
                {"email_key": key(email)}, {"$addToSet": {"roles": Role(name).value}}
            )
    except PyMongoError as error:
        print(f"MongoDB cannot be asked: {error}", file=sys.stderr)
        return 1
    if changed.matched_count == 0:
        print(f"No account has the address {email}.", file=sys.stderr)
        return 1
    print(f"{email} is {name} from the next sign-in or refresh on.")
    return 0
