import json

from projections.live_change import LiveChange, change_of
from schemas.views import RecentOrder
from tests.projections.story import Fate, an_id, euros, told

ORDER_ID = an_id("order", 0)


def changes_of(fate: Fate) -> dict[str, LiveChange]:
    changes = {stored.topic: change_of(stored.recorded) for stored in told(fate)}
    return {topic: change for topic, change in changes.items() if change}


def test_only_orders_change_the_live_figures() -> None:
    assert {topic.partition(".")[0] for topic in changes_of("delivered")} == {"order"}


def test_a_placed_order_brings_its_summary_without_the_customer() -> None:
    change = changes_of("delivered")["order.placed.v2"]
    summary = RecentOrder.model_validate({**json.loads(change.summary), "status": change.status})
    assert (summary.order_id, summary.status, summary.total) == (ORDER_ID, "placed", euros(3500))
    assert "Zoë" not in change.summary


def test_a_confirmed_order_adds_to_the_revenue() -> None:
    change = changes_of("delivered")["order.confirmed.v1"]
    assert (change.status, change.currency, change.revenue, change.summary) == ("confirmed", "EUR", 3500, "")


def test_a_confirmed_order_that_is_cancelled_takes_its_revenue_back() -> None:
    assert changes_of("cancelled")["order.cancelled.v1"].revenue == -3500


def test_an_unconfirmed_order_that_is_cancelled_takes_nothing_back() -> None:
    assert changes_of("short")["order.cancelled.v1"].revenue == 0


def test_the_delivery_of_a_part_leaves_the_status() -> None:
    deliveries = [change_of(stored.recorded) for stored in told("in_parts") if stored.topic == "order.delivered.v1"]
    assert [change.status for change in deliveries if change] == ["", "delivered"]
