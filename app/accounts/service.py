"""Accounts in MongoDB: sign-in, sessions, profile, password, roles."""

from __future__ import annotations

import hashlib
import time
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TypeAlias

from pymongo import IndexModel, ReturnDocument
from redis.asyncio import Redis

from app import clock
from app.accounts.guard import SignInGuard
from app.accounts.password_policy import violation
from app.accounts.passwords import Passwords
from app.accounts.refresh_sessions import RefreshSessions
from app.accounts.schemas import Account, NewPassword, Profile, SignedIn, SignIn, SignIns
from app.auth import tokens as sessions
from app.auth.roles import Plan, Role
from app.auth.tokens import RefreshClaims, Session, Tokens
from app.connections import Database, Document
from app.database.indexes import create_indexes
from app.database.query_cache import QueryCache
from app.http import preconditions
from app.http.problems import (
    INVALID,
    NOT_FOUND,
    SESSION_EXPIRED,
    UNAUTHENTICATED,
    WRONG_CREDENTIALS,
    FieldError,
    Problem,
)
from app.http.text import address_key
from app.telemetry import metrics

AccountResults: TypeAlias = QueryCache[Account]


@dataclass(frozen=True, slots=True)
class Client:
    """A client that signs in: its ``User-Agent``, and its address as the rate limits count it."""

    device: str
    address: str


class Accounts:
    """Accounts in MongoDB, read through a cache. Every write to an account must invalidate ``results``."""

    INDEXES = (IndexModel("email_key", unique=True),)

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        tokens: Tokens,
        refresh_sessions: RefreshSessions,
        results: AccountResults,
        guard: SignInGuard,
    ) -> None:
        self._accounts = database["accounts"]
        self._results = results
        self._passwords = passwords
        self._tokens = tokens
        self._refresh_sessions = refresh_sessions
        self._guard = guard

    async def prepare(self) -> None:
        """Create the indexes."""
        await create_indexes(self._accounts, self.INDEXES)
        await self._refresh_sessions.prepare()

    async def sign_in(self, body: SignIn, client: Client) -> SignedIn:
        """Exchange credentials for a session; takes the same time for an address without an account.

        Raises :class:`Problem`: ``wrong-credentials``; ``too-many-requests`` above the limit of the account,
        unless the device or the address had signed in to it before.
        """
        email_key = key(body.email)
        document = await self._accounts.find_one({"email_key": email_key})
        address = _digest(email_key, client.address)
        # Also queried without an account, so that the time does not reveal which addresses have one.
        known = await self._refresh_sessions.has_address(document["_id"] if document else "", address)
        trusted = self._tokens.is_device_of(email_key, body.device_token)
        await self._guard.check(email_key, "device" if trusted else client.address if known else None)
        encoded = document["password"] if document else None
        if not await self._passwords.matches(body.password, encoded) or document is None:
            metrics.sign_ins_refused.inc()
            raise Problem(WRONG_CREDENTIALS, "Check the address and the password, or reset the password.")
        return await self.open_session(document, client)

    async def open_session(self, document: Document, client: Client) -> SignedIn:
        """Open a session for a client that has proved the credential of ``document``.

        Raises ``wrong-credentials`` when the credential was changed since then: the change ends the sessions
        that exist, and a session inserted later finds the new version here.
        """
        account_id, credential = document["_id"], document.get("credential", 0)
        address = _digest(document["email_key"], client.address)
        refresh = await self._refresh_sessions.open(
            account_id, client.device, credential=credential, address=address
        )
        current = await self._accounts.find_one({"_id": account_id}, {"credential": 1})
        if current is None or current.get("credential", 0) != credential:
            await self._refresh_sessions.discard(account_id, refresh.session)
            raise Problem(WRONG_CREDENTIALS, "The password was changed at the same time.")
        return self._signed_in(document, refresh)

    async def refresh(self, token: str) -> SignedIn:
        """Exchange a refresh token for the next pair, with the current roles and plan of the account."""
        account_id, credential, refresh = await self._refresh_sessions.renew(
            self._tokens.verify_refresh(token)
        )
        document = await self.find(account_id)
        if document.get("credential", 0) != credential:
            await self._refresh_sessions.discard(account_id, refresh.session)
            raise Problem(SESSION_EXPIRED, "The password was changed; sign in again.")
        return self._signed_in(document, refresh)

    async def sign_out(self, account: str, session: str) -> None:
        """End a session of the account."""
        await self._refresh_sessions.end(account, session)

    async def sign_ins(self, session: Session) -> SignIns:
        """List the devices that are signed in."""
        return SignIns(await self._refresh_sessions.devices(session))

    async def change_password(self, session: Session, body: NewPassword) -> None:
        """Replace the password and end every other session."""
        document = await self.verify_password(session, body.current)
        require_strong(body.new, document["email"], document["name"], at="$.new")
        changed = await self.set_password(document, body.new)
        await self._refresh_sessions.rebind(session.id, changed["credential"])
        await self._refresh_sessions.end_others(session.account, session.id)

    async def set_password(self, document: Document, password: str) -> Document:
        """Replace the password and return the account with its new credential version.

        Raises ``wrong-credentials`` when the credential was changed since ``document`` was read.
        """
        encoded = await self._passwords.hash(password)
        changed = await self._accounts.find_one_and_update(
            same_credential(document),
            {"$set": {"password": encoded, "credential": document.get("credential", 0) + 1}},
            return_document=ReturnDocument.AFTER,
        )
        if changed is None:
            raise Problem(WRONG_CREDENTIALS, "The password was changed at the same time.")
        return changed

    async def read(self, account_id: str) -> Account:
        """Read an account by ID, from the cache."""

        async def load() -> Account:
            return account(await self.find(account_id))

        return await self._results.fetch(account_id, "", load)

    async def change_profile(self, account_id: str, body: Profile, condition: str | None) -> Account:
        """Change the name. Raises ``precondition-failed`` if ``condition`` (``If-Match``) does not match."""
        document = await self.find(account_id)
        preconditions.check(condition, account(document))
        # The update requires the name that was checked; otherwise one of two concurrent changes could be
        # lost.
        same = {"name": document["name"]} if condition is not None else {}
        async with self._results.writing(account_id):
            changed = await self._accounts.find_one_and_update(
                {"_id": account_id, "deleted_at": {"$exists": False}, **same},
                {"$set": {"name": body.name}},
                return_document=ReturnDocument.AFTER,
            )
            if changed is None:
                await self.find(account_id)  # raises if the account was deleted at the same time
                raise preconditions.precondition_failed()
        return account(changed)

    async def set_roles(self, account_id: str, roles: list[Role]) -> Account:
        """Replace the roles of an account; takes effect in each session at its next token refresh."""
        names = sorted({role.value for role in roles})
        async with self._results.writing(account_id):
            document = await self._accounts.find_one_and_update(
                {"_id": account_id, "deleted_at": {"$exists": False}},
                {"$set": {"roles": names}},
                return_document=ReturnDocument.AFTER,
            )
            if document is None:
                raise Problem(NOT_FOUND, "No such account.")
        return account(document)

    async def verify_password(self, session: Session, password: str) -> Document:
        """Return the stored account of a session.

        Raises ``wrong-credentials`` unless ``password`` is its password, and ``too-many-requests`` above the
        limit of the session, so that a stolen token does not allow guessing.
        """
        document = await self.find(session.account)
        await self._guard.check(document["email_key"], f"session {session.id}")
        if not await self._passwords.matches(password, document["password"]):
            metrics.sign_ins_refused.inc()
            raise Problem(WRONG_CREDENTIALS, "The current password is wrong.")
        return document

    def writing(self, account_id: str) -> AbstractAsyncContextManager[None]:
        """Context manager around a write to an account: removes it from the caches."""
        return self._results.writing(account_id)

    async def find(self, account_id: str) -> Document:
        """Return the stored account. Raises ``unauthenticated`` when it was deleted."""
        document = await self._accounts.find_one({"_id": account_id})
        if document is None or "deleted_at" in document:
            raise Problem(UNAUTHENTICATED, "The account was deleted.")
        return document

    def _signed_in(self, document: Document, refresh: RefreshClaims) -> SignedIn:
        session = Session(
            account=document["_id"],
            expires=int(time.time()) + sessions.LIFETIME_SECONDS,
            id=refresh.session,
            plan=plan_of(document).value,
            roles=tuple(document["roles"]),
        )
        return SignedIn(
            token=self._tokens.sign(session),
            token_type="Bearer",  # noqa: S106 (the name of the scheme)
            expires_in=sessions.LIFETIME_SECONDS,
            refresh_token=self._tokens.sign_refresh(refresh),
            account=account(document),
            device_token=self._tokens.sign_device(document["email_key"]),
        )


def same_credential(document: Document) -> Document:
    """Return the query for an account whose credential was not changed since ``document`` was read."""
    version = document.get("credential", 0)
    return {"_id": document["_id"], "credential": version or {"$exists": False}}


def account(document: Document) -> Account:
    """Return an account as its owner sees it."""
    return Account(
        id=document["_id"],
        email=document["email"],
        name=document["name"],
        plan=plan_of(document),
        roles=[Role(role) for role in document["roles"]],
        balance=document["balance"],
        created_at=document["created_at"],
        plan_until=document["subscription"]["until"] if plan_of(document) is not Plan.FREE else None,
    )


def plan_of(document: Document) -> Plan:
    """Return the current plan of an account: the bought one until it expires."""
    bought = document.get("subscription")
    return Plan(bought["plan"]) if bought and bought["until"] > clock.now() else Plan.FREE


def account_results(redis: Redis) -> AccountResults:
    """Return the cache of accounts by ID."""
    return QueryCache(redis, "accounts", Account)


def key(email: str) -> str:
    """Return the normalized form of an address, equal for all its spellings."""
    return address_key(email)


def require_strong(password: str, email: str, name: str, *, at: str = "$.password") -> None:
    """Raise ``invalid`` for a password that is easily guessed; ``at`` is its JSON path in the body."""
    reason = violation(password, email, name)
    if reason is not None:
        detail = f"The password {reason}: choose another, such as four unrelated words."
        raise Problem(INVALID, detail, errors=[FieldError(at=at, detail=detail)])


def _digest(email_key: str, address: str) -> str:
    # Only a keyed digest of the client's address is stored: enough to recognize it, no location.
    return hashlib.blake2b(address.encode(), key=email_key.encode()[:64], digest_size=12).hexdigest()
