"""What can be done with accounts."""

from __future__ import annotations

import time
from typing import TypeAlias

from pymongo import IndexModel, ReturnDocument
from pymongo.errors import DuplicateKeyError
from redis.asyncio import Redis

from app import clock
from app.accounts.passwords import Passwords
from app.accounts.refresh_sessions import Families
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
from app.database.query_cache import Results
from app.http import preconditions
from app.http.problems import EMAIL_TAKEN, NOT_FOUND, UNAUTHENTICATED, WRONG_CREDENTIALS, Problem
from app.ids import new_id
from app.telemetry import metrics

AccountResults: TypeAlias = Results[Account]


class Accounts:
    """Accounts in MongoDB, read through the cache. Who changes an account says so to ``results``."""

    INDEXES = (IndexModel("email_key", unique=True),)

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        tokens: Tokens,
        families: Families,
        results: AccountResults,
    ) -> None:
        self._accounts = database["accounts"]
        self._results = results
        self._passwords = passwords
        self._tokens = tokens
        self._families = families

    async def prepare(self) -> None:
        """Make the indexes that the promises below rest on."""
        await self._accounts.create_indexes(list(self.INDEXES))
        await self._families.prepare()

    async def sign_up(self, wish: SignUp, device: str) -> SignedIn:
        """Make an account; ``email-taken`` when there is one, decided by the database alone."""
        document: Document = {
            "_id": new_id(),
            "email": wish.email,
            "email_key": key(wish.email),
            "name": wish.name,
            "roles": [],
            "balance": 0,
            "password": await self._passwords.hash(wish.password),
            "created_at": clock.now(),
        }
        try:
            await self._accounts.insert_one(document)
        except DuplicateKeyError as error:
            raise Problem(EMAIL_TAKEN, "Sign in, or use another address.") from error
        metrics.accounts_created.inc()
        return self._signed_in(document, await self._families.begin(document["_id"], device))

    async def sign_in(self, wish: SignIn, device: str) -> SignedIn:
        """Exchange credentials for a session; takes as long for an address without an account."""
        document = await self._accounts.find_one({"email_key": key(wish.email)})
        encoded = document["password"] if document else None
        if not await self._passwords.matches(wish.password, encoded) or document is None:
            metrics.sign_ins_refused.inc()
            raise Problem(WRONG_CREDENTIALS, "Check both; after that, reset the password.")
        return self._signed_in(document, await self._families.begin(document["_id"], device))

    async def refresh(self, token: str) -> SignedIn:
        """Exchange a refresh token for the next pair, with what the account may do by now."""
        account, refresh = await self._families.renew(self._tokens.verify_refresh(token))
        return self._signed_in(await self._find(account), refresh)

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
        document = await self._find(session.account)
        if not await self._passwords.matches(wish.current, document["password"]):
            metrics.sign_ins_refused.inc()
            raise Problem(WRONG_CREDENTIALS, "The current password is another.")
        encoded = await self._passwords.hash(wish.new)
        await self._accounts.update_one({"_id": session.account}, {"$set": {"password": encoded}})
        await self._families.end_others(session.account, session.id)

    async def read(self, account_id: str) -> Account:
        """An account by id."""

        async def ask() -> Account:
            return account(await self._find(account_id))

        return await self._results.fetch(account_id, "", ask)

    async def change_profile(self, account_id: str, wish: Profile, condition: str | None) -> Account:
        """Change the name; ``changed-since`` when ``condition`` (an ``If-Match``) no longer holds."""
        document = await self._find(account_id)
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

    async def _find(self, account_id: str) -> Document:
        document = await self._accounts.find_one({"_id": account_id})
        if document is None:
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
    return email.casefold()
