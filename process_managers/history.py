"""Tells what the fulfilment of an order did, or would do now, about events that were recorded."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from infra.histories import Process, Step
from process_managers.counterfactual import ProcessJudge
from process_managers.inferred import passed_before
from process_managers.order_fulfilment import Deadlines, OrderFulfilment, Reaction, react
from process_managers.process_board import waiting_for
from process_managers.runner import addressed
from schemas.base import Trace
from schemas.commands import (
    AuthorisePayment,
    CapturePayment,
    Command,
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
from schemas.recorded import Recorded

_DEADLINES: Final = Deadlines()
"""How long a wait lasts is not in the log; when one has passed is seen in what was cancelled for it."""
_REPLIES: Final[Mapping[type[Command], tuple[type[Command], ...]]] = {
    AuthorisePayment: (RecordAuthorisation, RecordDecline),
    CapturePayment: (RecordCapture, RecordCaptureRefusal),
    VoidPayment: (RecordVoid,),
    RefundPayment: (RecordRefund, RecordRefundRefusal),
}


def steps(history: Sequence[Recorded]) -> list[Step]:
    """React to the events of one order again, each at the instant when it was recorded."""
    process: OrderFulfilment | None = None
    taken: list[Step] = []
    for recorded in history:
        if process and (passed := passed_before(process, recorded)):
            reaction = react(process, passed, now=recorded.occurred_at, deadlines=_DEADLINES)
            taken.append(_step(None, process, reaction, recorded))
            process = reaction.state
        reaction = react(process, recorded, now=recorded.occurred_at, deadlines=_DEADLINES)
        taken.append(_step(recorded.event_id, process, reaction, recorded))
        process = reaction.state
    return taken


def _step(cause: UUID | None, before: OrderFulfilment | None, reaction: Reaction, recorded: Recorded) -> Step:
    after = reaction.state
    causation_id = cause or recorded.trace.causation_id
    trace = Trace(correlation_id=recorded.trace.correlation_id, causation_id=causation_id)
    return Step(
        cause=cause,
        at=recorded.occurred_at,
        phase=after.phase if after else "",
        waiting_for=waiting_for(after) if after else "",
        moved=(before and (before.phase, before.waits_for)) != (after and (after.phase, after.waits_for)),
        sent=tuple(addressed(reaction.commands, tenant_id=recorded.tenant_id, trace=trace, now=recorded.occurred_at)),
    )


def replies(sent: Sent) -> Mapping[UUID, str]:
    """Name what the payment worker may answer; other workers answer nothing."""
    names = (str(kind.model_fields["type"].default) for kind in _REPLIES.get(type(sent.command), ()))
    return {message_id(sent.message_id, name): name for name in names}


ORDER_FULFILMENT: Final = Process(steps, replies, ProcessJudge)
