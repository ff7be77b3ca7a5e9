from projections.order_timeline import ORDER_TIMELINE
from schemas.views import TimelineEntry
from tests.projections.projecting import project
from tests.projections.story import FATES, Fate, an_id, told

ORDER_ID = an_id("order", 0)


def timeline_of(fate: Fate) -> list[TimelineEntry]:
    return sorted(project(ORDER_TIMELINE, told(fate)).values(), key=lambda entry: entry.position)


def test_a_timeline_tells_of_order_stock_and_payment_in_the_order_of_the_log() -> None:
    assert [entry.kind for entry in timeline_of("cancelled")] == [
        "order.placed.v2",
        "stock.reserved.v1",
        "stock.reserved.v1",
        "payment.requested.v1",
        "payment.authorised.v1",
        "order.confirmed.v1",
        "order.cancelled.v1",
        "stock.released.v1",
        "stock.released.v1",
        "payment.voided.v1",
    ]


def test_an_entry_says_who_did_it_and_why_it_happened() -> None:
    entry = timeline_of("delivered")[0]
    assert entry.actor == "user:ada"
    assert (entry.correlation_id, entry.causation_id) == (an_id(ORDER_ID), an_id(ORDER_ID, "cause"))


def test_an_entry_says_in_a_few_facts_what_happened() -> None:
    facts = {entry.kind: entry.facts for entry in timeline_of("declined")}
    assert facts["order.placed.v2"] == {"total": {"amount": 3500, "currency": "EUR"}}
    assert facts["stock.reserved.v1"] == {"sku": "FIL-1000", "quantity": 1}
    assert facts["payment.declined.v2"] == {"code": "insufficient_funds", "kind": "funds"}
    assert facts["order.cancelled.v1"]["reason"] == "payment_declined"


def test_no_entry_carries_a_personal_field_or_a_payment_token() -> None:
    for fate in FATES:
        for entry in timeline_of(fate):
            text = entry.model_dump_json()
            assert not [told for told in ("Zoë", "zoe@", "Bean Street", "tok_visa") if told in text]


def test_stock_that_is_about_no_order_is_on_no_timeline() -> None:
    assert "stock.received.v1" not in {entry.kind for entry in timeline_of("delivered")}
