"""Rights of account owners: password reset, export of all data, deletion of the account.

A reset token is signed and contains the credential version that it replaces, so it can be used once without
being stored. Responses are the same for addresses with and without an account.

A deleted account is anonymous at once: its sessions end, its address is free, and none of its content is
public. A worker removes content, uploads and events within minutes (:data:`ERASURE_SECONDS`), and again after
:data:`LATE_WRITES`: until then, requests that were running and pods that have not received the end of the
sessions may store more. Orders and payments remain without a name, because accounting law requires them.
"""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Final

import structlog
from pymongo import DESCENDING, IndexModel

from app import clock
from app.accounts.guard import SignInGuard
from app.accounts.mail import Mailer, Message
from app.accounts.refresh_sessions import RefreshSessions
from app.accounts.schemas import (
    Closing,
    Export,
    ExportedContent,
    ExportedEvent,
    ExportedMedia,
    ExportedOrder,
    ExportedPayment,
    NewReset,
    Reset,
    SignedIn,
)
from app.accounts.service import Accounts, Client, account, key, require_strong, same_credential
from app.auth import tokens
from app.auth.tokens import Session, Tokens
from app.background import BackgroundTasks
from app.connections import Database, Document
from app.content.feed import Feed
from app.database.indexes import create_indexes
from app.http.problems import RESET_EXPIRED, UNAVAILABLE, WRONG_CREDENTIALS, Problem
from app.media.service import MediaLibrary
from app.resilience import Bulkhead, BulkheadFull

log = structlog.get_logger()

RESET_LIFETIME: Final = timedelta(minutes=30)
ERASURE_SECONDS: Final = 120.0
LATE_WRITES: Final = timedelta(seconds=tokens.LIFETIME_SECONDS + 60)
_BATCH: Final = 100
_MAX_EXPORTED: Final = 10_000


class Recovery:
    """Resets, exports and deletions of accounts. ``base`` is the public URL of the service."""

    INDEXES = (
        IndexModel("erase", name="erase", sparse=True),
        IndexModel("erase_again", name="erase_again", sparse=True),
    )

    def __init__(
        self,
        database: Database,
        accounts: Accounts,
        tokens: Tokens,
        refresh_sessions: RefreshSessions,
        guard: SignInGuard,
        mailer: Mailer,
        base: str,
    ) -> None:
        self._database = database
        self._documents = database["accounts"]
        self._accounts = accounts
        self._tokens = tokens
        self._refresh_sessions = refresh_sessions
        self._guard = guard
        self._mailer = mailer
        self._base = base
        self._tasks = BackgroundTasks()
        # An export holds up to 50,000 documents in memory.
        self._exports = Bulkhead("exports", max_concurrent=1, max_waiting=4, max_wait_seconds=4.0)

    async def prepare(self) -> None:
        """Create the indexes that :meth:`erase` uses."""
        await create_indexes(self._documents, self.INDEXES)

    def request_reset(self, body: NewReset) -> None:
        """Send a token to the address if it has an account. Returns at once in both cases, so that the time
        of the response does not differ."""
        self._tasks.start(self._send_reset(body.email))

    async def _send_reset(self, email: str) -> None:
        try:
            email_key = key(email)
            if not await self._guard.allows_reset(email_key):
                return
            document = await self._documents.find_one({"email_key": email_key})
            if document is None or "deleted_at" in document:
                return
            expires = int(time.time() + RESET_LIFETIME.total_seconds())
            reset = tokens.ResetClaims(document["_id"], document.get("credential", 0), expires)
            minutes = int(RESET_LIFETIME.total_seconds() // 60)
            text = (
                f"A client requested a new password for your account at {self._base}.\n\n"
                f"Your code, valid once and for {minutes} minutes:\n\n{self._tokens.sign_reset(reset)}\n\n"
                "If that was not you, ignore this message: nothing has changed.\n"
            )
            self._mailer.send(Message(document["email"], "Your new password", text))
        except Exception as error:  # a background task: no caller receives the driver's errors
            log.warning("password reset not sent", error=type(error).__name__)

    async def reset(self, body: Reset, client: Client) -> SignedIn:
        """Set the password with a token, end every session, and sign in. Raises ``reset-expired``."""
        reset = self._tokens.verify_reset(body.token)
        document = await self._documents.find_one({"_id": reset.account})
        if document is None or document.get("credential", 0) != reset.credential or "deleted_at" in document:
            raise Problem(RESET_EXPIRED, "Request another code.")
        require_strong(body.password, document["email"], document["name"])
        changed = await self._accounts.set_password(document, body.password)
        await self._refresh_sessions.end_others(reset.account)
        return await self._accounts.open_session(changed, client)

    async def close(self, session: Session, body: Closing, feed: Feed) -> None:
        """Delete the account of a session and withdraw its content from the feed.

        Raises ``wrong-credentials`` without its password, and if the password was changed at the same time.
        """
        document = await self._accounts.verify_password(session, body.password)
        anonymous: Document = {
            "email": "",
            "email_key": f"deleted:{session.account}",
            "name": "",
            "password": "",
            "roles": [],
            "deleted_at": clock.now(),
            "erase": True,
        }
        async with self._accounts.writing(session.account):
            closed = await self._documents.update_one(
                same_credential(document), {"$set": anonymous, "$inc": {"credential": 1}}
            )
            if closed.matched_count == 0:
                raise Problem(WRONG_CREDENTIALS, "The password was changed at the same time.")
        await self._refresh_sessions.end_others(session.account)
        await feed.withdraw_all(session.account)

    async def erase(self, feed: Feed, media: MediaLibrary) -> int:
        """Delete content, uploads and events of deleted accounts; return the number of completed accounts.

        Can be interrupted at any point and repeated.
        """
        now = clock.now().timestamp()
        again = {"erase_again": now + LATE_WRITES.total_seconds()}
        await self._erase(feed, media, {"erase": True}, {"$unset": {"erase": ""}, "$set": again})
        due = {"erase_again": {"$lt": now}}
        return await self._erase(feed, media, due, {"$unset": {"erase_again": ""}})

    async def _erase(self, feed: Feed, media: MediaLibrary, where: Document, done: Document) -> int:
        erased = await self._documents.find(where, {"_id": 1}).limit(_BATCH).to_list()
        for document in erased:
            owner = document["_id"]
            await feed.delete_all(owner)
            await media.delete_all(owner)
            await self._database["events"].delete_many({"account": owner})
            await self._refresh_sessions.end_others(owner)
            await self._documents.update_one({"_id": owner}, done)
            log.info("account erased", account=owner)
        return len(erased)

    async def export(self, session: Session) -> Export:
        """Export everything that is stored about the account: at most 10,000 of each kind, latest first.

        Raises :class:`Problem` (503) with too many concurrent exports.
        """
        try:
            async with self._exports.enter():
                return await self._export(session)
        except BulkheadFull as full:
            headers = {"retry-after": "5"}
            raise Problem(UNAVAILABLE, "Too many concurrent exports. Retry later.", headers=headers) from full

    async def _export(self, session: Session) -> Export:
        document = await self._accounts.find(session.account)
        contents, media, orders, payments, events = await asyncio.gather(
            self._latest("contents", {"owner": session.account}, "order"),
            self._latest("media", {"owner": session.account}, "order"),
            self._latest("orders", {"owner": session.account}, "order"),
            self._latest("payments", {"account": session.account}, "_id"),
            self._latest("events", {"account": session.account}, "day"),
        )
        return Export(
            exported_at=clock.now(),
            account=account(document),
            sessions=await self._refresh_sessions.devices(session),
            contents=[
                ExportedContent(
                    each["_id"], each["created_at"], each["state"], each["prompt"], each.get("text") or ""
                )
                for each in contents
            ],
            media=[ExportedMedia(each["_id"], each["created_at"], each["state"]) for each in media],
            orders=[
                ExportedOrder(each["_id"], each["placed"]["at"], each["product"], each["price"])
                for each in orders
            ],
            payments=[ExportedPayment(each["_id"], each["paid"]["at"], each["amount"]) for each in payments],
            events=[
                ExportedEvent(
                    each["_id"].removeprefix(f"{session.account}:"),
                    each["name"],
                    each["seen"]["at"],
                    each.get("content"),
                    each.get("screen"),
                    each.get("seconds"),
                )
                for each in events
            ],
        )

    async def _latest(self, collection: str, where: Document, order: str) -> list[Document]:
        found = self._database[collection].find(where).sort(order, DESCENDING)
        return await found.limit(_MAX_EXPORTED).to_list()
