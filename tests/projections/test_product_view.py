from projections.product_view import PRODUCTS
from schemas.events.product import ProductEvent, ProductListed, ProductRepriced, ProductRetired
from schemas.ids import product_id
from schemas.views import ProductView
from tests.projections.projecting import project
from tests.projections.story import Story, euros

LISTED = ProductListed(sku="ESP-250", name="Espresso Roast", description="Dark", price=euros(900))
REPRICED = ProductRepriced(sku="ESP-250", price=euros(1100))
RETIRED = ProductRetired(sku="ESP-250")


def product_after(*events: ProductEvent) -> ProductView:
    story = Story()
    for event in events:
        story.tell(product_id("acme", event.sku), event)
    return project(PRODUCTS, story.log)[("acme", "ESP-250")]


def test_a_listed_product_is_for_sale() -> None:
    product = product_after(LISTED)
    assert (product.name, product.description, product.price) == ("Espresso Roast", "Dark", euros(900))
    assert (product.status, product.version) == ("listed", 1)


def test_a_new_price_replaces_the_old_one() -> None:
    product = product_after(LISTED, REPRICED)
    assert (product.price, product.version) == (euros(1100), 2)
    assert product.updated_at > product.listed_at


def test_a_retired_product_is_not_for_sale() -> None:
    assert product_after(LISTED, RETIRED).status == "retired"


def test_a_product_listed_again_is_for_sale_with_its_new_description() -> None:
    product = product_after(LISTED, RETIRED, LISTED.model_copy(update={"name": "Espresso"}))
    assert (product.status, product.name, product.version) == ("listed", "Espresso", 3)
