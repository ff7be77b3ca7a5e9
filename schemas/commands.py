"""What travels over the command bus (RabbitMQ, or the outbox in the embedded profile). One worker each, retried."""

from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import Field, TypeAdapter

from schemas.base import Identifier, Instant, Message, Quantity, Sku, TenantId, Trace
from schemas.events.order import CancelReason, PaymentToken, Picks
from schemas.money import Money

# To the write API's inbox: commands on aggregates.


class ReserveStock(Message):
    """Set aside for an order, or say that there is too little."""

    type: Literal["stock.reserve.v1"] = "stock.reserve.v1"
    sku: Sku
    order_id: UUID
    quantity: Quantity


class ReleaseStock(Message):
    """Give back what an order holds."""

    type: Literal["stock.release.v1"] = "stock.release.v1"
    sku: Sku
    order_id: UUID


class DispatchStock(Message):
    """Take off the shelf what a shipment holds."""

    type: Literal["stock.dispatch.v1"] = "stock.dispatch.v1"
    sku: Sku
    order_id: UUID
    shipment_id: UUID
    quantity: Quantity


class ConfirmOrder(Message):
    """Confirm an order, now that its stock and payment are sure."""

    type: Literal["order.confirm.v1"] = "order.confirm.v1"
    order_id: UUID


class CancelOrder(Message):
    """End an order of which nothing has shipped."""

    type: Literal["order.cancel.v1"] = "order.cancel.v1"
    order_id: UUID
    reason: CancelReason


class CompleteOrder(Message):
    """Complete an order that is delivered and paid."""

    type: Literal["order.complete.v1"] = "order.complete.v1"
    order_id: UUID


class RequestPayment(Message):
    """Begin the payment of an order."""

    type: Literal["payment.request.v1"] = "payment.request.v1"
    order_id: UUID
    amount: Money
    payment_token: PaymentToken


class RecordAuthorisation(Message):
    """Record that the acquirer holds the amount."""

    type: Literal["payment.record_authorisation.v1"] = "payment.record_authorisation.v1"
    order_id: UUID
    amount: Money
    acquirer_reference: Identifier


class RecordDecline(Message):
    """Record that the acquirer said no."""

    type: Literal["payment.record_decline.v1"] = "payment.record_decline.v1"
    order_id: UUID
    code: Identifier


class RecordCapture(Message):
    """Record that the acquirer has taken the money."""

    type: Literal["payment.record_capture.v1"] = "payment.record_capture.v1"
    order_id: UUID
    capture_id: UUID
    amount: Money


class RecordCaptureRefusal(Message):
    """Record that the acquirer would not take the money."""

    type: Literal["payment.record_capture_refusal.v1"] = "payment.record_capture_refusal.v1"
    order_id: UUID
    capture_id: UUID
    code: Identifier


class RecordVoid(Message):
    """Record that the acquirer has let go of what it held."""

    type: Literal["payment.record_void.v1"] = "payment.record_void.v1"
    order_id: UUID


class RecordRefund(Message):
    """Record that the acquirer has given money back."""

    type: Literal["payment.record_refund.v1"] = "payment.record_refund.v1"
    order_id: UUID
    refund_id: UUID
    amount: Money


class RecordRefundRefusal(Message):
    """Record that the acquirer would not give money back."""

    type: Literal["payment.record_refund_refusal.v1"] = "payment.record_refund_refusal.v1"
    order_id: UUID
    refund_id: UUID
    code: Identifier


InboxCommand = (
    ReserveStock
    | ReleaseStock
    | DispatchStock
    | ConfirmOrder
    | CancelOrder
    | CompleteOrder
    | RequestPayment
    | RecordAuthorisation
    | RecordDecline
    | RecordCapture
    | RecordCaptureRefusal
    | RecordVoid
    | RecordRefund
    | RecordRefundRefusal
)

# To the payment worker: calls on the acquirer, each under an idempotency key that the command implies.


class AuthorisePayment(Message):
    """Have the acquirer hold the amount. Key there: the payment's id."""

    type: Literal["acquirer.authorise.v1"] = "acquirer.authorise.v1"
    order_id: UUID
    payment_id: UUID
    amount: Money
    payment_token: PaymentToken


class CapturePayment(Message):
    """Have the acquirer take the money. Key there: `capture_id`."""

    type: Literal["acquirer.capture.v1"] = "acquirer.capture.v1"
    order_id: UUID
    payment_id: UUID
    capture_id: UUID
    amount: Money


class VoidPayment(Message):
    """Have the acquirer let go: whatever became of it before, afterwards nothing is held and the key is closed."""

    type: Literal["acquirer.void.v1"] = "acquirer.void.v1"
    order_id: UUID
    payment_id: UUID


class RefundPayment(Message):
    """Have the acquirer give money back. Key there: `refund_id`."""

    type: Literal["acquirer.refund.v1"] = "acquirer.refund.v1"
    order_id: UUID
    payment_id: UUID
    refund_id: UUID
    amount: Money


PaymentCommand = AuthorisePayment | CapturePayment | VoidPayment | RefundPayment

# To the notification worker.

Template = Literal["order_confirmed", "order_cancelled", "order_shipped", "order_delivered", "payment_refunded"]


class NotifyCustomer(Message):
    """Tell a customer by mail. Carries no personal field: the worker reads the contact from the order's history."""

    type: Literal["customer.notify.v1"] = "customer.notify.v1"
    order_id: UUID
    template: Template
    event_id: UUID
    """The event that the mail is about; one mail per order, template and event."""
    picks: Picks | None = None
    """What was shipped, for `order_shipped`."""
    amount: Money | None = None
    """What was refunded, for `payment_refunded`."""
    reason: CancelReason | None = None
    """Why, for `order_cancelled`."""


Command = InboxCommand | PaymentCommand | NotifyCustomer

Queue = Literal["orders.inbox", "payments.work", "notifications.work"]


class Sent(Message):
    """The envelope around every command; its JSON bytes are the message body."""

    message_id: UUID
    """UUIDv5 of its cause, type and subject, so a resend carries the same one. Receivers are idempotent by it."""
    tenant_id: TenantId
    """Whose shop."""
    actor: Identifier
    """Who asks: `process:<name>` or `worker:<name>`."""
    trace: Trace
    sent_at: Instant
    """When it was decided to send it; UTC."""
    command: Annotated[Command, Field(discriminator="type")]
    """What is to be done."""


_SENT: Final = TypeAdapter(Sent)
_PREFIX_QUEUE: Final[dict[str, Queue]] = {"acquirer": "payments.work", "customer": "notifications.work"}


def queue_of(command: Command) -> Queue:
    """Name the one queue that a command is sent to."""
    return _PREFIX_QUEUE.get(command.type.partition(".")[0], "orders.inbox")


def encode(sent: Sent) -> bytes:
    """Give the bytes that are stored in the outbox and sent."""
    return _SENT.dump_json(sent)


def decode(body: bytes) -> Sent:
    """Read a message body; raises pydantic.ValidationError when it is not a known command."""
    return _SENT.validate_json(body)
