"""Compares what the acquirer did with what the log says of one payment. Pure: reads nothing, knows no clock."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Literal
from uuid import UUID

from infra.acquirer import Booked
from schemas.events.order import OrderCancelled, OrderPlaced, OrderShipped
from schemas.events.payment import (
    PaymentAuthorised,
    PaymentCaptured,
    PaymentDeclined,
    PaymentEvent,
    PaymentRefunded,
    PaymentVoided,
)
from schemas.money import Money
from schemas.recorded import Recorded

Kind = Literal[
    "charged_without_order",
    "captured_twice",
    "captured_at_gateway_only",
    "refunded_at_gateway_only",
    "voided_at_gateway_only",
    "amount_differs",
    "recorded_here_only",
]


@dataclass(frozen=True, slots=True)
class Finding:
    """One way in which the two disagree."""

    kind: Kind
    payment_id: UUID
    order_id: UUID | None
    key: str
    """Of the operation, at the acquirer."""
    there: Money | None
    """What the acquirer did."""
    here: Money | None
    """What the log says."""
    says: str


@dataclass(frozen=True)
class Case:
    """Everything about one payment: lines of the ledger, the payment's stream and its order's stream."""

    payment_id: UUID
    booked: Sequence[Booked]
    payment: Sequence[Recorded]
    order: Sequence[Recorded]

    @property
    def moved_at(self) -> datetime | None:
        """When anything about it happened last."""
        moments = [*(each.recorded_at for each in self.booked)]
        moments += [each.occurred_at for each in (*self.payment, *self.order)]
        return max(moments, default=None)

    @cached_property
    def order_id(self) -> UUID | None:
        told = (each.event.order_id for each in self.payment if isinstance(each.event, PaymentEvent))
        return next(told, self.order[0].stream_id if self.order else None)

    def approved(self, kind: str) -> list[Booked]:
        return [each for each in self.booked if each.kind == kind and each.approved]

    def said(self, event_type: type) -> bool:
        return any(isinstance(each.event, event_type) for each in (*self.payment, *self.order))

    @cached_property
    def authorised(self) -> Money | None:
        found = (each.event.amount for each in self.payment if isinstance(each.event, PaymentAuthorised))
        return next(found, None)

    @cached_property
    def captured(self) -> Mapping[str, Money]:
        events = [each.event for each in self.payment]
        return {str(event.capture_id): event.amount for event in events if isinstance(event, PaymentCaptured)}

    @cached_property
    def refunded(self) -> Mapping[str, Money]:
        events = [each.event for each in self.payment]
        return {str(event.refund_id): event.amount for event in events if isinstance(event, PaymentRefunded)}

    @cached_property
    def shipments(self) -> frozenset[str]:
        events = [each.event for each in self.order]
        return frozenset(str(event.shipment_id) for event in events if isinstance(event, OrderShipped))


def compare(case: Case) -> list[Finding]:
    """Say where the two disagree; empty when they agree."""
    unowed = list(_charge(case))
    return [*unowed, *_void(case), *([] if unowed else _captures(case)), *_refunds(case)]


def _charge(case: Case) -> Iterator[Finding]:
    charges = case.approved("authorise")
    for charge in charges[1:]:
        yield _finding(case, "captured_twice", charge, case.authorised, "The payment is authorised twice.")
    if not charges:
        if case.authorised:
            yield _only_here(case, str(case.payment_id), case.authorised, "No such authorisation at the acquirer.")
        return
    charge = charges[0]
    if case.approved("void"):
        return
    if reason := _unowed(case):
        yield _finding(case, "charged_without_order", charge, case.authorised, reason)
    elif charge.money != case.authorised:
        yield _finding(case, "amount_differs", charge, case.authorised, "The amounts authorised differ.")


def _unowed(case: Case) -> str:
    """Say why an authorisation that stands should not; empty when it should."""
    if not case.payment:
        return "The log knows no such payment."
    if case.said(PaymentVoided):
        return "The payment is voided here, and held there."
    if case.authorised is None:
        return f"The payment is {'declined' if case.said(PaymentDeclined) else 'not authorised'} here."
    if not case.said(OrderPlaced):
        return "The log knows no such order."
    return "The order was cancelled." if case.said(OrderCancelled) else ""


def _void(case: Case) -> Iterator[Finding]:
    voids = case.approved("void")
    if voids and not case.said(PaymentVoided):
        yield _finding(case, "voided_at_gateway_only", voids[0], None, "The payment is voided there, and not here.")
    elif case.said(PaymentVoided) and not voids and not case.approved("authorise"):
        yield _only_here(case, str(case.payment_id), None, "The payment is voided here, and not there.")


def _captures(case: Case) -> Iterator[Finding]:
    booked = case.approved("capture")
    times = Counter(each.key for each in booked)
    for capture in {each.key: each for each in booked}.values():
        here = case.captured.get(capture.key)
        if times[capture.key] > 1:
            yield _finding(case, "captured_twice", capture, here, "The money for one shipment is taken twice.")
        elif here is None and capture.key not in case.shipments and len(booked) > 1:
            yield _finding(case, "captured_twice", capture, None, "Money is taken again, for no shipment.")
        elif here is None:
            yield _finding(case, "captured_at_gateway_only", capture, None, "The capture is not recorded here.")
        elif here != capture.money:
            yield _finding(case, "amount_differs", capture, here, "The amounts captured differ.")
    for key in case.captured.keys() - times.keys():
        yield _only_here(case, key, case.captured[key], "No such capture at the acquirer.")


def _refunds(case: Case) -> Iterator[Finding]:
    booked = case.approved("refund")
    times = Counter(each.key for each in booked)
    for refund in {each.key: each for each in booked}.values():
        here = case.refunded.get(refund.key)
        if here is None or times[refund.key] > 1:
            yield _finding(case, "refunded_at_gateway_only", refund, here, "The refund is not recorded here.")
        elif here != refund.money:
            yield _finding(case, "amount_differs", refund, here, "The amounts refunded differ.")
    for key in case.refunded.keys() - times.keys():
        yield _only_here(case, key, case.refunded[key], "No such refund at the acquirer.")


def _finding(case: Case, kind: Kind, booked: Booked, here: Money | None, says: str) -> Finding:
    return Finding(kind, case.payment_id, case.order_id, booked.key, booked.money, here, says)


def _only_here(case: Case, key: str, here: Money | None, says: str) -> Finding:
    return Finding("recorded_here_only", case.payment_id, case.order_id, key, None, here, says)
