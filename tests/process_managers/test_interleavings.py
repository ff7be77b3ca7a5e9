from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from process_managers.fulfilment_state import decode, encode
from process_managers.order_fulfilment import react
from schemas.commands import AuthorisePayment, CapturePayment, NotifyCustomer, RequestPayment
from schemas.events.order import OrderCancelled, OrderCompleted, OrderConfirmed
from schemas.events.payment import PaymentCaptured
from schemas.events.stock import StockReleased
from tests.examples import LINES, TOTAL
from tests.process_managers.world import DEADLINES, World


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Give the order somewhere on its way, after up to eighty things have happened in any order."""
    world = World(
        card_is_good=draw(st.sampled_from([True, True, True, False])), on_hand=draw(st.sampled_from([9, 9, 1]))
    )
    length = draw(st.sampled_from([0, 10, 25, 40]))
    for choice in draw(st.lists(st.integers(0, 255), min_size=length, max_size=2 * length)):
        # Mostly what is under way, so that orders get far; else also what people do, repeats and late deadlines.
        actions = world.open_ends() if choice % 16 and world.open_ends() else world.actions()
        actions[choice // 16 % len(actions)]()
    return world


def ended(world: World) -> World:
    """Let everything arrive, and somebody ship and deliver whatever has not ended by then."""
    world.settle()
    for act in (world.ship_all, world.deliver):
        act()
        world.settle()
    return world


@settings(max_examples=300)
@given(worlds())
def test_any_interleaving_ends(world: World) -> None:
    process = ended(world).process
    assert process
    assert process.phase in {"completed", "cancelled"}
    assert process.deadline_at is None


@given(worlds())
def test_what_was_cancelled_holds_neither_stock_nor_money(world: World) -> None:
    ended(world)
    if any(isinstance(event, OrderCancelled) for event in world.streams["order", ""]):
        released = [event for stream in world.streams.values() for event in stream if isinstance(event, StockReleased)]
        assert len(released) == len(LINES)
        assert "hold" not in world.acquirer


@given(worlds())
def test_what_was_completed_is_paid_in_full(world: World) -> None:
    ended(world)
    if any(isinstance(event, OrderCompleted) for event in world.streams["order", ""]):
        captured = [event for event in world.streams["payment", ""] if isinstance(event, PaymentCaptured)]
        assert sum(event.amount.amount for event in captured) == TOTAL.amount


@given(worlds())
def test_no_payment_is_asked_for_twice(world: World) -> None:
    ended(world)
    asked = Counter(
        (sent.command.type, getattr(sent.command, "capture_id", None))
        for sent in world.sent
        if isinstance(sent.command, RequestPayment | AuthorisePayment | CapturePayment)
    )
    assert all(times == 1 for times in asked.values())


@given(worlds())
def test_no_command_and_no_mail_is_sent_twice(world: World) -> None:
    ended(world)
    assert len({sent.message_id for sent in world.sent}) == len(world.sent)
    mails = [sent.command for sent in world.sent if isinstance(sent.command, NotifyCustomer)]
    assert len({(mail.template, mail.event_id) for mail in mails}) == len(mails)


@given(worlds())
def test_reacting_again_gives_the_same_answer_from_the_stored_state(world: World) -> None:
    for before, message, now, reaction in ended(world).reactions:
        restored = decode(encode(before)) if before else None
        assert react(restored, message, now=now, deadlines=DEADLINES) == reaction


@given(worlds())
def test_a_process_that_waits_has_a_deadline_or_a_person(world: World) -> None:
    process = world.process
    if process and not process.ended:
        assert process.deadline_at or process.phase == "attention"


@given(worlds())
def test_an_order_is_confirmed_only_after_everything_was_set_aside_for_it(world: World) -> None:
    ended(world)
    if any(isinstance(event, OrderConfirmed) for event in world.streams["order", ""]):
        assert world.card_is_good
        assert world.on_hand >= max(line.quantity for line in LINES)
