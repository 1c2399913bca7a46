"""Mailers: stored, dropped and sent messages."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage
from typing import Any

import pytest

from app.accounts import mail as module
from app.accounts.mail import Message, NoMailer, Outbox, SmtpMailer, open_mailer
from app.settings import MailSettings

MESSAGE = Message("ada@example.com", "Hello", "Text.")
SMTPS = MailSettings("smtps://us%40er@mail.example.com", "Kingdom <no-reply@example.com>", "secret")


class FakeServer:
    """An SMTP server that records its calls; `error` is raised by `send_message`."""

    calls: list[tuple[Any, ...]]
    error: Exception | None = None

    def __init__(self, host: str, port: int, **_: Any) -> None:
        self.calls.append((type(self).__name__, host, port))

    def __enter__(self) -> FakeServer:
        return self

    def __exit__(self, *_: object) -> None: ...

    def starttls(self, context: Any) -> None:
        self.calls.append(("starttls",))

    def login(self, user: str, password: str) -> None:
        self.calls.append(("login", user, password))

    def send_message(self, message: EmailMessage) -> None:
        if self.error is not None:
            raise self.error
        self.calls.append(("send", message["To"], message["From"], message["Subject"], message.get_content()))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> type[FakeServer]:
    plain = type("SMTP", (FakeServer,), {"calls": []})
    monkeypatch.setattr(module.smtplib, "SMTP", plain)
    monkeypatch.setattr(module.smtplib, "SMTP_SSL", type("SMTP_SSL", (plain,), {}))
    return plain


@pytest.mark.parametrize(
    ("settings", "base", "kind"),
    [
        (SMTPS, "http://localhost:8080", SmtpMailer),
        (None, "http://localhost:8080", Outbox),
        (None, "https://127.0.0.1", Outbox),
        (None, "https://api.example.com", NoMailer),
    ],
)
def test_mailer_of_the_settings(settings: MailSettings | None, base: str, kind: type) -> None:
    assert type(open_mailer(settings, base)) is kind


def test_outbox_holds_the_latest_messages_first() -> None:
    outbox = Outbox()
    for number in range(101):
        outbox.send(Message("a", str(number), ""))
    assert [message.subject for message in outbox.outbox] == [str(number) for number in range(100, 0, -1)]


def test_messages_are_dropped_without_a_mail_server() -> None:
    mailer = NoMailer()
    mailer.send(MESSAGE)
    assert mailer.outbox == []


async def send(mailer: SmtpMailer) -> None:
    mailer.send(MESSAGE)
    assert mailer.outbox == []
    await mailer.close()


@pytest.mark.anyio
async def test_message_is_sent_over_tls_with_the_credentials(server: type[FakeServer]) -> None:
    await send(SmtpMailer(SMTPS))
    assert server.calls == [
        ("SMTP_SSL", "mail.example.com", 465),
        ("login", "us@er", "secret"),
        ("send", "ada@example.com", "Kingdom <no-reply@example.com>", "Hello", "Text.\n"),
    ]


@pytest.mark.anyio
async def test_plain_connection_is_upgraded_before_anything_is_sent(server: type[FakeServer]) -> None:
    await send(SmtpMailer(MailSettings("smtp://mail.example.com:2525", "a@example.com", None)))
    assert [call[0] for call in server.calls] == ["SMTP", "starttls", "send"]
    assert server.calls[0][2] == 2525


@pytest.mark.anyio
@pytest.mark.parametrize("error", [ConnectionRefusedError(), smtplib.SMTPRecipientsRefused({})])
async def test_errors_of_the_mail_server_are_logged_only(server: type[FakeServer], error: Exception) -> None:
    server.error = error
    await send(SmtpMailer(SMTPS))
    assert ("login", "us@er", "secret") in server.calls


@pytest.mark.anyio
async def test_messages_beyond_the_limit_are_dropped(
    server: type[FakeServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_PENDING", 1)
    mailer = SmtpMailer(SMTPS)
    mailer.send(MESSAGE)
    await send(mailer)
    assert [call[0] for call in server.calls].count("send") == 1
