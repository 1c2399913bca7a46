"""What can be done with accounts."""

from __future__ import annotations

import hashlib
import math
import time
from dataclasses import dataclass
from typing import TypeAlias

from pymongo import IndexModel, ReturnDocument
from pymongo.errors import DuplicateKeyError
from redis.asyncio import Redis

from app import clock
from app.accounts.password_policy import objection
from app.accounts.passwords import Passwords
from app.accounts.refresh_sessions import RefreshSessions
from app.accounts.schemas import (
    Account,
    NewPassword,
    Profile,
    SignedIn,
    SignIn,
    SignInDevice,
    SignIns,
    SignUp,
)
from app.auth import tokens as sessions
from app.auth.roles import Plan, Role
from app.auth.tokens import Refresh, Session, Tokens
from app.connections import Database, Document
from app.database.indexes import create_indexes
from app.database.query_cache import Results
from app.http import preconditions
from app.http.problems import (
    EMAIL_TAKEN,
    INVALID,
    NOT_FOUND,
    SESSION_OVER,
    TOO_MANY_REQUESTS,
    UNAUTHENTICATED,
    WRONG_CREDENTIALS,
    FieldError,
    Problem,
)
from app.http.text import address_key
from app.ids import new_id
from app.rate_limits import Limiter
from app.rate_limits.policies import RateLimitPolicies
from app.telemetry import metrics

AccountResults: TypeAlias = Results[Account]


@dataclass(frozen=True, slots=True)
class Client:
    """Who signs in: what the device calls itself, and its address as the limits count it."""

    device: str
    address: str


class SignInGuard:
    """Limits the guesses at one account, wherever they come from."""

    def __init__(self, limiter: Limiter, policies: RateLimitPolicies) -> None:
        self._limiter = limiter
        self._policies = policies

    async def check(self, email_key: str, known: str | None) -> None:
        """Count an attempt; :class:`Problem` (429) when there were too many. ``known``: the device or address
        that had signed in before, and counts by itself."""
        decision = await self._limiter.decide(self._policies.sign_in(email_key, known))
        if not decision.allowed:
            metrics.limited.labels(decision.rule.name).inc()
            headers = {"retry-after": str(max(1, math.ceil(decision.retry_after)))}
            raise Problem(TOO_MANY_REQUESTS, "Too many have tried to sign in here.", headers=headers)

    async def allows_reset(self, email_key: str) -> bool:
        """Whether another reset may be sent to the address."""
        return (await self._limiter.decide(self._policies.reset(email_key))).allowed


class Accounts:
    """Accounts in MongoDB, read through the cache. Who changes an account says so to ``results``."""

    INDEXES = (IndexModel("email_key", unique=True),)

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        tokens: Tokens,
        families: RefreshSessions,
        results: AccountResults,
        guard: SignInGuard,
    ) -> None:
        self._accounts = database["accounts"]
        self._results = results
        self._passwords = passwords
        self._tokens = tokens
        self._families = families
        self._guard = guard

    async def prepare(self) -> None:
        """Make the indexes that the promises below rest on."""
        await create_indexes(self._accounts, self.INDEXES)
        await self._families.prepare()

    async def sign_up(self, wish: SignUp, client: Client) -> SignedIn:
        """Make an account; ``email-taken`` when there is one, decided by the database alone."""
        require_strong(wish.password, wish.email, wish.name)
        document: Document = {
            "_id": new_id(),
            "email": wish.email,
            "email_key": key(wish.email),
            "name": wish.name,
            "roles": [],
            "balance": 0,
            "password": await self._passwords.hash(wish.password),
            "credential": 1,
            "created_at": clock.now(),
        }
        try:
            await self._accounts.insert_one(document)
        except DuplicateKeyError as error:
            raise Problem(EMAIL_TAKEN, "Sign in, or use another address.") from error
        metrics.accounts_created.inc()
        return await self.begin(document, client)

    async def sign_in(self, wish: SignIn, client: Client) -> SignedIn:
        """Exchange credentials for a session; takes as long for an address without an account.

        Raises :class:`Problem`: ``wrong-credentials``; ``too-many-requests`` when too many have guessed at
        this account, unless the device or the address had signed in to it before.
        """
        email_key = key(wish.email)
        document = await self._accounts.find_one({"email_key": email_key})
        address = _digest(email_key, client.address)
        # Looked up without an account too, so that the time taken does not tell who has one.
        known = await self._families.knows(document["_id"] if document else "", address)
        trusted = self._tokens.is_device_of(email_key, wish.device_token)
        await self._guard.check(email_key, "device" if trusted else client.address if known else None)
        encoded = document["password"] if document else None
        if not await self._passwords.matches(wish.password, encoded) or document is None:
            metrics.sign_ins_refused.inc()
            raise Problem(WRONG_CREDENTIALS, "Check both; after that, reset the password.")
        return await self.begin(document, client)

    async def begin(self, document: Document, client: Client) -> SignedIn:
        """A session for whoever has shown the credential that ``document`` was read with.

        Raises ``wrong-credentials`` when the credential was changed since: the change ends the sessions that
        it finds, and one that is written later finds the new version here.
        """
        account_id, credential = document["_id"], document.get("credential", 0)
        address = _digest(document["email_key"], client.address)
        refresh = await self._families.begin(
            account_id, client.device, credential=credential, address=address
        )
        current = await self._accounts.find_one({"_id": account_id}, {"credential": 1})
        if current is None or current.get("credential", 0) != credential:
            await self._families.end(account_id, refresh.session)
            raise Problem(WRONG_CREDENTIALS, "The password was just changed.")
        return self._signed_in(document, refresh)

    async def refresh(self, token: str) -> SignedIn:
        """Exchange a refresh token for the next pair, with what the account may do by now."""
        account_id, credential, refresh = await self._families.renew(self._tokens.verify_refresh(token))
        document = await self.find(account_id)
        if document.get("credential", 0) != credential:
            await self._families.end(account_id, refresh.session)
            raise Problem(SESSION_OVER, "The password was changed; sign in again.")
        return self._signed_in(document, refresh)

    async def sign_out(self, account: str, session: str) -> None:
        """End a session of the account."""
        await self._families.end(account, session)

    async def sign_ins(self, session: Session) -> SignIns:
        """Where the account is signed in."""
        documents = await self._families.of(session.account)
        return SignIns(
            [
                SignInDevice(
                    id=document["_id"],
                    device=document["device"],
                    created_at=document["created_at"],
                    refreshed_at=document["renewed"]["at"],
                    current=document["_id"] == session.id,
                )
                for document in documents
            ]
        )

    async def change_password(self, session: Session, wish: NewPassword) -> None:
        """Set another password, and end every other session: whoever knew the old one is out."""
        document = await self.verified(session.account, wish.current)
        require_strong(wish.new, document["email"], document["name"], at="$.new")
        changed = await self.set_password(document, wish.new)
        await self._families.rebind(session.id, changed["credential"])
        await self._families.end_others(session.account, session.id)

    async def set_password(self, document: Document, password: str) -> Document:
        """Set another password, unless the credential has been changed since ``document`` was read; the
        account with its new credential version."""
        encoded = await self._passwords.hash(password)
        version = document.get("credential", 0)
        same: Document = {"credential": version} if version else {"credential": {"$exists": False}}
        changed = await self._accounts.find_one_and_update(
            {"_id": document["_id"], **same},
            {"$set": {"password": encoded, "credential": version + 1}},
            return_document=ReturnDocument.AFTER,
        )
        if changed is None:
            raise Problem(WRONG_CREDENTIALS, "The password was just changed.")
        return changed

    async def read(self, account_id: str) -> Account:
        """An account by id."""

        async def ask() -> Account:
            return account(await self.find(account_id))

        return await self._results.fetch(account_id, "", ask)

    async def change_profile(self, account_id: str, wish: Profile, condition: str | None) -> Account:
        """Change the name; ``changed-since`` when ``condition`` (an ``If-Match``) no longer holds."""
        document = await self.find(account_id)
        preconditions.check(condition, account(document))
        # What is overwritten must still be what was looked at, or one of two at once would be lost unseen.
        same = {"name": document["name"]} if condition is not None else {}
        async with self._results.writing(account_id):
            changed = await self._accounts.find_one_and_update(
                {"_id": account_id, **same},
                {"$set": {"name": wish.name}},
                return_document=ReturnDocument.AFTER,
            )
            if changed is None:
                raise preconditions.changed_since()
        return account(changed)

    async def set_roles(self, account_id: str, roles: list[Role]) -> Account:
        """Replace the roles of an account; its sessions have them from their next refresh on."""
        names = sorted({role.value for role in roles})
        async with self._results.writing(account_id):
            document = await self._accounts.find_one_and_update(
                {"_id": account_id}, {"$set": {"roles": names}}, return_document=ReturnDocument.AFTER
            )
            if document is None:
                raise Problem(NOT_FOUND, "No such account.")
        return account(document)

    async def verified(self, account_id: str, password: str) -> Document:
        """The stored account, once its password was shown; ``wrong-credentials`` otherwise."""
        document = await self.find(account_id)
        if not await self._passwords.matches(password, document["password"]):
            metrics.sign_ins_refused.inc()
            raise Problem(WRONG_CREDENTIALS, "The current password is another.")
        return document

    async def forget(self, account_id: str) -> None:
        """Drop what caches hold of an account."""
        await self._results.written(account_id)

    async def find(self, account_id: str) -> Document:
        """The stored account; ``unauthenticated`` when it was deleted."""
        document = await self._accounts.find_one({"_id": account_id})
        if document is None or "deleted_at" in document:
            raise Problem(UNAUTHENTICATED, "The account is no longer there.")
        return document

    def _signed_in(self, document: Document, refresh: Refresh) -> SignedIn:
        session = Session(
            account=document["_id"],
            expires=int(time.time()) + sessions.LIFETIME_SECONDS,
            id=refresh.session,
            plan=plan_of(document).value,
            roles=tuple(document["roles"]),
        )
        return SignedIn(
            token=self._tokens.sign(session),
            token_type="Bearer",  # noqa: S106 (the scheme's name)
            expires_in=sessions.LIFETIME_SECONDS,
            refresh_token=self._tokens.sign_refresh(refresh),
            account=account(document),
            device_token=self._tokens.sign_device(document["email_key"]),
        )


def account(document: Document) -> Account:
    """An account as its owner sees it."""
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
    """The plan an account has now: the one it bought, for as long as that lasts."""
    bought = document.get("subscription")
    return Plan(bought["plan"]) if bought and bought["until"] > clock.now() else Plan.FREE


def account_results(redis: Redis) -> AccountResults:
    """The accounts that are kept near."""
    return Results(redis, "accounts", Account)


def key(email: str) -> str:
    """What makes two spellings one address."""
    return address_key(email)


def require_strong(password: str, email: str, name: str, *, at: str = "$.password") -> None:
    """Raise :class:`Problem` (422) for a password that is easily guessed."""
    reason = objection(password, email, name)
    if reason is not None:
        detail = f"The password {reason}: choose another, such as four unrelated words."
        raise Problem(INVALID, detail, errors=[FieldError(at=at, detail=detail)])


def _digest(email_key: str, address: str) -> str:
    # Where people are is nobody's business: kept only so far that the same place can be recognised.
    return hashlib.blake2b(address.encode(), key=email_key.encode()[:64], digest_size=12).hexdigest()
