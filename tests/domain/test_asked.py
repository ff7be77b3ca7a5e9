"""Every event says what was asked for, so that its decision can be taken again."""

from hypothesis import given

from domain.asked import asked_for
from tests.domain.histories import Commands, history_of, of_a_payment, of_a_product, of_an_order, of_stock
from tests.examples import ORDER_ID
from tests.given import decided


@given(of_a_product | of_stock | of_an_order | of_a_payment)
def test_what_was_asked_for_is_decided_as_it_was(commands: Commands) -> None:
    history = history_of(commands)
    for before, event in enumerate(history):
        assert decided(history[:before], asked_for(event, ORDER_ID)) == [event]
