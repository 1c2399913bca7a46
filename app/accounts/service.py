"""What can be done with accounts."""

from __future__ import annotations

import time

from pymongo import IndexModel
from pymongo.errors import DuplicateKeyError

from app import clock, metrics, sessions
from app.accounts.schemas import Account, SignedIn, SignIn, SignUp
from app.connections import Database, Document
from app.ids import new_id
from app.passwords import Passwords
from app.problems import EMAIL_TAKEN, UNAUTHENTICATED, WRONG_CREDENTIALS, Problem
from app.sessions import Session, Tokens


class Accounts:
    """Accounts in MongoDB."""

    INDEXES = (IndexModel("email_key", unique=True),)

    def __init__(self, database: Database, passwords: Passwords, tokens: Tokens) -> None:
        self._accounts = database["accounts"]
        self._passwords = passwords
        self._tokens = tokens

    async def prepare(self) -> None:
        """Make the indexes that the promises below rest on."""
        await self._accounts.create_indexes(list(self.INDEXES))

    async def sign_up(self, wish: SignUp) -> SignedIn:
        """Make an account; ``email-taken`` when there is one, decided by the database alone."""
        document: Document = {
            "_id": new_id(),
            "email": wish.email,
            "email_key": _key(wish.email),
            "name": wish.name,
            "plan": "free",
            "roles": [],
            "password": await self._passwords.hash(wish.password),
            "created_at": clock.now(),
        }
        try:
            await self._accounts.insert_one(document)
        except DuplicateKeyError as error:
            raise Problem(EMAIL_TAKEN, "Sign in, or use another address.") from error
        metrics.accounts_created.inc()
        return self._signed_in(document)

    async def sign_in(self, wish: SignIn) -> SignedIn:
        """Exchange credentials for a session; takes as long for an address without an account."""
        document = await self._accounts.find_one({"email_key": _key(wish.email)})
        encoded = document["password"] if document else None
        if not await self._passwords.matches(wish.password, encoded) or document is None:
            raise Problem(WRONG_CREDENTIALS, "Check both; after that, reset the password.")
        return self._signed_in(document)

    async def read(self, account_id: str) -> Account:
        """An account by id."""
        document = await self._accounts.find_one({"_id": account_id})
        if document is None:
            raise Problem(UNAUTHENTICATED, "The account is no longer there.")
        return _account(document)

    def _signed_in(self, document: Document) -> SignedIn:
        session = Session(
            account=document["_id"],
            expires=int(time.time()) + sessions.LIFETIME_SECONDS,
            plan=document["plan"],
            roles=tuple(document["roles"]),
        )
        return SignedIn(
            token=self._tokens.sign(session),
            token_type="Bearer",  # noqa: S106 (the scheme's name)
            expires_in=sessions.LIFETIME_SECONDS,
            account=_account(document),
        )


def _key(email: str) -> str:
    return email.casefold()


def _account(document: Document) -> Account:
    return Account(
        id=document["_id"],
        email=document["email"],
        name=document["name"],
        plan=document["plan"],
        created_at=document["created_at"],
    )
