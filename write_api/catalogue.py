"""Prices: an order is placed at what the catalogue says, never at what a client says."""

from collections.abc import Sequence

from domain.aggregates import PRODUCT
from domain.order.commands import QuotedLine
from domain.product.decide import on_sale
from schemas.events.order import Pick
from schemas.ids import product_id
from write_api.streams import Streams


class Catalogue:
    """Prices changed by this process count at once; those changed by another one within the feed's delay."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    async def quote(self, tenant_id: str, picks: Sequence[Pick]) -> tuple[QuotedLine, ...]:
        """Price what was picked; raises ProductNotFound, ProductOffSale or LogUnavailable."""
        return tuple([await self._line(tenant_id, pick) for pick in picks])

    async def _line(self, tenant_id: str, pick: Pick) -> QuotedLine:
        known = await self._streams.recent(PRODUCT, product_id(tenant_id, pick.sku))
        product = on_sale(known.state, pick.sku)
        return QuotedLine(
            sku=pick.sku,
            name=product.name,
            quantity=pick.quantity,
            unit_price=product.price,
            product_version=known.version,
        )
