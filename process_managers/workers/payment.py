"""Calls the acquirer for a payment command, and sends what came of it to the write API's inbox."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final, Protocol, assert_never
from uuid import UUID

from psycopg_pool import AsyncConnectionPool

from infra.acquirer import Answer, Approved, OutcomeUnknown, Refused
from infra.bus import post
from process_managers.workers.once import handled, remember
from schemas.commands import (
    AuthorisePayment,
    CapturePayment,
    InboxCommand,
    PaymentCommand,
    RecordAuthorisation,
    RecordCapture,
    RecordCaptureRefusal,
    RecordDecline,
    RecordRefund,
    RecordRefundRefusal,
    RecordVoid,
    RefundPayment,
    Sent,
    VoidPayment,
)
from schemas.ids import message_id
from schemas.money import Money

CONSUMER: Final = "payment"


class Acquirer(Protocol):
    """The payment gateway. Each call is idempotent by its key and may raise OutcomeUnknown."""

    async def authorise(self, payment_id: UUID, amount: Money, payment_token: str) -> Answer:
        """Hold an amount; the key is `payment_id`."""

    async def capture(self, payment_id: UUID, capture_id: UUID, amount: Money) -> Answer:
        """Take part of what is held; the key is `capture_id`."""

    async def void(self, payment_id: UUID) -> Answer:
        """Hold nothing, and refuse to authorise `payment_id` from now on, even when it was never authorised."""

    async def refund(self, payment_id: UUID, refund_id: UUID, amount: Money) -> Answer:
        """Give back part of what was taken; the key is `refund_id`."""

    async def find(self, key: UUID) -> Answer | None:
        """Tell what became of a call by its key; None when it never arrived. A void has no key of its own."""


class VoidRefused(Exception):  # noqa: N818  # a state of the world
    """Something was captured already, which only a defect can bring about: a cancelled order has not shipped."""


class PaymentWorker:
    """At most one charge per payment, whatever is lost on the way: an unknown outcome is resolved by asking for it."""

    def __init__(self, pool: AsyncConnectionPool, acquirer: Acquirer, *, now: Callable[[], datetime]) -> None:
        self._pool = pool
        self._acquirer = acquirer
        self._now = now

    async def handle(self, sent: Sent) -> None:
        """Do the work of one message and post its result once; raises OutcomeUnknown to be called again later."""
        command = sent.command
        if not isinstance(command, PaymentCommand):
            raise TypeError(f"{command.type} is not for the payment worker")
        if await handled(self._pool, CONSUMER, sent.message_id):
            return
        result = await self._result(command)
        trace = sent.trace.model_copy(update={"causation_id": sent.message_id})
        reply = Sent(
            message_id=message_id(sent.message_id, result.type),
            tenant_id=sent.tenant_id,
            actor=f"worker:{CONSUMER}",
            trace=trace,
            sent_at=self._now(),
            command=result,
        )
        async with self._pool.connection() as connection, connection.transaction():
            if await remember(connection, CONSUMER, sent.message_id):
                await post(connection, [reply])

    async def _result(self, command: PaymentCommand) -> InboxCommand:
        match command:
            case AuthorisePayment():
                return await self._authorise(command)
            case CapturePayment():
                return await self._capture(command)
            case VoidPayment():
                return await self._void(command)
            case RefundPayment():
                return await self._refund(command)
        assert_never(command)

    async def _authorise(self, command: AuthorisePayment) -> InboxCommand:
        call = self._acquirer.authorise(command.payment_id, command.amount, command.payment_token)
        match await self._outcome(command.payment_id, call):
            case Approved(reference=reference):
                return RecordAuthorisation(
                    order_id=command.order_id, amount=command.amount, acquirer_reference=reference
                )
            case Refused(code=code):
                return RecordDecline(order_id=command.order_id, code=code)

    async def _capture(self, command: CapturePayment) -> InboxCommand:
        order_id, capture_id, amount = command.order_id, command.capture_id, command.amount
        call = self._acquirer.capture(command.payment_id, capture_id, amount)
        match await self._outcome(capture_id, call):
            case Approved():
                return RecordCapture(order_id=order_id, capture_id=capture_id, amount=amount)
            case Refused(code=code):
                return RecordCaptureRefusal(order_id=order_id, capture_id=capture_id, code=code)

    async def _void(self, command: VoidPayment) -> InboxCommand:
        match await self._acquirer.void(command.payment_id):
            case Approved():
                return RecordVoid(order_id=command.order_id)
            case Refused(code=code):
                raise VoidRefused(code)

    async def _refund(self, command: RefundPayment) -> InboxCommand:
        order_id, refund_id, amount = command.order_id, command.refund_id, command.amount
        call = self._acquirer.refund(command.payment_id, refund_id, amount)
        match await self._outcome(refund_id, call):
            case Approved():
                return RecordRefund(order_id=order_id, refund_id=refund_id, amount=amount)
            case Refused(code=code):
                return RecordRefundRefusal(order_id=order_id, refund_id=refund_id, code=code)

    async def _outcome(self, key: UUID, call: Awaitable[Answer]) -> Answer:
        try:
            return await call
        except OutcomeUnknown:
            found = await self._acquirer.find(key)
            if found is None:
                raise
            return found
