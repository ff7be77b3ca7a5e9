"""Hypothesis strategies for every message, made from one vocabulary: a field of one name always means the same.

Ids, SKUs and amounts come from small pools, so that messages made apart from each other meet on the same order.
"""

from base64 import b64encode
from datetime import UTC, datetime
from types import NoneType
from typing import Any, Final, Literal, TypeVar, get_args, get_origin
from uuid import UUID

from hypothesis import strategies as st

from schemas.base import MAX_MINOR_UNITS, MAX_QUANTITY, Message, Trace
from schemas.commands import Command, Sent
from schemas.events import Event
from schemas.events.order import Contact, OrderLine, Pick
from schemas.money import CURRENCIES, Money
from schemas.personal import Sealed
from schemas.recorded import Recorded
from schemas.upcasters import in_clear
from tests.examples import TENANT, uuid

M = TypeVar("M", bound=Message)


def _pool(kind: str, size: int) -> st.SearchStrategy[UUID]:
    return st.sampled_from([uuid(f"{kind} {number}") for number in range(size)])


skus: Final = st.sampled_from(["YIRGACHEFFE-250", "HUILA-1KG", "V60.02", "A"])
order_ids: Final = _pool("order", 3)
customer_ids: Final = _pool("customer", 2)
shipment_ids: Final = _pool("shipment", 4)
refund_ids: Final = _pool("refund", 3)
quantities: Final = st.integers(1, 5) | st.integers(1, MAX_QUANTITY)
minor_units: Final = st.integers(0, 20) | st.integers(0, MAX_MINOR_UNITS)
versions: Final = st.integers(1, 2**31 - 1)
currencies: Final = st.sampled_from(["EUR", "EUR", "EUR", "JPY"]) | st.sampled_from(sorted(CURRENCIES))
_letters: Final = st.characters(exclude_categories=("C", "Z"), include_characters=" ")
texts: Final = st.text(_letters, min_size=1, max_size=20).filter(str.strip)
identifiers: Final = st.sampled_from(["a", "RR123456785PT", "insufficient_funds", "A.b_c:d-9", "9" * 100])
instants: Final = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001

monies: Final = st.builds(Money, amount=minor_units, currency=currencies)
contacts: Final = st.builds(
    Contact,
    name=texts,
    email=st.sampled_from(["ana.souza@example.com", "a+b_c%d@x-1.co.uk"]),
    phone=st.sampled_from([None, "+351910000001"]),
    address=texts,
    note=st.none() | texts,
)
boxes: Final = st.binary(min_size=1, max_size=90).map(lambda data: b64encode(data).decode())
sealed: Final = st.builds(Sealed, key_id=st.uuids(), box=boxes) | contacts.map(in_clear)
order_lines: Final = st.builds(
    OrderLine, sku=skus, name=texts, quantity=quantities, unit_price=minor_units, product_version=versions
)
picks: Final = st.builds(Pick, sku=skus, quantity=quantities)
traces: Final = st.builds(
    Trace,
    correlation_id=st.uuids(),
    causation_id=st.uuids(),
    traceparent=st.sampled_from([None, f"00-{'0af7' * 8}-{'b7ad' * 4}-01"]),
)

FIELDS: Final[dict[str, st.SearchStrategy[Any]]] = {
    "sku": skus,
    "name": texts,
    "description": texts,
    "price": monies,
    "quantity": quantities,
    "available": st.integers(0, MAX_QUANTITY),
    "delta": st.integers(-5, 5) | st.integers(-MAX_QUANTITY, MAX_QUANTITY),
    "reference": identifiers,
    "order_id": order_ids,
    "customer_id": customer_ids,
    "payment_id": _pool("payment", 3),
    "shipment_id": shipment_ids,
    "capture_id": shipment_ids,
    "refund_id": refund_ids,
    "event_id": st.uuids(),
    "message_id": st.uuids(),
    "contact": sealed,
    "lines": st.lists(order_lines, min_size=1, max_size=4, unique_by=lambda line: line.sku).map(tuple),
    "total": monies,
    "amount": monies,
    "confirmed": st.booleans(),
    "final": st.booleans(),
    "carrier": texts,
    "tracking": identifiers,
    "picks": st.lists(picks, min_size=1, max_size=4).map(tuple),
    "payment_token": st.sampled_from(["tok_visa", "tok_declined", "tok_" + "9" * 60]),
    "acquirer_reference": identifiers,
    "code": identifiers,
    "stream_id": st.uuids(),
    "version": versions,
    "occurred_at": instants,
    "sent_at": instants,
    "tenant_id": st.sampled_from([TENANT, "other-shop"]),
    "actor": identifiers,
    "trace": traces,
    "prev": st.binary(min_size=32, max_size=32).map(bytes.hex),
}
"""How a field of this name is made, in whatever message it stands; literals and None are read off the message."""


def a(message: type[M]) -> st.SearchStrategy[M]:
    """Give a strategy for one type of message; its fields are made as `FIELDS` says."""
    fields = message.model_fields.items()
    return st.builds(message, **{name: _field(name, field.annotation) for name, field in fields if name != "type"})


def _field(name: str, annotation: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401 - an annotation is any object
    parts = get_args(annotation)
    if get_origin(annotation) is Literal:
        return st.sampled_from(parts)
    if NoneType in parts:
        return st.none() | _field(name, parts[0])
    return contacts if annotation is Contact else FIELDS[name]


events: Final[st.SearchStrategy[Event]] = st.one_of([a(message) for message in get_args(Event)])
commands: Final[st.SearchStrategy[Command]] = st.one_of([a(message) for message in get_args(Command)])
FIELDS.update(event=events, command=commands)
recordeds: Final = a(Recorded)
sents: Final = a(Sent)
