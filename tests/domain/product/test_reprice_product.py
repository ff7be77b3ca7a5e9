from domain.errors import CurrencyMismatch, ProductNotFound, ProductOffSale
from domain.product.commands import RepriceProduct
from schemas.money import Money
from tests.examples import SKU, euros, listed, repriced, retired
from tests.given import given


def _reprice(price: Money | None = None) -> RepriceProduct:
    return RepriceProduct(sku=SKU, price=price or euros(1550))


def test_a_listed_product_gets_another_price() -> None:
    given(listed()).when(_reprice()).then(repriced())


def test_the_price_that_it_has_already_is_no_event() -> None:
    given(listed(), repriced()).when(_reprice()).then()


def test_an_earlier_price_can_come_back() -> None:
    given(listed(euros(1450)), repriced()).when(_reprice(euros(1450))).then(repriced(euros(1450)))


def test_a_product_that_was_never_listed_is_not_found() -> None:
    given().when(_reprice()).refuses(ProductNotFound(SKU))


def test_a_retired_product_is_not_repriced() -> None:
    given(listed(), retired()).when(_reprice()).refuses(ProductOffSale(SKU))


def test_a_price_in_another_currency_is_refused() -> None:
    yen = Money(amount=2400, currency="JPY")
    given(listed()).when(_reprice(yen)).refuses(CurrencyMismatch(expected="EUR", given="JPY"))
