"""Sessions that can be refreshed: one document per sign-in, one generation per refresh.

A refresh token is valid once (RFC 9700, section 4.14.2). A second use means that two clients hold the session
and one of them may have stolen it; the server cannot distinguish them, so the session ends for both. One
exception: a mobile network can lose a response, so the previous token returns the same response again for
:data:`RETRY_WINDOW`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import structlog
from pymongo import ASCENDING, DESCENDING, IndexModel, ReturnDocument

from app import clock
from app.accounts.revocations import Revocations
from app.accounts.schemas import SignInDevice
from app.auth.tokens import RefreshClaims, Session
from app.connections import Database, Document
from app.database.indexes import create_indexes
from app.http.problems import NOT_FOUND, SESSION_EXPIRED, Problem
from app.ids import new_id
from app.telemetry import metrics

log = structlog.get_logger()

LIFETIME: Final = timedelta(days=30)  # of a session, since its last refresh
RETRY_WINDOW: Final = timedelta(seconds=30)
_MAX_LISTED: Final = 100


class RefreshSessions:
    """Sessions in MongoDB; a session exists while its document does."""

    INDEXES = (
        IndexModel([("account", ASCENDING), ("renewed.at", DESCENDING)], name="own"),
        IndexModel("renewed.until", expireAfterSeconds=0, name="over"),
    )

    def __init__(self, database: Database, revocations: Revocations) -> None:
        self._sessions = database["sessions"]
        self._revocations = revocations

    async def prepare(self) -> None:
        """Create the indexes."""
        await create_indexes(self._sessions, self.INDEXES)

    async def open(self, account: str, device: str, *, credential: int, address: str = "") -> RefreshClaims:
        """Open a session of an account, bound to the version of its credential.

        ``address`` is a digest of the client's address.
        """
        now = clock.now()
        document: Document = {
            "_id": new_id(),
            "account": account,
            "device": device,
            "generation": 1,
            "credential": credential,
            "address": address,
            "created_at": now,
            "renewed": _renewed(now),
        }
        await self._sessions.insert_one(document)
        return RefreshClaims(document["_id"], 1)

    async def has_address(self, account: str, address: str) -> bool:
        """Whether a session of the account was opened from that address."""
        return await self._sessions.find_one({"account": account, "address": address}, {"_id": 1}) is not None

    async def renew(self, refresh: RefreshClaims) -> tuple[str, int, RefreshClaims]:
        """Consume a refresh token; return the account, the credential version of the session, and the next
        token. Raises ``session-expired`` for a used or expired token."""
        now = clock.now()
        following = refresh.generation + 1
        # One atomic statement, so that only one of two concurrent uses of a token succeeds.
        renewed = await self._sessions.find_one_and_update(
            {"_id": refresh.session, "generation": refresh.generation, "renewed.until": {"$gt": now}},
            {"$set": {"generation": following, "renewed": _renewed(now)}},
            return_document=ReturnDocument.AFTER,
        )
        if renewed is None:
            renewed = await self._sessions.find_one({"_id": refresh.session, "renewed.until": {"$gt": now}})
            if renewed is None:
                raise Problem(SESSION_EXPIRED, "Sign in again.")
            if renewed["generation"] != following or now - renewed["renewed"]["at"] > RETRY_WINDOW:
                log.warning("refresh token used twice", session=refresh.session)
                metrics.refresh_reuse.inc()
                await self.discard(renewed["account"], refresh.session)
                raise Problem(SESSION_EXPIRED, "This token was used before; sign in again.")
        return renewed["account"], renewed.get("credential", 0), RefreshClaims(refresh.session, following)

    async def end(self, account: str, session: str) -> None:
        """End a session of an account. Raises ``not-found`` when the account has no such session."""
        if not await self.discard(account, session):
            raise Problem(NOT_FOUND, "No such session.")

    async def discard(self, account: str, session: str) -> bool:
        """End a session of an account that may have ended at the same time; return whether it existed."""
        deleted = await self._sessions.delete_one({"_id": session, "account": account})
        if deleted.deleted_count:
            await self._revocations.add(session)
        return deleted.deleted_count > 0

    async def end_others(self, account: str, current: str = "") -> None:
        """End every session of an account except ``current``."""
        where = {"account": account, "_id": {"$ne": current}}
        found = await self._sessions.find(where, {"_id": 1}).to_list()
        others = [document["_id"] for document in found]
        await self._sessions.delete_many({"account": account, "_id": {"$in": others}})
        await self._revocations.add(*others)

    async def rebind(self, session: str, credential: int) -> None:
        """Bind a session that continues after a change of the password to the new credential version."""
        await self._sessions.update_one({"_id": session}, {"$set": {"credential": credential}})

    async def devices(self, session: Session) -> list[SignInDevice]:
        """List the devices with a session of the account, latest refresh first."""
        found = self._sessions.find({"account": session.account}).sort("renewed.at", DESCENDING)
        return [
            SignInDevice(
                id=document["_id"],
                device=document["device"],
                created_at=document["created_at"],
                refreshed_at=document["renewed"]["at"],
                current=document["_id"] == session.id,
            )
            for document in await found.limit(_MAX_LISTED).to_list()
        ]


def _renewed(now: datetime) -> Document:
    # In an embedded document: nx-27017 stores a date that `$set` writes at the top level as text.
    return {"at": now, "until": now + LIFETIME}
