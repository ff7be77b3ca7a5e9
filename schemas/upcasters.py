"""Forms that have a successor, and the way there and back. The log holds them for ever; nothing else knows of them.

`decode` gives their successors. A consumer elsewhere that still knows only the old form is served the other way round
(`infra/kafka/audience.py`).
"""

from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import AfterValidator

from schemas.base import Identifier, Locale, Message
from schemas.events.order import Contact, Lines, OrderPlaced, PaymentToken
from schemas.events.payment import PaymentDeclined, kind_of_decline
from schemas.money import Money
from schemas.personal import Sealed

_UNREADABLE: Final = Contact(name="-", email="sealed@orderflow.invalid", address="-")


class OrderPlacedV1(Message):
    """A customer has ordered, at the catalogue's prices; the contact stood in clear."""

    type: Literal["order.placed.v1"] = "order.placed.v1"
    customer_id: UUID
    contact: Contact
    locale: Locale
    """The language of the mail to the customer."""
    lines: Lines
    """One line per SKU."""
    total: Money
    payment_token: PaymentToken
    """What the acquirer's card form gave the front end; never a card number."""


class PaymentDeclinedV1(Message):
    """The acquirer holds nothing; which kind of reason it had was not told yet."""

    type: Literal["payment.declined.v1"] = "payment.declined.v1"
    order_id: UUID
    code: Identifier
    """The acquirer's reason, for example `insufficient_funds`."""


def in_clear(contact: Contact) -> Sealed:
    """Give a contact that no key guards, as it was stored once."""
    return Sealed(key_id=None, box=b64encode(contact.model_dump_json().encode()).decode())


def _placed(event: OrderPlacedV1) -> OrderPlaced:
    return OrderPlaced(
        customer_id=event.customer_id,
        contact=in_clear(event.contact),
        locale=event.locale,
        lines=event.lines,
        total=event.total,
        payment_token=event.payment_token,
    )


def _declined(event: PaymentDeclinedV1) -> PaymentDeclined:
    return PaymentDeclined(order_id=event.order_id, code=event.code, kind=kind_of_decline(event.code))


Superseded = Annotated[OrderPlacedV1, AfterValidator(_placed)] | Annotated[PaymentDeclinedV1, AfterValidator(_declined)]
"""Every form that has a successor, frozen as it was, which becomes that successor as it is read."""


def _placed_v1(event: OrderPlaced) -> OrderPlacedV1:
    """Whoever only follows events has no key, so a sealed contact becomes one that says nothing."""
    sealed = event.contact
    contact = _UNREADABLE if sealed.key_id else Contact.model_validate_json(b64decode(sealed.box))
    return OrderPlacedV1(
        customer_id=event.customer_id,
        contact=contact,
        locale=event.locale,
        lines=event.lines,
        total=event.total,
        payment_token=event.payment_token,
    )


def _declined_v1(event: PaymentDeclined) -> PaymentDeclinedV1:
    return PaymentDeclinedV1(order_id=event.order_id, code=event.code)


@dataclass(frozen=True, slots=True)
class Step:
    """From a form back to the one that it superseded."""

    kind: type[Message]
    successor: str
    downcast: Callable[[Any], Message]


STEPS: Final[Mapping[str, Step]] = {
    "order.placed.v1": Step(OrderPlacedV1, "order.placed.v2", _placed_v1),
    "payment.declined.v1": Step(PaymentDeclinedV1, "payment.declined.v2", _declined_v1),
}
"""By the wire name of the old form."""
