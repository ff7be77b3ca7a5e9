"""What happens in the demo: who orders what and how it ends, all decided by a seed before the first order."""

from dataclasses import dataclass
from random import Random
from typing import Final, Literal

from infra.client import Json
from infra.local.catalogue import CATALOGUE, Article
from schemas.base import Locale

Fate = Literal["open", "declined", "short", "regretted", "called_off", "shipped", "delivered", "in_parts", "refunded"]
"""`regretted` by the customer, `called_off` by staff; `short` of stock."""

FATES: Final[dict[Fate, int]] = {
    "delivered": 44,
    "in_parts": 16,
    "shipped": 10,
    "open": 10,
    "refunded": 4,
    "declined": 7,
    "short": 4,
    "regretted": 3,
    "called_off": 2,
}
"""How many of a hundred orders."""
ENDS: Final[dict[Fate, str]] = {
    "delivered": "completed",
    "in_parts": "completed",
    "shipped": "shipped",
    "open": "confirmed",
    "refunded": "completed",
    "declined": "cancelled",
    "short": "cancelled",
    "regretted": "cancelled",
    "called_off": "cancelled",
}
"""The status in which nothing more happens by itself; also `cancelled` where something scarce was sold out."""
SCARCE: Final = tuple(article for article in CATALOGUE if article.stock < 10)  # noqa: PLR2004 - a few pieces
PLENTY: Final = tuple(article for article in CATALOGUE if article not in SCARCE)
_CARDS: Final = ("tok_visa", "tok_mastercard", "tok_multibanco")
_REFUSED_CARDS: Final = ("tok_declined", "tok_insufficient_funds", "tok_expired_card")
_QUANTITIES: Final = (1, 1, 1, 2, 2, 3)
_PORTUGUESE: Final = (
    ("Marta Vidigal", "Rua das Oliveiras 12, 4050-449 Porto"),
    ("Tiago Alcântara", "Travessa do Moinho 3, 1100-365 Lisboa"),
    ("Inês Carvalhosa", "Largo da Fonte 8, 3000-214 Coimbra"),
    ("Rui Lameira", "Avenida do Mar 77, 9000-054 Funchal"),
    ("Beatriz Sequeiro", "Rua da Alfândega 21, 8000-139 Faro"),
    ("Duarte Pimentel", "Canada do Pico 5, 9700-102 Angra do Heroísmo"),
    ("Leonor Façanha", "Rua do Sol 40, 4700-312 Braga"),
    ("Gonçalo Rebelo", "Praça Velha 2, 2400-137 Leiria"),
    ("Catarina Mourisca", "Beco do Carmo 9, 7000-503 Évora"),
    ("Simão Valadares", "Rua Direita 115, 3500-115 Viseu"),
)
_ENGLISH: Final = (
    ("Harriet Lowell", "14 Quay Street, Bristol BS1 4HQ"),
    ("Owen Tremaine", "3 Chapel Row, Truro TR1 2LD"),
    ("Priya Ashworth", "88 Mill Lane, Leeds LS12 1BE"),
    ("Callum Baird", "27 Shore Road, Leith EH6 6RX"),
    ("Nora Fitzgerald", "5 Harbour View, Cork T12 XY4A"),
    ("Edmund Pryce", "61 Castle Hill, Cardiff CF10 1BH"),
    ("Sadie Whitcombe", "19 Orchard Close, Exeter EX4 6PD"),
    ("Imran Halliday", "102 Canal Street, Manchester M1 3HE"),
)
_NOTES: Final = ("Please ring twice.", "Leave it with the neighbour.", "Grind for filter, please.", None, None, None)


@dataclass(frozen=True, slots=True)
class PlannedOrder:
    number: int
    subject: str
    """Of the customer's token."""
    body: Json
    fate: Fate


def plan(seed: int, count: int) -> tuple[PlannedOrder, ...]:
    """Give `count` orders, the same for the same seed."""
    chance = Random(seed)  # noqa: S311 - repeatable on purpose
    return tuple(_order(chance, number) for number in range(count))


def _order(chance: Random, number: int) -> PlannedOrder:
    fate = chance.choices(tuple(FATES), tuple(FATES.values()))[0]
    locale: Locale = "pt" if chance.random() < 0.6 else "en"  # noqa: PLR2004 - most customers are near
    name, address = chance.choice(_PORTUGUESE if locale == "pt" else _ENGLISH)
    account = name.lower().translate(str.maketrans("áâãàçéêíóôõú ", "aaaaceeiooou."))
    note = chance.choice(_NOTES)
    body: Json = {
        "contact": {"name": name, "email": f"{account}@mail.example", "address": address}
        | ({"note": note} if note else {}),
        "locale": locale,
        "lines": _lines(chance, fate),
        "payment_token": chance.choice(_REFUSED_CARDS if fate == "declined" else _CARDS),
    }
    return PlannedOrder(number, f"customer:{account}", body, fate)


def _lines(chance: Random, fate: Fate) -> list[Json]:
    articles: list[Article] = chance.sample(PLENTY, chance.choice((2, 3) if fate == "in_parts" else (1, 1, 2, 3)))
    lines: list[Json] = [{"sku": article.sku, "quantity": chance.choice(_QUANTITIES)} for article in articles]
    if fate == "short":
        scarce = chance.choice(SCARCE)
        lines.append({"sku": scarce.sku, "quantity": scarce.stock + 1})
    elif chance.random() < 0.02:  # noqa: PLR2004 - so the rare ones sell out slowly
        lines.append({"sku": chance.choice(SCARCE).sku, "quantity": 1})
    return lines
