import pytest

from domain.aggregates import ORDER
from domain.errors import CurrencyMismatch, DuplicateSku, OrderAlreadyPlaced, OrderTotalTooLarge
from domain.order.commands import PlaceOrder, QuotedLine
from schemas.base import MAX_MINOR_UNITS, MAX_QUANTITY
from schemas.money import Money
from schemas.upcasters import in_clear
from tests.examples import CUSTOMER_ID, OTHER_SKU, SKU, TOKEN, a_contact, a_line, euros, placed
from tests.given import given


def _quoted(sku: str = SKU, quantity: int = 2, price: Money | None = None) -> QuotedLine:
    unit_price = price or euros(1450)
    return QuotedLine(sku=sku, name="Yirgacheffe 250 g", quantity=quantity, unit_price=unit_price, product_version=1)


def _place(*lines: QuotedLine) -> PlaceOrder:
    return PlaceOrder(
        customer_id=CUSTOMER_ID, contact=in_clear(a_contact()), locale="en", lines=lines, payment_token=TOKEN
    )


def test_an_order_records_the_prices_that_it_was_quoted_and_their_sum() -> None:
    lines = (_quoted(quantity=2), _quoted(OTHER_SKU, 1, euros(3900)))
    given().when(_place(*lines)).then(placed(a_line(quantity=2), a_line(OTHER_SKU, 1, 3900)))


def test_an_order_may_cost_nothing() -> None:
    given().when(_place(_quoted(price=euros(0)))).then(placed(a_line(unit_price=0)))


def test_the_same_order_is_not_placed_twice() -> None:
    given(placed()).when(_place(_quoted())).refuses(OrderAlreadyPlaced())


def test_a_sku_in_two_lines_is_refused() -> None:
    given().when(_place(_quoted(), _quoted(OTHER_SKU), _quoted())).refuses(DuplicateSku(SKU))


def test_lines_in_two_currencies_are_refused() -> None:
    yen = Money(amount=2400, currency="JPY")
    lines = (_quoted(), _quoted(OTHER_SKU, price=yen))
    given().when(_place(*lines)).refuses(CurrencyMismatch(expected="EUR", given="JPY"))


def test_the_largest_total_is_accepted() -> None:
    price = MAX_MINOR_UNITS // MAX_QUANTITY
    given().when(_place(_quoted(quantity=MAX_QUANTITY, price=euros(price)))).then(
        placed(a_line(quantity=MAX_QUANTITY, unit_price=price))
    )


def test_a_larger_total_is_refused() -> None:
    lines = (_quoted(quantity=1, price=euros(MAX_MINOR_UNITS)), _quoted(OTHER_SKU, 1, euros(1)))
    given().when(_place(*lines)).refuses(OrderTotalTooLarge(MAX_MINOR_UNITS))


def test_what_an_order_remembers_shows_nothing_personal() -> None:
    assert "Ana" not in repr(ORDER.fold([placed()]))


def test_a_refusal_tells_what_was_wrong() -> None:
    with pytest.raises(DuplicateSku, match="YIRGACHEFFE-250 appears in more than one line"):
        given().when(_place(_quoted(), _quoted())).then()
