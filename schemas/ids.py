"""How ids are made: UUIDv7 for what is new, UUIDv5 for what must be found again from what it belongs to."""

from functools import lru_cache
from typing import Final
from uuid import UUID, uuid5

import uuid_utils.compat

_NAMESPACE: Final = UUID("6f9619ff-8b86-5d11-b42d-00c04fc964ff")
_REMEMBERED: Final = 8_192


def new_id() -> UUID:
    """Give a UUIDv7 (RFC 9562): random, and ordered by the millisecond it was made in."""
    return uuid_utils.compat.uuid7()


@lru_cache(_REMEMBERED)
def product_id(tenant_id: str, sku: str) -> UUID:
    """Stream of a product: one per tenant and SKU, so a SKU cannot be listed twice."""
    return uuid5(_NAMESPACE, f"product/{tenant_id}/{sku}")


@lru_cache(_REMEMBERED)
def stock_id(tenant_id: str, sku: str) -> UUID:
    """Stream of the stock of one SKU of one tenant."""
    return uuid5(_NAMESPACE, f"stock/{tenant_id}/{sku}")


def payment_id(order_id: UUID) -> UUID:
    """Stream of the payment of an order."""
    return uuid5(_NAMESPACE, f"payment/{order_id}")


def message_id(cause: UUID, command_type: str, subject: str = "") -> UUID:
    """Id of a command that `cause` set off: the same for every resend, another for every `subject` (such as a SKU)."""
    return uuid5(cause, f"{command_type}/{subject}")
