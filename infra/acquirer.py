"""The payment gateway over HTTP: every call bounded in time, every answer either certain or known to be unknown."""

from types import TracebackType
from typing import Annotated, Final, Literal, Self
from uuid import UUID

import httpx
from pydantic import Field, TypeAdapter

from schemas.base import Identifier, Message
from schemas.money import Money

_TIMEOUT: Final = httpx.Timeout(4.0, connect=1.0)
_LIMITS: Final = httpx.Limits(max_connections=32, max_keepalive_connections=32)
_TRY_AGAIN: Final = frozenset({408, 425, 429})


class Approved(Message):
    status: Literal["approved"] = "approved"
    reference: Identifier
    """The acquirer's own name for the operation."""


class Refused(Message):
    status: Literal["refused"] = "refused"
    code: Identifier
    """The acquirer's reason, for example `insufficient_funds`."""


Answer = Approved | Refused
ANSWER: Final[TypeAdapter[Answer]] = TypeAdapter(Annotated[Answer, Field(discriminator="status")])


class AuthoriseBody(Message):
    amount: Money
    payment_token: str


class AmountBody(Message):
    amount: Money


class OutcomeUnknown(Exception):  # noqa: N818  # a state of the world
    """The acquirer gave no usable answer: it may or may not have done what was asked."""


class HttpAcquirer:
    """Each call is idempotent by its key.

    Raises OutcomeUnknown when the answer is lost, late or 5xx, and httpx.HTTPStatusError when the acquirer calls the
    request itself wrong, which only a defect can bring about.
    """

    def __init__(self, url: str, *, timeout: httpx.Timeout = _TIMEOUT) -> None:
        self._client = httpx.AsyncClient(base_url=url, timeout=timeout, limits=_LIMITS, trust_env=False)

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.__aexit__(kind, error, trace)

    async def authorise(self, payment_id: UUID, amount: Money, payment_token: str) -> Answer:
        return await self._put(f"/payments/{payment_id}", AuthoriseBody(amount=amount, payment_token=payment_token))

    async def capture(self, payment_id: UUID, capture_id: UUID, amount: Money) -> Answer:
        return await self._put(f"/payments/{payment_id}/captures/{capture_id}", AmountBody(amount=amount))

    async def void(self, payment_id: UUID) -> Answer:
        return await self._put(f"/payments/{payment_id}/void", None)

    async def refund(self, payment_id: UUID, refund_id: UUID, amount: Money) -> Answer:
        return await self._put(f"/payments/{payment_id}/refunds/{refund_id}", AmountBody(amount=amount))

    async def find(self, key: UUID) -> Answer | None:
        response = await self._ask("GET", f"/operations/{key}", None)
        return None if response.status_code == httpx.codes.NOT_FOUND else _answer(response)

    async def _put(self, path: str, body: Message | None) -> Answer:
        return _answer(await self._ask("PUT", path, body))

    async def _ask(self, method: str, path: str, body: Message | None) -> httpx.Response:
        content = None if body is None else body.model_dump_json()
        try:
            response = await self._client.request(
                method, path, content=content, headers={"content-type": "application/json"}
            )
        except httpx.TransportError as error:
            raise OutcomeUnknown(f"{method} was not answered: {type(error).__name__}") from error
        if response.is_server_error or response.status_code in _TRY_AGAIN:
            raise OutcomeUnknown(f"{method} was answered with {response.status_code}")
        return response


def _answer(response: httpx.Response) -> Answer:
    response.raise_for_status()
    return ANSWER.validate_json(response.content)
