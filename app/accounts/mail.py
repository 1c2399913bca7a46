"""E-mail to the owners of accounts, over SMTP with TLS.

Without a mail server (``KINGDOM_SMTP_URL``) nothing is sent. If the public URL of the service is a loopback
address, the pod stores the latest messages in memory and returns them at ``/outboxz``; a stack on one machine
works this way.
"""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from collections import deque
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

import structlog

from app.background import BackgroundTasks
from app.settings import MailSettings
from app.settings.environment import is_loopback

log = structlog.get_logger()

_TIMEOUT_SECONDS: Final = 10.0
_MAX_OUTBOX: Final = 100
_MAX_PENDING: Final = 100


@dataclass(frozen=True, slots=True)
class Message:
    """One e-mail: the address, the subject, and the text."""

    to: str
    subject: str
    text: str


class Mailer(Protocol):
    """Sends messages in the background."""

    def send(self, message: Message) -> None:
        """Send a message in the background and return at once; errors are logged."""
        ...

    @property
    def outbox(self) -> list[Message]:
        """Return the messages that were stored instead of sent, latest first."""
        ...

    async def close(self) -> None:
        """Wait for messages that are being sent, for at most 10 seconds."""
        ...


class Outbox:
    """Stores the latest messages in memory."""

    def __init__(self) -> None:
        self._messages: deque[Message] = deque(maxlen=_MAX_OUTBOX)

    def send(self, message: Message) -> None:
        self._messages.appendleft(message)
        # In local environments only: `kingdom logs api` shows the messages of every pod.
        log.info(
            "mail stored: no mail server is configured",
            to=message.to,
            subject=message.subject,
            text=message.text,
        )

    @property
    def outbox(self) -> list[Message]:
        return list(self._messages)

    async def close(self) -> None:
        return None


class NoMailer:
    """Drops messages: no mail server is configured."""

    def send(self, message: Message) -> None:
        log.error("mail dropped: no mail server is configured", subject=message.subject)

    @property
    def outbox(self) -> list[Message]:
        return []

    async def close(self) -> None:
        return None


class SmtpMailer:
    """Sends through a mail server, each message in a thread of the event loop's pool."""

    def __init__(self, settings: MailSettings) -> None:
        self._settings = settings
        self._pending = BackgroundTasks()

    def send(self, message: Message) -> None:
        if len(self._pending) >= _MAX_PENDING:
            log.error("mail dropped: the mail server is too slow", subject=message.subject)
            return
        self._pending.start(self._deliver(message))

    @property
    def outbox(self) -> list[Message]:
        return []

    async def close(self) -> None:
        await self._pending.wait(_TIMEOUT_SECONDS)

    async def _deliver(self, message: Message) -> None:
        try:
            await asyncio.to_thread(self._send, message)
        except (OSError, smtplib.SMTPException) as error:
            log.error("mail not sent", subject=message.subject, error=type(error).__name__)

    def _send(self, message: Message) -> None:
        parts = urlsplit(self._settings.url)
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = self._settings.sender, message.to, message.subject
        mail.set_content(message.text)
        context = ssl.create_default_context()
        host, port = parts.hostname or "", parts.port or (465 if parts.scheme == "smtps" else 587)
        if parts.scheme == "smtps":
            server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=_TIMEOUT_SECONDS, context=context)
        else:
            server = smtplib.SMTP(host, port, timeout=_TIMEOUT_SECONDS)
        with server:
            if parts.scheme != "smtps":
                server.starttls(context=context)
            if parts.username:
                server.login(unquote(parts.username), self._settings.password or "")
            server.send_message(mail)


def open_mailer(settings: MailSettings | None, base: str) -> Mailer:
    """Open the mailer of the settings.

    Without settings, messages are stored if ``base`` is a loopback address.
    """
    if settings is not None:
        return SmtpMailer(settings)
    return Outbox() if is_loopback(urlsplit(base).netloc) else NoMailer()
