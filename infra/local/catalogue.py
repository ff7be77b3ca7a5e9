"""What the coffee shop of the embedded platform sells, and its first stock."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from infra.client import Api, Refused

CONFLICT: Final = 409
CURRENCY: Final = "EUR"


@dataclass(frozen=True, slots=True)
class Article:
    sku: str
    name: str
    price: int
    """Euro cents."""
    stock: int
    description: str


CATALOGUE: Final = (
    Article("BEANS-MINAS-250", "Minas Gerais, natural, 250 g", 950, 20_000, "Chocolate, hazelnut, low acidity."),
    Article("BEANS-MINAS-1000", "Minas Gerais, natural, 1 kg", 3_400, 2_000, "The same, for a busy kitchen."),
    Article("BEANS-SIDAMA-250", "Sidama, washed, 250 g", 1_250, 20_000, "Jasmine, bergamot, apricot."),
    Article("BEANS-HUILA-250", "Huila, washed, 250 g", 1_150, 3_000, "Red apple, caramel, almond."),
    Article("BEANS-ANTIGUA-250", "Antigua, washed, 250 g", 1_200, 3_000, "Cocoa, orange peel, brown sugar."),
    Article("BEANS-TARRAZU-250", "Tarrazú, honey, 250 g", 1_320, 2_500, "Peach, honey, black tea."),
    Article("BEANS-NYERI-250", "Nyeri AA, washed, 250 g", 1_550, 1_500, "Blackcurrant, tomato leaf, grapefruit."),
    Article("BEANS-GAYO-250", "Gayo, wet-hulled, 250 g", 1_190, 2_000, "Cedar, dark chocolate, full body."),
    Article("BEANS-PICO-100", "Azores, garden lot, 100 g", 2_900, 4, "A few kilograms a year."),
    Article("BEANS-GEISHA-100", "Boquete Geisha, washed, 100 g", 3_800, 6, "Jasmine, lime, papaya; one small box."),
    Article("BEANS-HOUSE-500", "House espresso, 500 g", 1_690, 5_000, "Two origins, roasted for milk."),
    Article("BEANS-DECAF-250", "Decaf, sugar cane process, 250 g", 1_150, 2_000, "Toffee, plum, no caffeine."),
    Article("BEANS-FILTER-SET", "Filter tasting set, 4 x 80 g", 1_990, 800, "Four origins side by side."),
    Article("MUG-AZULEJO", "Mug with a tile pattern, 30 cl", 1_400, 20_000, "Stoneware, safe in the dishwasher."),
    Article("CUP-ESPRESSO-2", "Espresso cups, set of two, 7 cl", 1_800, 1_200, "Thick walls keep a short coffee warm."),
    Article("DRIPPER-CERAMIC", "Ceramic dripper, 1 to 2 cups", 2_400, 600, "Cone with spiral ribs."),
    Article("FILTERS-100", "Paper filters, 100 pieces", 650, 5_000, "Unbleached, for cone drippers."),
    Article("KETTLE-GOOSENECK", "Gooseneck kettle, 90 cl", 6_900, 200, "Steel, with a thermometer in the lid."),
    Article("GRINDER-HAND", "Hand grinder, steel burrs", 8_900, 150, "From espresso to French press."),
    Article("SCALE-TIMER", "Scale with timer, 0.1 g", 4_500, 250, "Charges by USB, survives a spill."),
    Article("PRESS-600", "French press, 60 cl", 3_200, 400, "Double mesh, glass of borosilicate."),
    Article("MOKA-3", "Moka pot, 3 cups", 2_950, 400, "For gas, electric and induction."),
    Article("BOX-MONTHLY-2", "Subscription box, 2 x 250 g, one month", 2_190, 4_000, "Two bags that we would drink."),
    Article("BOX-QUARTER-2", "Subscription box, 2 x 250 g, three months", 6_190, 1_000, "Six bags in three parcels."),
    Article("BOX-GIFT", "Gift box: beans, mug and filters", 3_490, 5, "Wrapped, with a card; the last five."),
)

_FIRST: Final = frozenset({"BEANS-MINAS-250", "BEANS-SIDAMA-250", "MUG-AZULEJO"})
STARTER: Final = tuple(article for article in CATALOGUE if article.sku in _FIRST)
"""Enough for whoever wants to place a first order."""


async def seed(api: Api, articles: Iterable[Article]) -> int:
    """List and stock what has not been yet; once more changes nothing. Gives the position reached in the log."""
    position = 0
    for article in articles:
        price = {"amount": article.price, "currency": CURRENCY}
        product = {"sku": article.sku, "name": article.name, "description": article.description, "price": price}
        receipt = {"quantity": article.stock, "reference": "first-stock"}
        try:
            await api.post("/v1/products", product, key=f"catalogue-{article.sku}")
        except Refused as refused:
            if refused.status != CONFLICT:
                raise
        stocked = await api.post(f"/v1/stock/{article.sku}/receipts", receipt, key=f"first-stock-{article.sku}")
        position = max(position, int(stocked["position"]))
    return position
