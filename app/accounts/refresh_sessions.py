"""Sessions that can be refreshed: one document a sign-in, one generation a refresh.

A refresh token is good once (RFC 9700, section 4.14.2). Showing an old one means that two hold the session,
one of them a thief, and nobody can tell which: the session ends for both. One exception: an answer can be
lost on a mobile network, so for a short while the token before the latest gets the same answer again.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import structlog
from pymongo import ASCENDING, DESCENDING, IndexModel, ReturnDocument

from app import clock
from app.accounts.revocations import Revocations
from app.auth.tokens import Refresh
from app.connections import Database, Document
from app.database.indexes import create_indexes
from app.http.problems import NOT_FOUND, SESSION_OVER, Problem
from app.ids import new_id
from app.telemetry import metrics

log = structlog.get_logger()

LIFETIME: Final = timedelta(days=30)  # without a refresh
LOST_ANSWER: Final = timedelta(seconds=30)
_MOST_LISTED: Final = 100


class RefreshSessions:
    """The sessions in MongoDB. A document that is there is a session that goes on."""

    INDEXES = (
        IndexModel([("account", ASCENDING), ("renewed.at", DESCENDING)], name="own"),
        IndexModel("renewed.until", expireAfterSeconds=0, name="over"),
    )

    def __init__(self, database: Database, revocations: Revocations) -> None:
        self._sessions = database["sessions"]
        self._revocations = revocations

    async def prepare(self) -> None:
        """Make the indexes."""
        await create_indexes(self._sessions, self.INDEXES)

    async def begin(self, account: str, device: str, *, credential: int, address: str = "") -> Refresh:
        """A new session of an account, bound to the version of its credential; ``address``: a digest of where
        the client is."""
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
        return Refresh(document["_id"], 1)

    async def knows(self, account: str, address: str) -> bool:
        """Whether a session of the account was begun from that address."""
        return await self._sessions.find_one({"account": account, "address": address}, {"_id": 1}) is not None

    async def renew(self, refresh: Refresh) -> tuple[str, int, Refresh]:
        """The account of a refresh token, the credential version of its session, and what its next token
        says; ``session-over`` when it is spent."""
        now = clock.now()
        following = refresh.generation + 1
        # One statement decides between two that show the same token at the same moment.
        renewed = await self._sessions.find_one_and_update(
            {"_id": refresh.session, "generation": refresh.generation, "renewed.until": {"$gt": now}},
            {"$set": {"generation": following, "renewed": _renewed(now)}},
            return_document=ReturnDocument.AFTER,
        )
        if renewed is None:
            renewed = await self._sessions.find_one({"_id": refresh.session, "renewed.until": {"$gt": now}})
            if renewed is None:
                raise Problem(SESSION_OVER, "Sign in again.")
            if renewed["generation"] != following or now - renewed["renewed"]["at"] > LOST_ANSWER:
                log.warning("a refresh token was shown twice", session=refresh.session)
                metrics.refresh_reuse.inc()
                await self.end(renewed["account"], refresh.session)
                raise Problem(SESSION_OVER, "This token had been used already; sign in again.")
        return renewed["account"], renewed.get("credential", 0), Refresh(refresh.session, following)

    async def end(self, account: str, session: str) -> None:
        """End a session of an account; ``not-found`` when it has none of that id."""
        gone = await self._sessions.delete_one({"_id": session, "account": account})
        if gone.deleted_count == 0:
            raise Problem(NOT_FOUND, "No such session.")
        await self._revocations.add(session)

    async def end_others(self, account: str, but: str = "") -> None:
        """End every session of an account but one (of none: all of them)."""
        where = {"account": account, "_id": {"$ne": but}}
        found = await self._sessions.find(where, {"_id": 1}).to_list()
        others = [document["_id"] for document in found]
        await self._sessions.delete_many({"account": account, "_id": {"$in": others}})
        await self._revocations.add(*others)

    async def rebind(self, session: str, credential: int) -> None:
        """Bind a session that goes on after a change of the password to the new credential version."""
        await self._sessions.update_one({"_id": session}, {"$set": {"credential": credential}})

    async def of(self, account: str) -> list[Document]:
        """The sessions of an account, latest first."""
        found = self._sessions.find({"account": account}).sort("renewed.at", DESCENDING)
        return await found.limit(_MOST_LISTED).to_list()


def _renewed(now: datetime) -> Document:
    # Together, one level down: the wire server of one machine turns a time that is set by itself into text.
    return {"at": now, "until": now + LIFETIME}
