"""Mails that really go out by SMTP and are really received."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from infra.local.mail_catcher import MailCatcher, catch_mail
from infra.smtp import MailNotTaken, Smtp
from process_managers.workers.mail import HistoryMissing
from process_managers.workers.notification import NotificationWorker
from schemas.base import Locale
from schemas.commands import NotifyCustomer, Sent
from tests.appending import OpenLog, appending, open_log
from tests.command_examples import confirm, sent
from tests.examples import ORDER_ID, confirmed, history, placed
from tests.vault import unconnected
from tests.waiting import eventually

SENDER = "orders@orderflow.example"


@dataclass
class Mailbox:
    log: OpenLog
    caught: MailCatcher
    worker: NotificationWorker

    async def order(self, locale: Locale = "en") -> Sent:
        """Store a confirmed order and give the command to tell its customer."""
        past = history(placed(locale=locale), confirmed())
        await self.log.appender.append(appending(*past))
        return sent(NotifyCustomer(order_id=ORDER_ID, template="order_confirmed", event_id=past[-1].event_id))

    async def mails(self, query: str = "") -> list[dict[str, Any]]:
        mails: list[dict[str, Any]] = (await read(self.caught, f"/messages{query}")).json()["messages"]
        return mails


async def read(caught: MailCatcher, path: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=caught.url) as client:
        return await client.get(path)


def a_mail(to: str = "ana@example.com", message_id: str | None = "<1@example.com>") -> EmailMessage:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = "Olá", SENDER, to
    if message_id:
        message["Message-ID"] = message_id
    message.set_content("Olá, mundo")
    message.add_alternative("<p>Olá, <b>mundo</b></p>", subtype="html")
    return message


@pytest.fixture
async def caught(tmp_path: Path) -> AsyncIterator[MailCatcher]:
    async with catch_mail(tmp_path / "mail.sqlite") as catcher:
        yield catcher


@pytest.fixture
async def mailbox(database: str, caught: MailCatcher) -> AsyncIterator[Mailbox]:
    async with open_log(database) as log:
        smtp = Smtp("127.0.0.1", caught.smtp_port)
        yield Mailbox(log, caught, NotificationWorker(log.pool, log.log, unconnected(), smtp, sender=SENDER))


@pytest.mark.servers
@pytest.mark.parametrize(
    ("locale", "subject"), [("en", "Your order is confirmed"), ("pt", "A sua encomenda está confirmada")]
)
async def test_the_customer_gets_the_mail_in_the_language_of_the_order(
    mailbox: Mailbox, locale: Locale, subject: str
) -> None:
    await mailbox.worker.handle(await mailbox.order(locale))
    [mail] = await mailbox.mails()
    assert (mail["to"], mail["subject"], mail["order_id"]) == ("ana.souza@example.com", subject, str(ORDER_ID))


@pytest.mark.servers
async def test_a_command_that_comes_again_sends_nothing(mailbox: Mailbox) -> None:
    message = await mailbox.order()
    for _ in range(3):
        await mailbox.worker.handle(message)
    [mail] = await mailbox.mails()
    assert mail["repeats"] == 0


@pytest.mark.servers
async def test_a_mail_that_goes_out_twice_is_recognised_by_its_message_id(mailbox: Mailbox) -> None:
    message = await mailbox.order()
    await asyncio.gather(*(mailbox.worker.handle(message) for _ in range(3)))
    [mail] = await mailbox.mails()
    assert mail["message_id"] == f"<{message.message_id}@orderflow.example>"
    assert mail["repeats"] == 2


@pytest.mark.servers
async def test_a_mail_that_was_not_taken_is_not_remembered_as_sent(mailbox: Mailbox) -> None:
    message = await mailbox.order()
    nobody = NotificationWorker(mailbox.log.pool, mailbox.log.log, unconnected(), Smtp("127.0.0.1", 9), sender=SENDER)
    with pytest.raises(MailNotTaken):
        await nobody.handle(message)
    await mailbox.worker.handle(message)
    assert len(await mailbox.mails()) == 1


@pytest.mark.servers
async def test_an_order_that_is_not_in_the_log_is_tried_again_later(mailbox: Mailbox) -> None:
    with pytest.raises(HistoryMissing):
        await mailbox.worker.handle(
            sent(NotifyCustomer(order_id=ORDER_ID, template="order_confirmed", event_id=ORDER_ID))
        )


@pytest.mark.servers
async def test_a_command_for_somebody_else_is_not_swallowed(mailbox: Mailbox) -> None:
    with pytest.raises(TypeError):
        await mailbox.worker.handle(sent(confirm()))


async def test_a_refused_mail_does_not_say_whom_it_was_for(caught: MailCatcher) -> None:
    huge = a_mail()
    huge.add_attachment(b"x" * 2_000_000, maintype="application", subtype="octet-stream")
    with pytest.raises(MailNotTaken) as refused:
        await Smtp("127.0.0.1", caught.smtp_port).send(huge)
    assert "ana@example.com" not in str(refused.value)
    assert refused.value.__cause__ is None


async def test_the_user_of_the_mail_server_logs_in() -> None:
    asked: list[LoginPassword] = []
    taken: list[bytes] = []

    class Taking:
        async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
            taken.append(envelope.original_content or b"")
            return "250 OK"

    def knows(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, login: object) -> AuthResult:
        assert isinstance(login, LoginPassword)
        asked.append(login)
        return AuthResult(success=login.password == b"secret", handled=False)

    sessions: list[SMTP] = []

    def session() -> SMTP:
        sessions.append(SMTP(Taking(), authenticator=knows, auth_require_tls=False))
        return sessions[-1]

    async def over() -> bool:
        return all(each.transport is None for each in sessions)

    async with await asyncio.get_running_loop().create_server(session, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        await Smtp("127.0.0.1", port, "shop", "secret", "none").send(a_mail())
        with pytest.raises(MailNotTaken, match="535"):
            await Smtp("127.0.0.1", port, "shop", "wrong", "none").send(a_mail())
        with pytest.raises(MailNotTaken):
            await Smtp("127.0.0.1", port, "shop", "secret").send(a_mail())
        await eventually(over)
    assert {(login.login, login.password) for login in asked} == {(b"shop", b"secret"), (b"shop", b"wrong")}
    assert len(taken) == 1


@pytest.mark.parametrize("tls", ["starttls", "tls"])
async def test_mail_that_is_to_be_guarded_is_never_sent_in_the_clear(
    caught: MailCatcher, tls: Literal["starttls", "tls"]
) -> None:
    with pytest.raises(MailNotTaken):
        await Smtp("127.0.0.1", caught.smtp_port, tls=tls).send(a_mail())


async def test_caught_mail_is_listed_newest_first_and_by_address(caught: MailCatcher) -> None:
    smtp = Smtp("127.0.0.1", caught.smtp_port)
    await smtp.send(a_mail(message_id="<1@example.com>"))
    await smtp.send(a_mail("rui@example.com", "<2@example.com>"))
    listed = (await read(caught, "/messages")).json()["messages"]
    assert [mail["to"] for mail in listed] == ["rui@example.com", "ana@example.com"]
    to_ana = (await read(caught, "/messages?to=ana@example.com")).json()["messages"]
    assert [mail["message_id"] for mail in to_ana] == ["<1@example.com>"]


async def test_a_mail_to_two_people_is_kept_for_both(caught: MailCatcher) -> None:
    await Smtp("127.0.0.1", caught.smtp_port).send(a_mail("ana@example.com, rui@example.com"))
    listed = (await read(caught, "/messages")).json()["messages"]
    assert {mail["to"] for mail in listed} == {"ana@example.com", "rui@example.com"}


async def test_mails_without_a_message_id_are_all_kept(caught: MailCatcher) -> None:
    for _ in range(2):
        await Smtp("127.0.0.1", caught.smtp_port).send(a_mail(message_id=None))
    assert len((await read(caught, "/messages")).json()["messages"]) == 2


async def test_an_opened_mail_shows_its_parts_and_headers(caught: MailCatcher) -> None:
    await Smtp("127.0.0.1", caught.smtp_port).send(a_mail())
    opened = (await read(caught, "/messages/1")).json()
    assert (opened["text"], opened["html"]) == ("Olá, mundo\n", "<p>Olá, <b>mundo</b></p>\n")
    assert opened["headers"]["Subject"] == "Olá"


async def test_the_html_of_a_mail_is_shown_without_script(caught: MailCatcher) -> None:
    await Smtp("127.0.0.1", caught.smtp_port).send(a_mail())
    page = await read(caught, "/messages/1/html")
    assert page.headers["content-security-policy"].startswith("sandbox; default-src 'none'")


async def test_the_page_escapes_what_came_in(caught: MailCatcher) -> None:
    message = a_mail()
    message.replace_header("Subject", "<script>alert(1)</script>")
    await Smtp("127.0.0.1", caught.smtp_port).send(message)
    page = (await read(caught, "/")).text
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize("mail_id", ["7", "9" * 20, "9" * 5_000, "-1", "one"])
@pytest.mark.parametrize("part", ["", "/html"])
async def test_a_mail_that_is_not_there_is_not_found(caught: MailCatcher, mail_id: str, part: str) -> None:
    assert (await read(caught, f"/messages/{mail_id}{part}")).status_code == 404


async def test_caught_mail_survives_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "mail.sqlite"
    for _ in range(2):
        async with catch_mail(file) as caught:
            await Smtp("127.0.0.1", caught.smtp_port).send(a_mail())
    async with catch_mail(file) as caught:
        [mail] = (await read(caught, "/messages")).json()["messages"]
        assert mail["repeats"] == 1
        assert (await read(caught, "/healthz")).status_code == 200
