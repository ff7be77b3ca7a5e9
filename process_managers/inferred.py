"""What events tell of the commands and the deadline before them: neither is kept in the log."""

from typing import Final

from process_managers.fulfilment_state import OrderFulfilment
from process_managers.order_fulfilment import DeadlinePassed
from schemas.commands import (
    CancelOrder,
    CapturePayment,
    Command,
    DispatchStock,
    NotifyCustomer,
    RefundPayment,
    ReleaseStock,
    ReserveStock,
)
from schemas.events import Event
from schemas.events.order import OrderCancelled, OrderCompleted, OrderConfirmed
from schemas.events.payment import (
    CaptureRefused,
    PaymentAuthorised,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefunded,
    PaymentRequested,
    PaymentVoided,
    RefundRefused,
)
from schemas.events.stock import StockDispatched, StockReleased, StockReserved, StockShort
from schemas.recorded import Recorded

Asking = tuple[str, str]
"""Wire name of a command, and what tells it from others of that name of the same order."""
_PASSED: Final = frozenset({"stock_deadline", "payment_deadline", "shipment_deadline"})
_PEOPLE: Final = frozenset({"customer_request", "staff_decision"})


def passed_before(process: OrderFulfilment, recorded: Recorded) -> DeadlinePassed | None:
    """Give the deadline that must have passed for an order to be cancelled because of it."""
    event = recorded.event
    if not isinstance(event, OrderCancelled) or event.reason not in _PASSED or "cancel" in process.asked:
        return None
    return DeadlinePassed(order_id=process.order_id, deadline_at=process.deadline_at or recorded.occurred_at)


def asking_of(command: Command) -> Asking | None:  # noqa: PLR0911  # one line for each kind of command
    """Give what is asked; None for what leaves no event."""
    match command:
        case NotifyCustomer():
            return None
        case ReserveStock() | ReleaseStock():
            return command.type, command.sku
        case DispatchStock():
            return command.type, _dispatch(command)
        case CapturePayment():
            return command.type, str(command.capture_id)
        case RefundPayment():
            return command.type, str(command.refund_id)
        case CancelOrder():
            return command.type, command.reason
        case _:
            return command.type, ""


def brought_about_by(event: Event) -> Asking | None:  # noqa: C901, PLR0911  # one line for each kind of event
    """Give what a process must have asked for an event; None for what people ask."""
    match event:
        case StockReserved() | StockShort():
            return "stock.reserve.v1", event.sku
        case StockReleased():
            return "stock.release.v1", event.sku
        case StockDispatched():
            return "stock.dispatch.v1", _dispatch(event)
        case OrderConfirmed():
            return "order.confirm.v1", ""
        case OrderCancelled() if event.reason not in _PEOPLE:
            return "order.cancel.v1", event.reason
        case OrderCompleted():
            return "order.complete.v1", ""
        case PaymentRequested():
            return "payment.request.v1", ""
        case PaymentAuthorised() | PaymentDeclined():
            return "acquirer.authorise.v1", ""
        case PaymentCaptured() | CaptureRefused():
            return "acquirer.capture.v1", str(event.capture_id)
        case PaymentVoided():
            return "acquirer.void.v1", ""
        case PaymentRefunded() | RefundRefused():
            return "acquirer.refund.v1", str(event.refund_id)
        case _:
            return None


def _dispatch(about: DispatchStock | StockDispatched) -> str:
    return f"{about.sku} of {about.shipment_id}"
