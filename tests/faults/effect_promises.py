"""Promises 5, 6 and 7: money, mail, and that nothing is lost on the way to them."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from uuid import UUID

from infra.event_log import Stored
from infra.local.acquirer_ledger import Entry
from schemas.events import Event
from schemas.events.order import OrderCancelled, OrderConfirmed, OrderDelivered, OrderPlaced, OrderShipped
from schemas.events.payment import (
    PaymentAuthorised,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefunded,
    PaymentRequested,
    PaymentVoided,
)
from schemas.ids import message_id
from tests.faults.evidence import DeadLetter, Evidence
from tests.faults.finding import Dropped, MailWrong, MoneyWrong

SETTLED = frozenset({"awaiting_shipment", "shipping", "delivering", "completed", "cancelled"})
"""Phases in which only a person goes on."""


def charged_once(evidence: Evidence) -> Iterator[MoneyWrong]:
    """5: at most one successful charge per payment attempt; refunds never exceed charges; the books agree."""
    books: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in evidence.ledger:
        books[entry.payment_id].append(entry)
    events: defaultdict[str, list[Event]] = defaultdict(list)
    for stored in evidence.log:
        if stored.category == "payment":
            events[str(stored.stream_id)].append(stored.recorded.event)
    for payment in books.keys() | events.keys():
        yield from _sums(payment, books[payment])
        yield from _agreement(payment, books[payment], events[payment])


def _sums(payment: str, entries: list[Entry]) -> Iterator[MoneyWrong]:
    approved = [entry for entry in entries if entry.approved]
    charges = [entry.amount for entry in approved if entry.kind == "authorise"]
    captures = sum(entry.amount for entry in approved if entry.kind == "capture")
    refunds = sum(entry.amount for entry in approved if entry.kind == "refund")
    if len(charges) > 1:
        yield MoneyWrong("a payment attempt was charged more than once", payment)
    if captures > sum(charges):
        yield MoneyWrong("more was captured than authorised", payment)
    if refunds > captures:
        yield MoneyWrong("more was refunded than captured", payment)


def _agreement(payment: str, entries: list[Entry], events: list[Event]) -> Iterator[MoneyWrong]:
    done: Counter[tuple[str, str, int]] = Counter(
        (entry.kind, entry.key, entry.amount) for entry in entries if entry.approved
    )
    told = Counter(filter(None, (_said(payment, event) for event in events)))
    voided = any(isinstance(event, PaymentVoided) for event in events)
    for kind, key, amount in (told - done).elements():
        yield MoneyWrong(f"the log tells of a {kind} that the acquirer does not know", f"{payment} {key} {amount}")
    for kind, key, amount in (done - told).elements():
        if kind != "void" and not (kind == "authorise" and voided):
            yield MoneyWrong(f"the acquirer knows of a {kind} that the log does not tell", f"{payment} {key} {amount}")
    if voided != any(entry.kind == "void" and entry.approved for entry in entries):
        yield MoneyWrong("log and acquirer disagree about a void", payment)
    refused = any(entry.kind == "authorise" and not entry.approved and entry.code != "voided" for entry in entries)
    if refused != any(isinstance(event, PaymentDeclined) for event in events) and not voided:
        yield MoneyWrong("log and acquirer disagree about a decline", payment)
    if entries and not any(isinstance(event, PaymentRequested) for event in events):
        yield MoneyWrong("the acquirer was asked for a payment that nobody requested", payment)


def _said(payment: str, event: Event) -> tuple[str, str, int] | None:
    match event:
        case PaymentAuthorised():
            return "authorise", payment, event.amount.amount
        case PaymentCaptured():
            return "capture", str(event.capture_id), event.amount.amount
        case PaymentRefunded():
            return "refund", str(event.refund_id), event.amount.amount
        case _:
            return None


def told_once(evidence: Evidence) -> Iterator[MailWrong]:
    """6: each notification once per order and event."""
    due = {message_id_of(stored): stored for stored in evidence.log if template_of(stored.recorded.event)}
    caught = Counter(mail.message_id.strip("<>").partition("@")[0] for mail in evidence.mails)
    for wanted, stored in due.items():
        if str(wanted) not in caught:
            yield MailWrong("a customer was not told", f"{stored.topic} of {stored.stream_id}")
    known = set(map(str, due))
    for found, count in caught.items():
        if found not in known:
            yield MailWrong("a customer was told what did not happen", found)
        if count > 1:
            yield MailWrong("a mail came to more than one mailbox", found)
    repeats = sum(mail.repeats for mail in evidence.mails)
    if repeats > evidence.resends:
        where = f"{repeats} repeats, at most {evidence.resends} can be explained"
        yield MailWrong("mails were sent again without need", where)


def template_of(event: Event) -> str | None:
    """Name the mail that an event causes."""
    match event:
        case OrderConfirmed():
            return "order_confirmed"
        case OrderCancelled():
            return "order_cancelled"
        case OrderShipped():
            return "order_shipped"
        case OrderDelivered():
            return "order_delivered" if event.final else None
        case PaymentRefunded():
            return "payment_refunded"
        case _:
            return None


def message_id_of(stored: Stored) -> UUID:
    """Give the id of the command to send the mail about an event."""
    template = template_of(stored.recorded.event) or ""
    return message_id(stored.recorded.event_id, "customer.notify.v1", template)


def nothing_dropped(evidence: Evidence) -> Iterator[Dropped]:
    """7: whatever failed is in the dead letters with its reason; nothing else waits anywhere, or was skipped."""
    for name, count in evidence.waiting.items():
        if count:
            yield Dropped(f"{name} is not empty", str(count))
    for letter in evidence.dead:
        yield from _letter(letter)
    yield from _stuck(evidence)
    yield from _skipped(evidence)


def _stuck(evidence: Evidence) -> Iterator[Dropped]:
    placed = {str(stored.stream_id) for stored in evidence.log if isinstance(stored.recorded.event, OrderPlaced)}
    for order_id in placed - evidence.phases.keys():
        yield Dropped("an order has no process", order_id)
    for order_id, phase in evidence.phases.items():
        if phase not in SETTLED:
            yield Dropped(f"an order is stuck while {phase}", order_id)


def _skipped(evidence: Evidence) -> Iterator[Dropped]:
    parked = {(letter.consumer, letter.stream_id) for letter in evidence.dead if letter.kind == "event"}
    for subscription, categories in evidence.wanted.items():
        for stream_id, stream in evidence.streams().items():
            if stream[0].category not in categories or (subscription, stream_id) in parked:
                continue
            if evidence.applied.get((subscription, stream_id), 0) != stream[-1].version:
                yield Dropped(f"{subscription} has not applied a stream to its end", str(stream_id))


def _letter(letter: DeadLetter) -> Iterator[Dropped]:
    where = f"{letter.consumer} {letter.message_id or letter.stream_id}"
    whole = letter.message_id and letter.has_body if letter.kind == "command" else letter.stream_id and letter.version
    if not whole or not letter.error:
        yield Dropped("a dead letter does not say what failed and why", where)
    if letter.status in ("parked", "waiting"):
        yield Dropped(f"a {letter.kind} is parked that no fault here can explain: {letter.error}", where)
