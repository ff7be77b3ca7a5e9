"""Chooses the events of a bundle: those of an order, of a customer's orders, or of a stretch of the log."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from infra.audit.reading import Connection
from infra.audit.verify_bundle import Place
from infra.event_log import COLUMNS
from schemas.ids import payment_id, stock_id

_STREAMS: Final = COLUMNS + "WHERE originator_id = ANY(%s) ORDER BY notification_id"
_BETWEEN: Final = COLUMNS + "WHERE notification_id BETWEEN %s AND %s ORDER BY notification_id"
_FROM: Final = COLUMNS + "WHERE notification_id >= %s ORDER BY notification_id LIMIT 1"
_NAMING: Final = COLUMNS + "WHERE originator_id = ANY(%s) AND position(%s IN state) > 0 ORDER BY notification_id"
_PLACED: Final = COLUMNS + "WHERE topic LIKE 'order.placed.%%' AND position(%s IN state) > 0 ORDER BY notification_id"
_ENDS: Final = "SELECT min(notification_id), max(notification_id) FROM stored_events"


class NothingThere(Exception):  # noqa: N818 - says in a sentence what is not there
    pass


class Event(NamedTuple):
    place: Place
    state: bytes

    def told(self) -> dict[str, Any]:
        """Give the envelope. Raises NothingThere when the bytes are none."""
        try:
            envelope: dict[str, Any] = json.loads(self.state)
        except ValueError:
            envelope = {}
        if not isinstance(envelope.get("event"), dict):
            raise NothingThere(
                f"The event at position {self.place.position} cannot be read: run `orderflow audit verify`."
            )
        return envelope


@dataclass(frozen=True, slots=True)
class Chosen:
    asked: dict[str, Any]
    """In a form that means the same for ever: ids and positions, never instants."""
    events: list[Event]
    stock: list[dict[str, Any]] = field(default_factory=list)
    """Where other streams speak of the orders: SKU, stream, order, positions."""


def of_order(connection: Connection, order_id: UUID) -> Chosen:
    """Give the order's stream and its payment's."""
    events = _rows(connection, _STREAMS, [order_id, payment_id(order_id)])
    mine = [each for each in events if each.place.stream_id == order_id]
    if not mine:
        raise NothingThere(f"The log holds no order {order_id}.")
    if not mine[0].place.topic.startswith("order."):
        raise NothingThere(f"{order_id} is no order: its first event is {mine[0].place.topic}.")
    return Chosen({"order": str(order_id)}, events, _stock(connection, [mine[0]]))


def of_customer(connection: Connection, customer_id: UUID) -> Chosen:
    """Give the streams of all orders of a customer; the log itself is searched, no read model is believed."""
    found = _rows(connection, _PLACED, f'"customer_id":"{customer_id}"'.encode())
    placed = [each for each in found if each.told()["event"].get("customer_id") == str(customer_id)]
    if not placed:
        raise NothingThere(f"The log holds no order of the customer {customer_id}.")
    streams = [stream for each in placed for stream in (each.place.stream_id, payment_id(each.place.stream_id))]
    return Chosen({"customer": str(customer_id)}, _rows(connection, _STREAMS, streams), _stock(connection, placed))


def _stock(connection: Connection, placed: Iterable[Event]) -> list[dict[str, Any]]:
    concerned = list[dict[str, Any]]()
    for order in placed:
        told, order_id = order.told(), str(order.place.stream_id)
        skus = {stock_id(told["tenant_id"], line["sku"]): line["sku"] for line in told["event"]["lines"]}
        positions: dict[UUID, list[int]] = {stream_id: [] for stream_id in skus}
        for event in _rows(connection, _NAMING, list(skus), f'"order_id":"{order_id}"'.encode()):
            positions[event.place.stream_id].append(event.place.position)
        concerned += (
            {"order": order_id, "sku": sku, "stream": str(stream_id), "positions": positions[stream_id]}
            for stream_id, sku in skus.items()
        )
    return concerned


def between(connection: Connection, first: int | datetime, last: int | datetime | None) -> Chosen:
    """Give everything from one position or instant to another, both included; without `last`, to the end."""
    begins, ends = connection.execute(_ENDS).fetchone() or (None, None)
    if begins is None:
        raise NothingThere("The log is empty.")
    start = _at(connection, first, begins, ends, after=False)
    end = ends if last is None else _at(connection, last, begins, ends, after=True)
    events = _rows(connection, _BETWEEN, start, end)
    if not events:
        raise NothingThere(f"No event is there from position {start} to {end}.")
    return Chosen({"from": start, "until": end}, events)


def _at(connection: Connection, asked: int | datetime, begins: int, ends: int, *, after: bool) -> int:
    """Give a position; of an instant the first from then on, or with `after` the last until then."""
    if isinstance(asked, int):
        if not 1 <= asked <= ends:
            raise NothingThere(f"The log has positions 1 to {ends}, and none is {asked}.")
        return asked
    first, last = (_instant(_first_from(connection, position)) for position in (begins, ends))
    if asked < first:
        raise NothingThere(f"The log begins at {first.isoformat()}, after {asked.isoformat()}.")
    if asked > last and not after:
        raise NothingThere(f"The log ends at {last.isoformat()}, before {asked.isoformat()}.")
    before, behind = begins - 1, ends + 1
    while behind - before > 1:
        middle = (before + behind) // 2
        event = _first_from(connection, middle)
        if _instant(event) > asked or (_instant(event) == asked and not after):
            behind = middle
        else:
            before = event.place.position
    return before if after else behind


def _first_from(connection: Connection, position: int) -> Event:
    return _rows(connection, _FROM, position)[0]


def _instant(event: Event) -> datetime:
    return datetime.fromisoformat(event.told()["occurred_at"])


def _rows(connection: Connection, query: str, *values: object) -> list[Event]:
    with connection.cursor(binary=True) as cursor:
        cursor.execute(query.encode(), values)
        return [
            Event(Place(position, stream_id, version, topic or ""), state or b"")
            for position, stream_id, version, topic, state in cursor.fetchall()
        ]
