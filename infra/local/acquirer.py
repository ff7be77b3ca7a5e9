"""A simulated acquirer: a real HTTP server with real books, whose cards misbehave in the ways that real ones do."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Final
from uuid import UUID

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from infra.acquirer import AmountBody, AuthoriseBody
from infra.http import serve
from infra.local.acquirer_ledger import Entry, KeyTaken, Ledger
from schemas.base import Instant, Message

_DECLINES: Final = {
    "tok_declined": "declined",
    "tok_insufficient_funds": "insufficient_funds",
    "tok_expired_card": "expired_card",
}
_LOST_ANSWER: Final = "tok_lost_answer"
"""Charges; the first answer never arrives."""
_TIMEOUT: Final = "tok_timeout"
"""Charges; the first answer comes long after any client has given up."""
_FLAKY: Final = "tok_flaky"
"""Answers 503 twice, without charging, and then works."""
_CAPTURE_REFUSED: Final = "tok_capture_refused"
_SLOW: Final = "tok_slow"
_SLOW_SECONDS: Final = 0.3
_HANG_SECONDS: Final = 30.0
_FLAKES: Final = 2


class _Wanted(Message):
    """Which entries of the ledger: all, without either."""

    since: Instant | None = None
    payment_id: UUID | None = None


_CUT: Final = ContextVar("cut", default=False)
logging.getLogger("uvicorn.error").addFilter(lambda _: not _CUT.get())


class _LostAnswer(Response):
    """Cuts the connection in the middle of the answer; on purpose, so the server complains of it to nobody."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        _CUT.set(True)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})


class _Acquirer:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._flakes: Counter[UUID] = Counter()

    def routes(self) -> list[Route]:
        payment = "/payments/{payment_id:uuid}"
        return [
            Route(payment, self._authorise, methods=["PUT"]),
            Route(payment + "/captures/{capture_id:uuid}", self._capture, methods=["PUT"]),
            Route(payment + "/void", self._void, methods=["PUT"]),
            Route(payment + "/refunds/{refund_id:uuid}", self._refund, methods=["PUT"]),
            Route("/operations/{key:uuid}", self._find),
            Route("/ledger", self._books),
            Route("/healthz", self._health),
        ]

    async def _authorise(self, request: Request) -> Response:
        payment_id: UUID = request.path_params["payment_id"]
        body = AuthoriseBody.model_validate_json(await request.body())
        token = body.payment_token
        if token == _FLAKY and self._flakes[payment_id] < _FLAKES:
            self._flakes[payment_id] += 1
            return JSONResponse({"title": "Try again"}, status_code=503)
        if token == _SLOW:
            await asyncio.sleep(_SLOW_SECONDS)
        first = self._ledger.find(str(payment_id)) is None
        entry = self._ledger.authorise(payment_id, body.amount, token, _DECLINES.get(token))
        if first and token == _LOST_ANSWER:
            return _LostAnswer()
        if first and token == _TIMEOUT:
            await _hang(request)
        return _told(entry)

    async def _capture(self, request: Request) -> Response:
        body = AmountBody.model_validate_json(await request.body())
        payment_id, capture_id = request.path_params["payment_id"], request.path_params["capture_id"]
        payment = self._ledger.find(str(payment_id))
        refusal = "capture_refused" if payment and payment.payment_token == _CAPTURE_REFUSED else None
        return _told(self._ledger.capture(payment_id, capture_id, body.amount, refusal))

    async def _void(self, request: Request) -> Response:
        return _told(self._ledger.void(request.path_params["payment_id"]))

    async def _refund(self, request: Request) -> Response:
        body = AmountBody.model_validate_json(await request.body())
        return _told(
            self._ledger.refund(request.path_params["payment_id"], request.path_params["refund_id"], body.amount)
        )

    async def _find(self, request: Request) -> Response:
        entry = self._ledger.find(str(request.path_params["key"]))
        return _told(entry) if entry else JSONResponse({"title": "No such operation"}, status_code=404)

    async def _books(self, request: Request) -> Response:
        asked = _Wanted.model_validate_strings(dict(request.query_params))
        entries = self._ledger.entries(since=asked.since, payment_id=asked.payment_id)
        return JSONResponse({"entries": [entry.model_dump() for entry in entries]})

    async def _health(self, request: Request) -> Response:
        del request
        return JSONResponse({"status": "ok"})


@asynccontextmanager
async def serve_acquirer(file: Path, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve until the block ends and yield the base URL; the ledger in `file` outlives it."""
    refusals: dict[type[Exception], Callable[[Request, Exception], Response]] = {
        ValidationError: _wrong_request,
        KeyTaken: _key_taken,
    }
    with closing(Ledger(file)) as ledger:
        app = Starlette(routes=_Acquirer(ledger).routes(), exception_handlers=refusals)
        async with serve(app, host=host, port=port, drain_seconds=1) as url:
            yield url


def _told(entry: Entry) -> Response:
    return Response(entry.answer.model_dump_json(), media_type="application/json")


def _wrong_request(request: Request, error: Exception) -> Response:
    del request, error
    return JSONResponse({"title": "The request is malformed"}, status_code=422)


def _key_taken(request: Request, error: Exception) -> Response:
    del request, error
    return JSONResponse({"title": "The key was used before for something else"}, status_code=409)


async def _hang(request: Request) -> None:
    """Wait as long as a stuck acquirer would, or until the client is gone."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_HANG_SECONDS):
            while (await request.receive())["type"] != "http.disconnect":
                continue
