"""What the coffee shop of the embedded platform sells, and its first stock."""

from dataclasses import dataclass
from typing import Final

from infra.client import Api, Refused

CONFLICT: Final = 409


@dataclass(frozen=True, slots=True)
class Article:
    sku: str
    name: str
    price: int
    """Euro cents."""
    description: str
    stock: int


STARTER: Final = (
    Article("BEANS-MINAS-250", "Minas Gerais, natural, 250 g", 950, "Chocolate, hazelnut, low acidity.", 100_000),
    Article("BEANS-SIDAMA-250", "Sidama, washed, 250 g", 1_250, "Jasmine, bergamot, apricot.", 100_000),
    Article("MUG-AZULEJO", "Mug with a tile pattern, 30 cl", 1_400, "Stoneware, safe in the dishwasher.", 100_000),
)
"""Enough for whoever wants to place a first order."""


async def seed(api: Api, articles: tuple[Article, ...]) -> None:
    """List and stock what is not there yet; once more changes nothing."""
    for article in articles:
        price = {"amount": article.price, "currency": "EUR"}
        product = {"sku": article.sku, "name": article.name, "description": article.description, "price": price}
        receipt = {"quantity": article.stock, "reference": "first-stock"}
        try:
            await api.post("/v1/products", product, key=f"catalogue-{article.sku}")
        except Refused as refused:
            if refused.status != CONFLICT:
                raise
        await api.post(f"/v1/stock/{article.sku}/receipts", receipt, key=f"first-stock-{article.sku}")
