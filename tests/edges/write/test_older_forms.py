"""A stream that an earlier release has begun goes on: its bytes stay, and the chain runs over them as they stand."""

from uuid import UUID, uuid4

import pytest

from infra.event_log import Stored
from schemas.base import Message
from schemas.commands import RecordDecline, RecordVoid, RequestPayment
from schemas.ids import new_id, payment_id
from schemas.money import Money
from schemas.recorded import digest, encode
from schemas.upcasters import PaymentDeclinedV1
from tests.edges.write.messages import deliver, sent
from tests.edges.write.shop import Shop

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="module")]

_APPEND = """
INSERT INTO stored_events (originator_id, originator_version, topic, state) VALUES (%s, %s, 'payment.declined.v1', %s)
"""


async def asked(shop: Shop) -> UUID:
    """Give an order whose payment was requested."""
    order_id = uuid4()
    money = Money(amount=2500, currency="EUR")
    await deliver(shop, sent(shop, RequestPayment(order_id=order_id, amount=money, payment_token="tok_visa")))
    return order_id


async def stream(shop: Shop, order_id: UUID) -> list[Stored]:
    return await shop.runtime.log.load(payment_id(order_id))


async def declined_before(shop: Shop, order_id: UUID) -> bytes:
    """Append a decline as an earlier release did; gives its bytes."""
    last = (await stream(shop, order_id))[-1]
    event: Message = PaymentDeclinedV1(order_id=order_id, code="expired_card")
    change = {"event_id": new_id(), "version": last.version + 1, "prev": digest(last.state), "event": event}
    state = encode(last.recorded.model_copy(update=change))
    async with shop.runtime.pool.connection() as connection:
        await connection.execute(_APPEND, (last.stream_id, last.version + 1, state))
    return state


async def test_what_follows_an_old_form_is_chained_to_its_bytes(shop: Shop) -> None:
    order_id = await asked(shop)
    state = await declined_before(shop, order_id)
    await deliver(shop, sent(shop, RecordVoid(order_id=order_id)))
    _, declined, voided = await stream(shop, order_id)
    assert (declined.topic, declined.state) == ("payment.declined.v1", state)
    assert b"kind" not in state
    assert (voided.topic, voided.recorded.prev) == ("payment.voided.v1", digest(state))


async def test_an_old_form_decides_like_its_successor(shop: Shop) -> None:
    order_id = await asked(shop)
    await declined_before(shop, order_id)
    await deliver(shop, sent(shop, RecordDecline(order_id=order_id, code="insufficient_funds")))
    assert [stored.topic for stored in await stream(shop, order_id)] == ["payment.requested.v1", "payment.declined.v1"]


async def test_a_decline_of_today_is_stored_in_the_new_form(shop: Shop) -> None:
    order_id = await asked(shop)
    await deliver(shop, sent(shop, RecordDecline(order_id=order_id, code="expired_card")))
    declined = (await stream(shop, order_id))[-1]
    assert declined.topic == "payment.declined.v2"
    assert b'"code":"expired_card","kind":"card"' in declined.state
