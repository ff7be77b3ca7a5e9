"""Where the acquirer's ledger and the log disagree, it is found; where they agree, nothing is."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg_pool import AsyncConnectionPool

from infra.acquirer import Booked, HttpAcquirer
from infra.local.acquirer import serve_acquirer
from process_managers.reconciliation import Case, Kind, compare
from process_managers.reconciling import keep_reconciling, reconcile
from schemas.events import Event
from schemas.events.payment import PaymentRequested, PaymentVoided
from schemas.ids import new_id
from schemas.recorded import Recorded
from tests.appending import appending, open_log
from tests.examples import (
    NOON,
    ORDER_ID,
    PAYMENT_ID,
    SHIPMENT_ID,
    authorised,
    cancelled,
    capture_refused,
    captured,
    confirmed,
    declined,
    euros,
    history,
    placed,
    refund_refused,
    refund_requested,
    refunded,
    requested,
    shipped,
    uuid,
    voided,
)
from tests.waiting import eventually


def booked(kind: str, key: object = PAYMENT_ID, amount: int = 6800, code: str | None = None) -> Booked:
    return Booked.model_validate(
        {
            "key": str(key),
            "kind": kind,
            "payment_id": str(PAYMENT_ID),
            "amount": amount,
            "currency": "EUR",
            "reference": None if code else f"sim_{kind}",
            "code": code,
            "recorded_at": NOON.isoformat(),
        }
    )


def a_case(events: Sequence[Event], ledger: Sequence[Booked]) -> Case:
    recorded = history(*events)
    of = {category: [each for each in recorded if each.category == category] for category in ("payment", "order")}
    return Case(PAYMENT_ID, ledger, of["payment"], of["order"])


STANDING = ("authorised", "captured", "refunded")
FATES = ("unasked", "waiting", "declined", "voided", "too late", "cancelled", *STANDING)


@st.composite
def told_alike(draw: st.DrawFn, fates: Sequence[str] = FATES) -> Case:
    """One order's life, told alike by both sides."""
    total = draw(st.integers(1, 500))
    events: list[Event] = [placed()]
    ledger: list[Booked] = []
    fate = draw(st.sampled_from(fates))
    if fate not in ("unasked", "too late"):
        events += [requested(euros(total))]
    match fate:
        case "unasked":
            events += [cancelled()]
        case "declined":
            events += [declined(), cancelled(reason="payment_declined")]
            ledger += [booked("authorise", amount=total, code="declined")]
        case "too late":
            events += [cancelled(), voided()]
            ledger += [booked("void", VOID, 0), booked("authorise", amount=total, code="voided")]
        case "voided" | "cancelled":
            events += [authorised(euros(total)), confirmed()] if fate == "voided" else []
            events += [cancelled(), voided()]
            ledger += [booked("authorise", amount=total), booked("void", VOID, total)]
        case "authorised" | "captured" | "refunded":
            events += [authorised(euros(total)), confirmed()]
            ledger += [booked("authorise", amount=total)]
        case _:
            pass
    if fate in ("captured", "refunded"):
        refunds = ["none", "refused", "refunded"] if fate == "captured" else ["refunded"]
        _ship(0, draw(st.sampled_from(refunds)), events, ledger)
        for number in range(1, draw(st.integers(1, 3))):
            _ship(number, draw(st.sampled_from(["uncaptured", "none", "refused", "refunded"])), events, ledger)
    return a_case(events, ledger)


VOID = f"void/{PAYMENT_ID}"


def _ship(number: int, refund: str, events: list[Event], ledger: list[Booked]) -> None:
    shipment_id, refund_id, amount = uuid(f"shipment {number}"), uuid(f"refund {number}"), 100 + number
    events.append(shipped(shipment_id=shipment_id, amount=euros(amount)))
    if refund == "uncaptured":
        events.append(capture_refused(shipment_id))
        ledger.append(booked("capture", shipment_id, amount, code="expired"))
        return
    events.append(captured(euros(amount), shipment_id))
    ledger.append(booked("capture", shipment_id, amount))
    if refund != "none":
        refused = refund == "refused"
        events.append(refund_requested(euros(amount), refund_id))
        events.append(refund_refused(refund_id) if refused else refunded(euros(amount), refund_id))
        ledger.append(booked("refund", refund_id, amount, code="closed" if refused else None))


def _without_order(case: Case) -> Case:
    return replace(case, payment=[], order=[])


def _forgotten(case: Case) -> Case:
    """The acquirer's answer to the authorisation never came."""
    return replace(case, payment=[each for each in case.payment if isinstance(each.event, PaymentRequested)])


def _cancelled(case: Case) -> Case:
    return replace(case, order=[*case.order, history(placed(), cancelled())[1]])


def _held_after_void(case: Case) -> Case:
    return replace(case, booked=[each for each in case.booked if each.kind != "void"])


def _never_voided(case: Case) -> Case:
    return replace(case, payment=[each for each in case.payment if not isinstance(each.event, PaymentVoided)])


def _taken_again(case: Case) -> Case:
    again = case.approved("capture")[0].model_copy(update={"key": str(uuid("again"))})
    return replace(case, booked=[*case.booked, again])


def _taken_again_under_one_key(case: Case) -> Case:
    return replace(case, booked=[*case.booked, case.approved("capture")[0]])


def _authorised_again(case: Case) -> Case:
    return replace(case, booked=[*case.booked, case.approved("authorise")[0]])


def _capture_unrecorded(case: Case) -> Case:
    return replace(case, payment=_without(case.payment, "capture_id", case.approved("capture")[0].key))


def _refund_unrecorded(case: Case) -> Case:
    return replace(case, payment=_without(case.payment, "refund_id", case.approved("refund")[0].key))


def _another_amount(case: Case) -> Case:
    last = _last_approved(case)
    dearer = last.model_copy(update={"amount": last.amount + 1})
    return replace(case, booked=[dearer if each is last else each for each in case.booked])


def _unbooked(case: Case) -> Case:
    last = _last_approved(case)
    return replace(case, booked=[each for each in case.booked if each is not last])


def _last_approved(case: Case) -> Booked:
    return next(each for each in reversed(case.booked) if each.approved)


def _without(payment: Sequence[Recorded], name: str, key: str) -> list[Recorded]:
    return [each for each in payment if str(getattr(each.event, name, "")) != key]


VOIDED = ("voided", "cancelled")
CAPTURED = ("captured", "refunded")
PLANTS: list[tuple[Callable[[Case], Case], Kind, tuple[str, ...]]] = [
    (_without_order, "charged_without_order", STANDING),
    (_forgotten, "charged_without_order", STANDING),
    (_cancelled, "charged_without_order", STANDING),
    (_held_after_void, "charged_without_order", VOIDED),
    (_never_voided, "voided_at_gateway_only", (*VOIDED, "too late")),
    (_taken_again, "captured_twice", CAPTURED),
    (_taken_again_under_one_key, "captured_twice", CAPTURED),
    (_authorised_again, "captured_twice", STANDING),
    (_capture_unrecorded, "captured_at_gateway_only", CAPTURED),
    (_refund_unrecorded, "refunded_at_gateway_only", ("refunded",)),
    (_another_amount, "amount_differs", STANDING),
    (_unbooked, "recorded_here_only", STANDING),
]


@given(told_alike())
def test_where_both_tell_the_same_nothing_is_found(case: Case) -> None:
    assert compare(case) == []


@pytest.mark.parametrize(
    ("plant", "kind", "fates"), PLANTS, ids=[plant.__name__.strip("_").replace("_", " ") for plant, _, _ in PLANTS]
)
@settings(max_examples=30)
@given(data=st.data())
def test_every_disagreement_is_found_and_named(
    plant: Callable[[Case], Case], kind: Kind, fates: tuple[str, ...], data: st.DataObject
) -> None:
    found = compare(plant(data.draw(told_alike(fates))))
    assert kind in [finding.kind for finding in found]
    assert {finding.payment_id for finding in found} == {PAYMENT_ID}


def test_an_order_that_does_not_exist_is_told_by_its_payment() -> None:
    [finding] = compare(a_case([], [booked("authorise")]))
    assert (finding.kind, finding.order_id, finding.there) == ("charged_without_order", None, euros(6800))


def test_a_capture_whose_answer_was_lost_is_not_a_second_one() -> None:
    other = uuid("other")
    life: list[Event] = [
        placed(),
        requested(),
        authorised(),
        shipped(amount=euros(1)),
        shipped(shipment_id=other),
        captured(euros(1)),
    ]
    ledger = [booked("authorise"), booked("capture", SHIPMENT_ID, 1), booked("capture", other, 1)]
    assert [finding.kind for finding in compare(a_case(life, ledger))] == ["captured_at_gateway_only"]


LATER = datetime.now(UTC) + timedelta(hours=1)


@pytest.mark.servers
@pytest.mark.parametrize(
    ("now", "settled", "in_flight"),
    [
        pytest.param(LATER, {"charged_without_order", "recorded_here_only"}, set(), id="settled"),
        pytest.param(datetime.now(UTC), {"recorded_here_only"}, {"charged_without_order"}, id="in flight"),
        pytest.param(LATER + timedelta(days=9), set(), set(), id="long ago"),
    ],
)
async def test_a_real_ledger_is_compared_with_a_real_log(
    database: str, tmp_path: Path, now: datetime, settled: set[str], in_flight: set[str]
) -> None:
    async with open_log(database) as log, serve_acquirer(tmp_path / "ledger") as url, HttpAcquirer(url) as acquirer:
        await acquirer.authorise(new_id(), euros(5), "tok_visa")
        past = [each.model_copy(update={"occurred_at": LATER - timedelta(hours=2)}) for each in _a_life()]
        await log.appender.append(appending(*past))
        report = await reconcile(log.pool, acquirer, now=now)
    assert {finding.kind for finding in report.findings} == settled
    assert {finding.kind for finding in report.in_flight} == in_flight
    assert {finding.order_id for finding in report.findings} <= {ORDER_ID, None}


def _a_life() -> list[Recorded]:
    return history(placed(), requested(), authorised())


@pytest.mark.servers
async def test_what_happened_before_is_left_out_wherever_the_moment_falls(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("process_managers.reconciling._EVENTS", 3)
    numbers = count()
    async with open_log(database) as log, serve_acquirer(tmp_path / "ledger") as url, HttpAcquirer(url) as acquirer:
        for number in numbers:
            order_id: UUID = uuid(f"order {number}")
            events = history(placed(), requested(order_id=order_id), order_id=order_id)
            at = NOON + timedelta(hours=number)
            await log.appender.append(appending(*(each.model_copy(update={"occurred_at": at}) for each in events)))
            if number == 4:
                break
        now = NOON + timedelta(hours=4)
        compared = [
            (await reconcile(log.pool, acquirer, now=now, since=timedelta(hours=hours))).payments for hours in range(6)
        ]
    assert compared == [1, 2, 3, 4, 5, 5]


@pytest.mark.servers
async def test_every_so_often_a_finding_is_an_alarm_in_the_log(
    database: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_log(database) as log, serve_acquirer(tmp_path / "ledger") as url, HttpAcquirer(url) as acquirer:
        await acquirer.authorise(PAYMENT_ID, euros(5), "tok_visa")
        async with reconciling(database, log.pool, acquirer, lambda: LATER):
            [alarm, *_] = await eventually(partial(alarms, caplog))
    assert alarm.startswith(f"Payment {PAYMENT_ID} of order None: charged_without_order")


@pytest.mark.servers
async def test_of_two_that_reconcile_only_one_does_until_it_ends(database: str, tmp_path: Path) -> None:
    begun: list[str] = []

    def clock(name: str) -> datetime:
        begun.append(name)
        return LATER

    async def rounds(name: str) -> bool:
        return begun.count(name) >= ROUNDS

    async with (
        open_log(database) as log,
        serve_acquirer(tmp_path / "ledger") as url,
        HttpAcquirer(url) as acquirer,
        AsyncExitStack() as second,
    ):
        async with reconciling(database, log.pool, acquirer, partial(clock, "first")):
            await eventually(partial(rounds, "first"))
            await second.enter_async_context(reconciling(database, log.pool, acquirer, partial(clock, "second")))
            begun.clear()
            await eventually(partial(rounds, "first"))
            assert "second" not in begun
        await eventually(partial(rounds, "second"))


@pytest.mark.servers
async def test_what_the_acquirer_did_before_the_time_looked_at_is_no_finding(database: str, tmp_path: Path) -> None:
    """The order moved today, its payment long ago."""
    day = timedelta(days=1)
    async with open_log(database) as log, serve_acquirer(tmp_path / "ledger") as url, HttpAcquirer(url) as acquirer:
        await acquirer.authorise(PAYMENT_ID, placed().total, "tok_visa")
        now = datetime.now(UTC)
        lives = history(placed(), requested(), authorised(), confirmed())
        moments = [now - 2 * day, now - 2 * day, now - 2 * day, now + 9 * day]
        past = [each.model_copy(update={"occurred_at": at}) for each, at in zip(lives, moments, strict=True)]
        await log.appender.append(appending(*past))
        report = await reconcile(log.pool, acquirer, now=now + 9 * day + timedelta(hours=1))
    assert (report.payments, report.findings, report.in_flight) == (1, [], [])


ROUNDS = 3


@asynccontextmanager
async def reconciling(
    database: str, pool: AsyncConnectionPool, acquirer: HttpAcquirer, now: Callable[[], datetime]
) -> AsyncIterator[None]:
    keeping = asyncio.create_task(keep_reconciling(database, pool, acquirer, now, every=0.05))
    try:
        yield
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping


async def alarms(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR]
