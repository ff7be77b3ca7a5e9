"""The payment gateway over HTTP: every call bounded in time, every answer either certain or known to be unknown."""

from collections.abc import Sequence
from datetime import datetime
from types import TracebackType
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlencode
from uuid import UUID

import aiohttp
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter

from schemas.base import Identifier, Message
from schemas.money import Money

_SECONDS: Final = 4.0
_CONNECTIONS: Final = 32
_JSON: Final = {"content-type": "application/json"}
_NOT_FOUND: Final = 404
_SERVER_ERRORS: Final = 500
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


class Booked(BaseModel):
    """One line of the acquirer's ledger: approved, with a `reference`, or refused, with a `code`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    key: str
    """The idempotency key of the call; of a capture or refund, its id."""
    kind: Literal["authorise", "capture", "void", "refund"]
    payment_id: UUID
    amount: int
    currency: str
    reference: str | None = None
    code: str | None = None
    recorded_at: AwareDatetime

    @property
    def approved(self) -> bool:
        return self.reference is not None

    @property
    def money(self) -> Money:
        return Money(amount=self.amount, currency=self.currency)


class _Ledger(BaseModel):
    entries: tuple[Booked, ...]


class OutcomeUnknown(Exception):  # noqa: N818  # a state of the world
    """The acquirer gave no usable answer: it may or may not have done what was asked."""


class HttpAcquirer:
    """Each call is idempotent by its key. Use as an async context manager.

    Raises OutcomeUnknown when the answer is lost, late or 5xx, and aiohttp.ClientResponseError when the acquirer calls
    the request itself wrong, which only a defect can bring about.
    """

    def __init__(self, url: str, *, seconds: float = _SECONDS) -> None:
        """An answer that takes longer than `seconds` is late."""
        self._url = url
        self._timeout = aiohttp.ClientTimeout(total=seconds)

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(limit=_CONNECTIONS)
        self._session = aiohttp.ClientSession(self._url, connector=connector, timeout=self._timeout)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def authorise(self, payment_id: UUID, amount: Money, payment_token: str) -> Answer:
        return await self._put(f"/payments/{payment_id}", AuthoriseBody(amount=amount, payment_token=payment_token))

    async def capture(self, payment_id: UUID, capture_id: UUID, amount: Money) -> Answer:
        return await self._put(f"/payments/{payment_id}/captures/{capture_id}", AmountBody(amount=amount))

    async def void(self, payment_id: UUID) -> Answer:
        return await self._put(f"/payments/{payment_id}/void", None)

    async def refund(self, payment_id: UUID, refund_id: UUID, amount: Money) -> Answer:
        return await self._put(f"/payments/{payment_id}/refunds/{refund_id}", AmountBody(amount=amount))

    async def find(self, key: UUID) -> Answer | None:
        try:
            return await self._ask("GET", f"/operations/{key}")
        except aiohttp.ClientResponseError as error:
            if error.status == _NOT_FOUND:
                return None
            raise

    async def ledger(self, *, since: datetime | None = None, payment_id: UUID | None = None) -> Sequence[Booked]:
        """Give what the acquirer has decided, the oldest first: all, or from a moment on, or of one payment."""
        asked = {"since": since and since.isoformat(), "payment_id": payment_id}
        query = urlencode({name: value for name, value in asked.items() if value})
        return _Ledger.model_validate_json(await self._answered("GET", f"/ledger?{query}")).entries

    async def _put(self, path: str, body: Message | None) -> Answer:
        return await self._ask("PUT", path, None if body is None else body.model_dump_json())

    async def _ask(self, method: str, path: str, body: str | None = None) -> Answer:
        return ANSWER.validate_json(await self._answered(method, path, body))

    async def _answered(self, method: str, path: str, body: str | None = None) -> bytes:
        try:
            async with self._session.request(method, path, data=body, headers=_JSON) as response:
                if response.status >= _SERVER_ERRORS or response.status in _TRY_AGAIN:
                    raise OutcomeUnknown(f"{method} was answered with {response.status}")
                response.raise_for_status()
                return await response.read()
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError) as error:
            raise OutcomeUnknown(f"{method} was not answered: {type(error).__name__}") from error
