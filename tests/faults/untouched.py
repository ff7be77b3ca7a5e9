"""A small world in which all ten promises are kept, for the checker's own tests to break."""

import json
from dataclasses import dataclass, field
from uuid import UUID

from pydantic_core import to_jsonable_python

from infra.event_log import Stored
from infra.local.acquirer_ledger import Entry, Kind
from infra.local.caught_mail import Mail
from schemas.base import Trace
from schemas.events import Event
from schemas.recorded import GENESIS, Recorded, digest, encode
from tests import examples as an
from tests.faults.effect_promises import message_id_of, template_of
from tests.faults.evidence import Evidence, Published, Recovery, Row, Told
from tests.faults.folding import WANTED
from tests.faults.history import Call, CommandKind, Look, hashed, request_id
from tests.projections.projecting import MODELS, project

ORDER = str(an.ORDER_ID)
PAYMENT = str(an.PAYMENT_ID)


@dataclass
class _Log:
    stored: list[Stored] = field(default_factory=list)
    tails: dict[UUID, tuple[int, str]] = field(default_factory=dict)

    def add(self, event: Event, key: str = "") -> None:
        """Append what a client's command under `key` caused, or else what a part of the platform did."""
        plain = an.recorded(event)
        version, prev = self.tails.get(plain.stream_id, (0, GENESIS))
        cause = request_id(key) if key else an.uuid(f"cause {len(self.stored)}")
        changed = {
            "event_id": an.uuid(f"event {len(self.stored)}"),
            "version": version + 1,
            "prev": prev,
            "actor": "user:ana" if key else "process:order_fulfilment",
            "trace": Trace(correlation_id=cause, causation_id=cause),
        }
        recorded: Recorded = plain.model_copy(update=changed)
        self.stored.append(Stored.of(10 * len(self.stored) + 10, recorded))
        self.tails[plain.stream_id] = (version + 1, digest(encode(recorded)))


def the_log() -> list[Stored]:
    log = _Log()
    log.add(an.received())
    log.add(an.placed(), "place")
    log.add(an.reserved())
    log.add(an.requested())
    log.add(an.authorised())
    log.add(an.confirmed())
    log.add(an.shipped(), "ship")
    log.add(an.dispatched())
    log.add(an.captured())
    log.add(an.delivered(), "deliver")
    log.add(an.completed())
    log.add(an.refund_requested(an.euros(500)), "refund")
    log.add(an.refunded(an.euros(500)))
    return log.stored


def a_call(key: str, stored: Stored | None, kind: CommandKind, status: int = 201, **changed: str | int | None) -> Call:
    outcome = "done" if stored else "refused" if status else "unknown"
    position, version = (stored.position, stored.version) if stored else (0, 0)
    told = {"kind": kind, "key": key, "start": 1.0, "end": 2.0, "outcome": outcome, "status": status}
    named = {"body": hashed(key.encode()), "answer": "an answer" if stored else "", "order_id": ORDER}
    return Call(**{**told, **named, "position": position, "version": version, **changed})  # type: ignore[arg-type]


def an_entry(kind: Kind, key: str, amount: int, **changed: str | int | None) -> Entry:
    told = {"key": key, "kind": kind, "payment_id": PAYMENT, "amount": amount, "currency": "EUR", "payment_token": None}
    return Entry.model_validate({**told, "reference": "sim_1", "code": None, "recorded_at": "now", **changed})


def a_mail(number: int, message_id: object, **changed: str | int | None) -> Mail:
    told = {"mail_id": number, "message_id": f"<{message_id}@orderflow.example>", "to": "ana.souza@example.com"}
    rest = {"subject": "Your order", "order_id": ORDER, "received_at": "now", "repeats": 0}
    return Mail.model_validate({**told, **rest, **changed})


def tables(log: list[Stored]) -> dict[str, list[Row]]:
    found = {model.name: project(model, log).values() for model in MODELS}
    return {name: [to_jsonable_python(row.__dict__) for row in rows] for name, rows in found.items()}


def untouched() -> Evidence:
    log = the_log()
    by_key = {request_id(key): key for key in ("place", "ship", "deliver", "refund")}
    caused: dict[str, Stored] = {
        by_key[stored.recorded.trace.causation_id]: stored
        for stored in log
        if stored.recorded.trace.causation_id in by_key
    }
    kinds: tuple[CommandKind, ...] = ("place", "ship", "deliver", "refund")
    views, fold = tables(log), tables(log)
    (detail,) = views["order_details"]
    last = {stored.stream_id: stored for stored in log}
    return Evidence(
        calls=[
            *(a_call(kind, caused[kind], kind) for kind in kinds),
            a_call("place", None, "place", 0),
            a_call("refused", None, "cancel", 409),
        ],
        looks=[Look("reader", f"order {ORDER}", 1.0 * version, version, 10 * version) for version in (1, 1, 3)],
        log=log,
        topics=[
            Published(f"orderflow.{each.category}", 0, number, str(each.stream_id).encode(), each.state)
            for number, each in enumerate(log)
        ],
        views=views,
        fold=fold,
        dashboard={"orders_by_status": {"completed": 1}},
        dashboard_fold={"orders_by_status": {"completed": 1}},
        answers=[Told(f"/v1/orders/{ORDER}", 200, _json(detail))],
        applied={
            (name, stream_id): stored.version
            for name, wanted in WANTED.items()
            for stream_id, stored in last.items()
            if stored.category in wanted
        },
        wanted=WANTED,
        waiting={"outbox": 0},
        phases={ORDER: "completed"},
        ledger=[
            an_entry("authorise", PAYMENT, an.TOTAL.amount),
            an_entry("capture", str(an.SHIPMENT_ID), an.TOTAL.amount),
            an_entry("refund", str(an.REFUND_ID), 500),
        ],
        mails=[
            a_mail(number, message_id_of(stored))
            for number, stored in enumerate(log)
            if template_of(stored.recorded.event)
        ],
        recovery=Recovery(2.0, 15.0),
        strangers=[Told(f"/v1/orders/{ORDER}", 404, _no(1)), Told("/v1/orders?limit=200", 200, b'{"items":[]}')],
        unknown=Told("/v1/orders/nowhere", 404, _no(2)),
        secrets=frozenset({ORDER.encode(), b"ana.souza@example.com"}),
    )


def _no(request: int) -> bytes:
    return b'{"type":"/problems/order-not-found","status":404,"instance":"urn:%d"}' % request


def _json(row: Row) -> bytes:
    return json.dumps(row).encode()
