from domain.errors import ProductNotFound
from domain.product.commands import RetireProduct
from tests.examples import SKU, listed, retired
from tests.given import given

RETIRE = RetireProduct(sku=SKU)


def test_a_listed_product_is_retired() -> None:
    given(listed()).when(RETIRE).then(retired())


def test_retiring_twice_changes_nothing() -> None:
    given(listed(), retired()).when(RETIRE).then()


def test_a_product_that_is_listed_again_can_be_retired_again() -> None:
    given(listed(), retired(), listed()).when(RETIRE).then(retired())


def test_a_product_that_was_never_listed_is_not_found() -> None:
    given().when(RETIRE).refuses(ProductNotFound(SKU))
