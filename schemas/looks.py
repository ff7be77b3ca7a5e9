"""What is recorded of an auditor's look, and the chain that all looks of a tenant are."""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import Field

from schemas.base import Instant, TenantId
from schemas.views import Row

FIRST: Final = "0" * 64
"""What the first look of a tenant has before it."""
_EXAMPLE: Final = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


class Look(Row):
    """`audit_looks`: who looked at what, recorded before it was shown. Nothing personal, unless a reason says it."""

    tenant_id: TenantId
    number: Annotated[int, Field(ge=1)]
    """Counts the looks of the tenant, without a gap."""
    look_id: UUID
    looked_at: Instant
    subject: str
    """Of the auditor's token."""
    question: str = Field(examples=["/v1/orders/01981d3c-7cf8-7a10-8d4c-6f9619ff8b86"])
    """The path that it has over HTTP, also when it was asked over gRPC."""
    parameters: dict[str, Any]
    """What else was asked, except for the page; of words that were searched for, only how many."""
    outcome: str = Field(examples=["shown"])
    """`shown`, or the name of the problem that was answered instead, such as `order-not-found`."""
    orders: tuple[UUID, ...]
    """Orders that were asked about or shown."""
    customers: tuple[UUID, ...]
    """Customers that were asked about or shown."""
    revealed: bool
    """Contacts were shown, or words of them searched for."""
    reason: str | None
    """What the auditor gave for it, word for word."""
    previous: str = Field(examples=[FIRST])
    """`hash` of the look before; zeros before the first."""
    hash: str = Field(examples=[_EXAMPLE])
    """SHA-256, in hex, of this look as JSON without `hash`: members in the order of their names, no white space,
    UTF-8."""


def hash_of(look: Mapping[str, Any]) -> str:
    """Give what `hash` must be, from a look as JSON."""
    rest = {name: value for name, value in look.items() if name != "hash"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(text.encode()).hexdigest()
