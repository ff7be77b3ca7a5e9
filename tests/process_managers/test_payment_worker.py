"""At most one charge per payment, against a really running acquirer that loses, delays and refuses."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import httpx
import pytest
from psycopg_pool import AsyncConnectionPool

from infra.acquirer import Answer, Approved, HttpAcquirer, OutcomeUnknown
from infra.local.acquirer import serve_acquirer
from process_managers.workers.payment import PaymentWorker, VoidRefused
from schemas.commands import Command, Sent, decode
from schemas.ids import new_id, payment_id
from schemas.money import Money
from tests.appending import open_pool
from tests.command_examples import (
    authorise,
    capture,
    confirm,
    record_authorisation,
    record_capture,
    record_capture_refusal,
    record_decline,
    record_refund,
    record_refund_refusal,
    record_void,
    refund,
    sent,
    void,
)
from tests.examples import NOON, ORDER_ID, OTHER_SHIPMENT_ID, SHIPMENT_ID, TOTAL, euros, uuid

pytestmark = pytest.mark.servers

PATIENCE = 0.5


@dataclass
class Payments:
    pool: AsyncConnectionPool
    worker: PaymentWorker
    acquirer: HttpAcquirer
    url: str

    async def does(self, *commands: Command) -> None:
        for command in commands:
            await self.worker.handle(sent(command, cause=new_id()))

    async def reported(self) -> list[Sent]:
        async with self.pool.connection() as connection:
            rows = await (await connection.execute("SELECT body FROM outbox ORDER BY outbox_id")).fetchall()
        return [decode(body) for (body,) in rows]

    async def results(self) -> list[Command]:
        return [message.command for message in await self.reported()]

    async def ledger(self) -> list[dict[str, Any]]:
        async with httpx.AsyncClient(base_url=self.url) as client:
            entries: list[dict[str, Any]] = (await client.get("/ledger")).json()["entries"]
        return entries

    async def charges(self) -> int:
        return sum(entry["kind"] == "authorise" and entry["reference"] is not None for entry in await self.ledger())


@pytest.fixture
async def payments(database: str, tmp_path: Path) -> AsyncIterator[Payments]:
    async with (
        open_pool(database) as pool,
        serve_acquirer(tmp_path / "ledger.sqlite") as url,
        HttpAcquirer(url, seconds=PATIENCE) as acquirer,
    ):
        yield Payments(pool, PaymentWorker(pool, acquirer, now=lambda: NOON), acquirer, url)


async def reference(payments: Payments) -> str:
    [entry] = [entry for entry in await payments.ledger() if entry["kind"] == "authorise"]
    return str(entry["reference"])


@pytest.mark.parametrize("token", ["tok_visa", "tok_slow", "tok_capture_refused", "tok_lost_answer", "tok_timeout"])
async def test_a_good_card_is_authorised_by_one_charge(
    payments: Payments, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    await payments.does(authorise(payment_token=token))
    assert [line.message for line in caplog.records if line.name.startswith("uvicorn")] == []
    expected = record_authorisation().model_copy(update={"acquirer_reference": await reference(payments)})
    assert await payments.results() == [expected]
    assert await payments.charges() == 1


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ("tok_declined", "declined"),
        ("tok_insufficient_funds", "insufficient_funds"),
        ("tok_expired_card", "expired_card"),
    ],
)
async def test_a_bad_card_is_declined_with_the_reason(payments: Payments, token: str, code: str) -> None:
    await payments.does(authorise(payment_token=token))
    assert await payments.results() == [record_decline(code)]
    assert await payments.charges() == 0


async def test_an_acquirer_that_is_down_is_asked_again_under_the_same_key(payments: Payments) -> None:
    message = sent(authorise(payment_token="tok_flaky"))
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            await payments.worker.handle(message)
        assert await payments.results() == []
    await payments.worker.handle(message)
    assert [type(result) for result in await payments.results()] == [type(record_authorisation())]
    assert await payments.charges() == 1


async def test_a_repeated_message_neither_charges_nor_reports_again(payments: Payments) -> None:
    message = sent(authorise())
    for _ in range(3):
        await payments.worker.handle(message)
    assert len(await payments.results()) == 1
    assert await payments.charges() == 1


async def test_deliveries_at_the_same_time_charge_and_report_once(payments: Payments) -> None:
    message = sent(authorise(payment_token="tok_slow"))
    await asyncio.gather(*(payments.worker.handle(message) for _ in range(8)))
    assert len(await payments.results()) == 1
    assert await payments.charges() == 1


async def test_the_same_payment_asked_for_by_two_messages_is_charged_once(payments: Payments) -> None:
    await payments.does(authorise(), authorise())
    assert await payments.charges() == 1


async def test_the_report_carries_on_the_trace_and_is_recognisable(payments: Payments) -> None:
    message = sent(void())
    await payments.worker.handle(message)
    [report] = await payments.reported()
    assert report.trace.correlation_id == message.trace.correlation_id
    assert report.trace.causation_id == message.message_id
    assert (report.actor, report.tenant_id, report.sent_at) == ("worker:payment", message.tenant_id, NOON)


async def test_a_capture_takes_what_a_shipment_is_worth(payments: Payments) -> None:
    await payments.does(authorise(), capture(euros(2900)), capture(euros(3900), OTHER_SHIPMENT_ID))
    assert (await payments.results())[1:] == [
        record_capture(euros(2900)),
        record_capture(euros(3900), OTHER_SHIPMENT_ID),
    ]


async def test_no_more_is_captured_than_was_authorised(payments: Payments) -> None:
    await payments.does(authorise(), capture(), capture(euros(1), OTHER_SHIPMENT_ID))
    expected = record_capture_refusal(OTHER_SHIPMENT_ID).model_copy(update={"code": "exceeds_authorised"})
    assert (await payments.results())[2] == expected


async def test_a_refused_capture_is_reported_with_the_reason(payments: Payments) -> None:
    await payments.does(authorise(payment_token="tok_capture_refused"), capture())
    expected = record_capture_refusal().model_copy(update={"code": "capture_refused"})
    assert (await payments.results())[1] == expected


async def test_a_refund_gives_back_what_was_captured_and_no_more(payments: Payments) -> None:
    too_much = refund(euros(6001), refund_id=uuid("too much"))
    await payments.does(authorise(), capture(), refund(euros(800)), too_much)
    refusal = record_refund_refusal(uuid("too much")).model_copy(update={"code": "exceeds_captured"})
    assert (await payments.results())[2:] == [record_refund(euros(800)), refusal]


async def test_a_void_gives_up_what_is_held(payments: Payments) -> None:
    await payments.does(authorise(), void(), capture())
    assert (await payments.results())[1:] == [
        record_void(),
        record_capture_refusal().model_copy(update={"code": "nothing_held"}),
    ]


async def test_a_void_that_comes_first_closes_the_payment(payments: Payments) -> None:
    await payments.does(void(), authorise())
    assert await payments.results() == [record_void(), record_decline("voided")]
    assert await payments.charges() == 0


async def test_a_void_of_what_was_captured_is_a_defect_and_reports_nothing(payments: Payments) -> None:
    await payments.does(authorise(), capture())
    with pytest.raises(VoidRefused):
        await payments.does(void())
    assert len(await payments.results()) == 2


async def test_a_refused_void_leaves_the_capture_of_other_shipments_possible(payments: Payments) -> None:
    await payments.does(authorise(), capture(euros(2900)))
    with pytest.raises(VoidRefused):
        await payments.does(void())
    await payments.does(capture(euros(3900), OTHER_SHIPMENT_ID))
    assert (await payments.results())[-1] == record_capture(euros(3900), OTHER_SHIPMENT_ID)


async def test_a_key_is_never_used_for_another_amount(payments: Payments) -> None:
    await payments.does(authorise())
    with pytest.raises(aiohttp.ClientResponseError):
        await payments.does(authorise(euros(1)))


async def test_a_command_for_somebody_else_is_not_swallowed(payments: Payments) -> None:
    with pytest.raises(TypeError):
        await payments.does(confirm())


async def test_an_acquirer_that_cannot_be_reached_leaves_the_outcome_unknown() -> None:
    async with HttpAcquirer("http://127.0.0.1:9", seconds=PATIENCE) as nobody:
        with pytest.raises(OutcomeUnknown):
            await nobody.void(payment_id(ORDER_ID))


class AnswersLost:
    """An acquirer of which every answer is lost, and that can be asked only afterwards."""

    def __init__(self, acquirer: HttpAcquirer) -> None:
        self._acquirer = acquirer

    async def authorise(self, payment_id: UUID, amount: Money, payment_token: str) -> Answer:
        await self._acquirer.authorise(payment_id, amount, payment_token)
        raise OutcomeUnknown

    async def capture(self, payment_id: UUID, capture_id: UUID, amount: Money) -> Answer:
        await self._acquirer.capture(payment_id, capture_id, amount)
        raise OutcomeUnknown

    async def void(self, payment_id: UUID) -> Answer:
        return await self._acquirer.void(payment_id)

    async def refund(self, payment_id: UUID, refund_id: UUID, amount: Money) -> Answer:
        await self._acquirer.refund(payment_id, refund_id, amount)
        raise OutcomeUnknown

    async def find(self, key: UUID) -> Answer | None:
        return await self._acquirer.find(key)


async def test_every_lost_answer_is_found_by_its_key(payments: Payments) -> None:
    payments.worker = PaymentWorker(payments.pool, AnswersLost(payments.acquirer), now=lambda: NOON)
    await payments.does(authorise(), capture(), refund())
    assert (await payments.results())[1:] == [record_capture(), record_refund()]
    assert [entry["kind"] for entry in await payments.ledger()] == ["authorise", "capture", "refund"]


class SecondWaits(AnswersLost):
    """Answers the first question once there is a second, and that one when it is told to."""

    def __init__(self, acquirer: HttpAcquirer) -> None:
        super().__init__(acquirer)
        self.questions = 0
        self.both_asked = asyncio.Event()
        self.go_on = asyncio.Event()

    async def void(self, payment_id: UUID) -> Answer:
        self.questions += 1
        if self.questions == 2:
            self.both_asked.set()
            await self.go_on.wait()
        await self.both_asked.wait()
        return await super().void(payment_id)


async def test_a_delivery_that_was_overtaken_by_its_repeat_reports_nothing(payments: Payments) -> None:
    acquirer = SecondWaits(payments.acquirer)
    worker = PaymentWorker(payments.pool, acquirer, now=lambda: NOON)
    message = sent(void())
    deliveries = [asyncio.create_task(worker.handle(message)) for _ in range(2)]
    await asyncio.wait(deliveries, return_when=asyncio.FIRST_COMPLETED)
    async with payments.pool.connection() as connection:
        await connection.execute("DELETE FROM outbox")
    acquirer.go_on.set()
    await asyncio.gather(*deliveries)
    assert await payments.results() == []


async def test_the_books_survive_a_restart_and_so_do_their_answers(tmp_path: Path) -> None:
    key, books = payment_id(ORDER_ID), tmp_path / "ledger.sqlite"
    async with serve_acquirer(books) as url, HttpAcquirer(url) as acquirer:
        first = await acquirer.authorise(key, TOTAL, "tok_visa")
    async with serve_acquirer(books) as url, HttpAcquirer(url) as acquirer:
        assert await acquirer.authorise(key, TOTAL, "tok_visa") == first == await acquirer.find(key)
        assert isinstance(first, Approved)


async def test_nothing_is_known_of_a_key_that_never_arrived(payments: Payments) -> None:
    assert await payments.acquirer.find(SHIPMENT_ID) is None


async def test_a_malformed_request_charges_nothing(payments: Payments) -> None:
    async with httpx.AsyncClient(base_url=payments.url) as client:
        response = await client.put(f"/payments/{ORDER_ID}", content='{"amount": {"amount": -1, "currency": "EUR"}}')
        assert (response.status_code, (await client.get("/healthz")).status_code) == (422, 200)
    assert await payments.ledger() == []
