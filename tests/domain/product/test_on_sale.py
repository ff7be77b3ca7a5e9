import pytest

from domain.aggregates import PRODUCT
from domain.errors import ProductNotFound, ProductOffSale
from domain.product.decide import on_sale
from tests.examples import SKU, euros, listed, repriced, retired


def test_a_product_on_sale_costs_its_latest_price() -> None:
    assert on_sale(PRODUCT.fold([listed(), repriced(euros(1550))]), SKU).price == euros(1550)


def test_a_product_that_was_never_listed_cannot_be_bought() -> None:
    with pytest.raises(ProductNotFound):
        on_sale(None, SKU)


def test_a_retired_product_cannot_be_bought() -> None:
    with pytest.raises(ProductOffSale):
        on_sale(PRODUCT.fold([listed(), retired()]), SKU)
