"""Sign-up, and the confirmation of its e-mail address.

The response to a sign-up does not depend on whether the address has an account, and neither does its time:
both cases hash the password and write one document. The owner of an address that already has an account is
notified by mail.

With ``confirms``, an account is created only with the code that is mailed to its address. Without it the
account is active at once; then a sign-in with the same password still shows whether the address was new. That
mode is for platforms that cannot read mail: one machine, and load tests.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import structlog
from pymongo import IndexModel
from pymongo.errors import DuplicateKeyError

from app import clock
from app.accounts.guard import SignInGuard
from app.accounts.mail import Mailer, Message
from app.accounts.passwords import Passwords
from app.accounts.schemas import Confirmation, Confirming, SignedIn, SignUp, SignUpAccepted
from app.accounts.service import Accounts, Client, key, require_strong
from app.auth.tokens import Tokens
from app.background import BackgroundTasks
from app.connections import Database, Document
from app.database.indexes import create_indexes
from app.http.problems import CONFIRMATION_EXPIRED, Problem
from app.ids import new_id
from app.telemetry import metrics

log = structlog.get_logger()

LIFETIME: Final = timedelta(hours=1)


class Registration:
    """Sign-ups in MongoDB. ``base`` is the public URL of the service."""

    INDEXES = (IndexModel("received.until", expireAfterSeconds=0, name="expired"),)

    def __init__(
        self,
        database: Database,
        accounts: Accounts,
        passwords: Passwords,
        tokens: Tokens,
        guard: SignInGuard,
        mailer: Mailer,
        base: str,
        *,
        confirms: bool,
    ) -> None:
        self._sign_ups = database["sign_ups"]
        self._documents = database["accounts"]
        self._accounts = accounts
        self._passwords = passwords
        self._tokens = tokens
        self._guard = guard
        self._mailer = mailer
        self._base = base
        self._confirms = confirms
        self._tasks = BackgroundTasks()

    async def prepare(self) -> None:
        """Create the indexes."""
        await create_indexes(self._sign_ups, self.INDEXES)

    async def sign_up(self, body: SignUp) -> SignUpAccepted:
        """Accept a sign-up. Raises ``invalid`` for a password that is easily guessed."""
        require_strong(body.password, body.email, body.name)
        account: Document = {
            "_id": new_id(),
            "email": body.email,
            "email_key": key(body.email),
            "name": body.name,
            "password": await self._passwords.hash(body.password),
        }
        if self._confirms:
            await self._record(account)
            self._tasks.start(self._mail_code(account, body.password))
            return SignUpAccepted(Confirmation.MAIL)
        # The same calls for a known and an unknown address: one read, one durable write.
        known = await self._documents.find_one({"email_key": account["email_key"]})
        if known is None:
            try:
                await self._create(account)
            except DuplicateKeyError:  # a concurrent sign-up
                known = await self._documents.find_one({"email_key": account["email_key"]})
        else:
            await self._record({"_id": account["_id"], "email_key": account["email_key"]})
        if known is not None:
            self._tasks.start(self._mail_notice(known, body.password))
        return SignUpAccepted(Confirmation.NONE)

    async def confirm(self, body: Confirming, client: Client) -> SignedIn:
        """Create the account of a mailed code and sign in. Raises ``confirmation-expired``."""
        sign_up = await self._sign_ups.find_one({"_id": self._tokens.verify_confirmation(body.code)})
        # The TTL index deletes with a delay of up to a minute.
        if sign_up is None or "password" not in sign_up or sign_up["received"]["until"] <= clock.now():
            raise _over()
        account = {name: value for name, value in sign_up.items() if name != "received"}
        try:
            document = await self._create(account)
        except DuplicateKeyError as error:
            raise _over() from error
        await self._sign_ups.delete_one({"_id": sign_up["_id"]})
        return await self._accounts.open_session(document, client)

    async def _create(self, account: Document) -> Document:
        document = account | {"roles": [], "balance": 0, "credential": 1, "created_at": clock.now()}
        await self._documents.insert_one(document)
        metrics.accounts_created.inc()
        return document

    async def _record(self, sign_up: Document) -> None:
        now = clock.now()
        await self._sign_ups.insert_one(sign_up | {"received": {"at": now, "until": now + LIFETIME}})

    async def _mail_code(self, account: Document, password: str) -> None:
        try:
            known = await self._documents.find_one({"email_key": account["email_key"]})
            if known is not None:
                await self._mail_notice(known, password)
            elif await self._guard.allows_notice(account["email_key"]):
                minutes = int(LIFETIME.total_seconds() // 60)
                code = self._tokens.sign_confirmation(account["_id"])
                text = (
                    f"Confirm your address to create your account at {self._base}.\n\n"
                    f"Your code, valid once and for {minutes} minutes:\n\n{code}\n\n"
                    "If you did not sign up, ignore this message.\n"
                )
                self._mailer.send(Message(account["email"], "Confirm your address", text))
        except Exception as error:  # a background task: no caller receives the driver's errors
            log.warning("confirmation not sent", error=type(error).__name__)

    async def _mail_notice(self, known: Document, password: str) -> None:
        try:
            # A client that lost the response repeats the sign-up; its owner must not be notified then.
            if await self._passwords.matches(password, known["password"]):
                return
            if await self._guard.allows_notice(known["email_key"]):
                text = (
                    f"A sign-up at {self._base} used your address, which already has an account.\n\n"
                    "If it was you: sign in with your password, or reset it.\n\n"
                    "If it was not you, ignore this message: nothing has changed.\n"
                )
                self._mailer.send(Message(known["email"], "You already have an account", text))
        except Exception as error:  # a background task: no caller receives the driver's errors
            log.warning("sign-up notice not sent", error=type(error).__name__)


def _over() -> Problem:
    return Problem(
        CONFIRMATION_EXPIRED, "Sign in if you have confirmed the address; sign up again otherwise."
    )
