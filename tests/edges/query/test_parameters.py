import json
from itertools import permutations

from query_api.parameters import OrderQuery, ProcessQuery
from schemas.views import OrderStatus

SEVERAL: tuple[OrderStatus, ...] = ("shipped", "placed", "cancelled", "confirmed")


def test_a_question_reads_the_same_in_every_process_whatever_the_order_of_its_parts() -> None:
    for some in permutations(SEVERAL):
        asked = json.loads(OrderQuery(status=frozenset(some)).question())
        assert asked["status"] == sorted(SEVERAL)
    assert json.loads(ProcessQuery(phase=frozenset("cba")).question())["phase"] == ["a", "b", "c"]


def test_the_size_of_the_page_and_the_patience_are_no_part_of_the_question() -> None:
    patient = OrderQuery(limit=3, cursor="abc", min_position=7, wait=1)
    assert patient.question() == OrderQuery().question()


def test_every_filter_is_part_of_the_question() -> None:
    names = set(OrderQuery.model_fields) - {"limit", "cursor", "min_position", "wait"}
    full = OrderQuery.model_validate(
        {
            "status": ["placed"],
            "payment_status": ["none"],
            "customer_id": "5b8f71b7-6e3a-5b1f-b225-aeea1b164858",
            "q": "x",
            "placed_from": "2026-03-01T00:00:00Z",
            "placed_to": "2026-03-02T00:00:00Z",
            "sort": "total",
            "as_of": "2026-03-02T00:00:00Z",
        }
    )
    assert set(json.loads(full.question())) == names
