"""Every fact that OrderFlow records, one module per aggregate."""

from schemas.events.order import OrderEvent
from schemas.events.payment import PaymentEvent
from schemas.events.product import ProductEvent
from schemas.events.stock import StockEvent

Event = ProductEvent | StockEvent | OrderEvent | PaymentEvent
