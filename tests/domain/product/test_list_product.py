from domain.errors import ProductAlreadyListed
from domain.product.commands import ListProduct
from schemas.money import Money
from tests.examples import SKU, euros, listed, repriced, retired
from tests.given import given


def _list(price: Money | None = None, name: str = "Yirgacheffe 250 g") -> ListProduct:
    return ListProduct(sku=SKU, name=name, description="Washed, floral, bergamot.", price=price or euros(1450))


def test_a_product_is_listed_with_its_price() -> None:
    given().when(_list()).then(listed())


def test_listing_again_as_it_stands_changes_nothing() -> None:
    given(listed()).when(_list()).then()


def test_listing_with_the_price_that_it_has_by_now_changes_nothing() -> None:
    given(listed(), repriced(euros(1550))).when(_list(euros(1550))).then()


def test_listing_with_another_price_is_refused_because_that_is_repricing() -> None:
    given(listed()).when(_list(euros(1))).refuses(ProductAlreadyListed(SKU))


def test_listing_under_another_name_is_refused() -> None:
    given(listed()).when(_list(name="Sidamo 250 g")).refuses(ProductAlreadyListed(SKU))


def test_a_retired_product_can_be_listed_again_even_in_another_currency() -> None:
    yen = Money(amount=2400, currency="JPY")
    given(listed(), retired()).when(_list(yen)).then(listed(yen))


def test_a_retired_product_can_be_listed_again_as_it_was() -> None:
    given(listed(), retired()).when(_list()).then(listed())
