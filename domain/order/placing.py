"""How quoted lines become an order."""

from collections import Counter
from collections.abc import Iterable

from domain.errors import CurrencyMismatch, DuplicateSku, OrderTotalTooLarge
from domain.order.commands import PlaceOrder, QuotedLine
from schemas.base import MAX_MINOR_UNITS
from schemas.events.order import OrderLine, OrderPlaced
from schemas.money import Money


def place(command: PlaceOrder) -> OrderPlaced:
    """Price the order; raises DuplicateSku, CurrencyMismatch or OrderTotalTooLarge."""
    refuse_duplicates(line.sku for line in command.lines)
    return OrderPlaced(
        customer_id=command.customer_id,
        contact=command.contact,
        locale=command.locale,
        lines=tuple(
            OrderLine(
                sku=line.sku,
                name=line.name,
                quantity=line.quantity,
                unit_price=line.unit_price.amount,
                product_version=line.product_version,
            )
            for line in command.lines
        ),
        total=_total(command.lines),
        payment_token=command.payment_token,
    )


def refuse_duplicates(skus: Iterable[str]) -> None:
    """Raise DuplicateSku when one appears twice: a line is known by its SKU."""
    for sku, times in Counter(skus).items():
        if times > 1:
            raise DuplicateSku(sku)


def _total(lines: tuple[QuotedLine, ...]) -> Money:
    currency = lines[0].unit_price.currency
    for line in lines:
        if line.unit_price.currency != currency:
            raise CurrencyMismatch(expected=currency, given=line.unit_price.currency)
    amount = sum(line.unit_price.amount * line.quantity for line in lines)
    if amount > MAX_MINOR_UNITS:
        raise OrderTotalTooLarge(MAX_MINOR_UNITS)
    return Money(amount=amount, currency=currency)
