"""What a dead letter would bring about in the process and the workers is told, and does not happen."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import SecretStr

from infra.acquirer import HttpAcquirer
from infra.consumers import CommandConsumer, EventConsumer, Forecast, Unavailable, opener
from infra.dead_letters import letters
from infra.event_log import load
from infra.guard import Guard
from infra.local.acquirer import serve_acquirer
from infra.parked_stream import Result
from infra.redelivery import Redelivery
from infra.settings import Settings
from process_managers.rehearsal import notifications, payments
from process_managers.workers.once import remember
from schemas.commands import Command, NotifyCustomer, Queue
from schemas.events import Event
from schemas.views import FED_BY
from tests.appending import OpenLog, appending, open_log
from tests.command_examples import authorise, confirm, sent, void
from tests.examples import ORDER_ID, PAYMENT_ID, TOTAL, confirmed, history, placed, uuid

pytestmark = pytest.mark.servers


@dataclass(frozen=True)
class Bench:
    log: OpenLog
    settings: Settings

    async def payment(self, command: Command) -> Forecast:
        async with payments(self.settings, self.log.pool) as consumer:
            assert isinstance(consumer, CommandConsumer)
            return await consumer.rehearse(sent(command))

    async def mail(self, command: Command) -> Forecast:
        async with notifications(self.settings, self.log.pool) as consumer:
            assert isinstance(consumer, CommandConsumer)
            return await consumer.rehearse(sent(command))

    async def happened(self, *events: Event) -> None:
        await self.log.appender.append(appending(*history(*events)))

    async def handled(self, consumer: str, command: Command) -> None:
        async with self.log.pool.connection() as connection:
            await remember(connection, consumer, sent(command).message_id)

    async def made(self) -> tuple[Any, ...] | None:
        """Count commands, processes and handled messages."""
        query = "SELECT (SELECT count(*) FROM outbox), (SELECT count(*) FROM processes), count(*) FROM inbox"
        async with self.log.pool.connection() as connection:
            return await (await connection.execute(query)).fetchone()


@pytest.fixture
async def bench(module_database: str, tmp_path: Path) -> AsyncIterator[Bench]:
    async with open_log(module_database) as log, serve_acquirer(tmp_path / "ledger.sqlite") as url:
        async with log.pool.connection() as connection:
            await connection.execute(
                "TRUNCATE stored_events, idempotency_records, dead_letters, inbox, outbox, processes"
            )
        yield Bench(log, Settings(postgres_dsn=SecretStr(module_database), acquirer_url=url))


async def charge(bench: Bench, token: str) -> None:
    async with HttpAcquirer(bench.settings.acquirer_url or "") as acquirer:
        await acquirer.authorise(PAYMENT_ID, TOTAL, token)


async def booked(bench: Bench) -> int:
    async with HttpAcquirer(bench.settings.acquirer_url or "") as acquirer:
        return len(await acquirer.ledger())


async def test_a_payment_that_never_arrived_would_be_called_for(bench: Bench) -> None:
    forecast = await bench.payment(authorise())
    assert forecast == Forecast("succeed", "The acquirer would be called: acquirer.authorise.v1.")
    assert await booked(bench) == 0


@pytest.mark.parametrize(
    ("token", "said"), [("tok_visa", "approved it as sim_"), ("tok_declined", "refused it: declined")]
)
async def test_a_payment_that_is_decided_changes_nothing_there(bench: Bench, token: str, said: str) -> None:
    await charge(bench, token)
    forecast = await bench.payment(authorise())
    assert forecast.outcome == "no_op"
    assert said in forecast.says


async def test_a_void_is_always_called_for(bench: Bench) -> None:
    assert (await bench.payment(void())).outcome == "succeed"


async def test_a_payment_that_was_handled_is_not_handled_again(bench: Bench) -> None:
    await bench.handled("payment", authorise())
    assert (await bench.payment(authorise())).outcome == "no_op"


async def test_a_command_of_somebody_else_would_fail(bench: Bench) -> None:
    assert (await bench.payment(confirm())).outcome == "fail"
    assert (await bench.mail(confirm())).outcome == "fail"


async def test_an_acquirer_that_does_not_answer_leaves_it_unknown(bench: Bench) -> None:
    away = bench.settings.model_copy(update={"acquirer_url": "http://127.0.0.1:9"})
    async with payments(away, bench.log.pool) as consumer:
        assert isinstance(consumer, CommandConsumer)
        assert (await consumer.rehearse(sent(authorise()))).outcome == "unknown"


async def test_without_an_acquirer_it_says_what_to_set(bench: Bench) -> None:
    nowhere = bench.settings.model_copy(update={"acquirer_url": None})
    with pytest.raises(Unavailable, match="ORDERFLOW_ACQUIRER_URL"):
        async with payments(nowhere, bench.log.pool):
            pass


def the_mail() -> NotifyCustomer:
    return NotifyCustomer(order_id=ORDER_ID, template="order_confirmed", event_id=uuid("event"))


async def test_a_mail_is_written_and_not_sent(bench: Bench) -> None:
    await bench.happened(placed(), confirmed())
    forecast = await bench.mail(the_mail())
    assert (forecast.outcome, "Your order is confirmed" in forecast.says) == ("succeed", True)
    assert await bench.made() == (0, 0, 0)


async def test_a_mail_about_nothing_would_fail(bench: Bench) -> None:
    assert (await bench.mail(the_mail())).outcome == "fail"


async def test_a_mail_that_was_sent_is_not_sent_again(bench: Bench) -> None:
    await bench.handled("notification", the_mail())
    assert (await bench.mail(the_mail())).outcome == "no_op"


async def parked(bench: Bench) -> Redelivery:
    async with bench.log.pool.connection() as connection, connection.transaction():
        [stored] = await load(connection, ORDER_ID)
        await Guard(connection, "order_fulfilment").park(stored, error="ZeroDivisionError", attempts=3)
    return Redelivery(bench.settings, bench.log.pool, actor="ana")


async def retried(bench: Bench, redelivery: Redelivery, *, rehearse: bool) -> Result:
    async with bench.log.pool.connection() as connection:
        [letter] = await letters(connection)
    [result] = await redelivery.retry(letter, rehearse=rehearse)
    return result


async def test_a_rehearsed_process_asks_nobody_for_anything(bench: Bench) -> None:
    await bench.happened(placed())
    redelivery = await parked(bench)
    result = await retried(bench, redelivery, rehearse=True)
    assert result.outcome == "succeed"
    assert [change.split()[:3] for change in result.changes] == [
        ["adds", "command", "stock.reserve.v1"],
        ["adds", "command", "stock.reserve.v1"],
        ["adds", "processes", str(ORDER_ID)],
    ]
    assert await bench.made() == (0, 0, 0)
    await retried(bench, redelivery, rehearse=False)
    assert await bench.made() == (2, 1, 0)


async def test_every_consumer_is_found_by_the_name_in_its_dead_letters(bench: Bench) -> None:
    for name in ("order_fulfilment", *FED_BY.values(), "live_figures", *get_args(Queue)):
        async with opener(name)(bench.settings, bench.log.pool) as consumer:
            assert not isinstance(consumer, EventConsumer) or consumer.subscription.name == name
    with pytest.raises(Unavailable):
        opener("nobody")
