"""A mail server for development and tests: takes any mail over SMTP and shows it to people and programs."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiosmtpd.smtp import SMTP, Envelope, Session
from jinja2 import Environment, FileSystemLoader, select_autoescape
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from infra.http import serve
from infra.local.caught_mail import CaughtMail, OpenedMail

_LIMIT: Final = 200
_MAX_BYTES: Final = 1_048_576
_IDLE_SECONDS: Final = 30
_MAIL_ID: Final = re.compile("[0-9]{1,18}")
"""As many digits as SQLite can hold."""
_PAGES: Final = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=select_autoescape())
_NO_SCRIPT: Final = {"content-security-policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'"}


@dataclass(frozen=True, slots=True)
class MailCatcher:
    smtp_port: int
    url: str
    """Where the mails are read."""


class _Inbound:
    def __init__(self, mails: CaughtMail) -> None:
        self._mails = mails

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  # the library's
        del server, session
        raw = envelope.content
        if not isinstance(raw, bytes):
            return "554 No content"
        for recipient in envelope.rcpt_tos:
            self._mails.catch(raw, recipient)
        return "250 Caught"


class _Reading:
    def __init__(self, mails: CaughtMail) -> None:
        self._mails = mails

    def routes(self) -> list[Route]:
        return [
            Route("/", self._page),
            Route("/messages", self._list),
            Route("/messages", self._remove, methods=["DELETE"]),
            Route("/messages/{mail_id}", self._open),
            Route("/messages/{mail_id}/html", self._html),
            Route("/healthz", self._health),
        ]

    async def _page(self, request: Request) -> Response:
        mails = self._mails.newest(to=request.query_params.get("to"), limit=_LIMIT)
        return HTMLResponse(_PAGES.get_template("mails.html").render(mails=mails))

    async def _list(self, request: Request) -> Response:
        mails = self._mails.newest(to=request.query_params.get("to"), limit=_LIMIT)
        return JSONResponse({"messages": [mail.model_dump() for mail in mails]})

    async def _remove(self, request: Request) -> Response:
        to = request.query_params.get("to")
        if not to:
            return JSONResponse({"title": "Name the address: /messages?to=..."}, status_code=400)
        return JSONResponse({"removed": self._mails.remove(to)})

    async def _open(self, request: Request) -> Response:
        mail = self._asked(request)
        return JSONResponse(mail.model_dump()) if mail else _missing()

    async def _html(self, request: Request) -> Response:
        mail = self._asked(request)
        return HTMLResponse(mail.html, headers=_NO_SCRIPT) if mail else _missing()

    def _asked(self, request: Request) -> OpenedMail | None:
        mail_id = request.path_params["mail_id"]
        return self._mails.open(int(mail_id)) if _MAIL_ID.fullmatch(mail_id) else None

    async def _health(self, request: Request) -> Response:
        del request
        return JSONResponse({"status": "ok"})


@asynccontextmanager
async def catch_mail(
    file: Path, *, host: str = "127.0.0.1", smtp_port: int = 0, port: int = 0
) -> AsyncIterator[MailCatcher]:
    """Take mail until the block ends; ports of 0 are free ones. The mails in `file` outlive it."""
    with closing(CaughtMail(file)) as mails:
        smtp = await asyncio.get_running_loop().create_server(lambda: _session(mails), host, smtp_port)
        try:
            async with serve(Starlette(routes=_Reading(mails).routes()), host=host, port=port, drain_seconds=1) as url:
                yield MailCatcher(smtp.sockets[0].getsockname()[1], url)
        finally:
            smtp.close()


def _session(mails: CaughtMail) -> SMTP:
    return SMTP(
        _Inbound(mails),
        hostname="localhost",
        ident="OrderFlow mail catcher",
        data_size_limit=_MAX_BYTES,
        timeout=_IDLE_SECONDS,
    )


def _missing() -> Response:
    return JSONResponse({"title": "No such mail"}, status_code=404)
