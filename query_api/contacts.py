"""Who ordered, read from what the views hold sealed; nobody once the customer has been erased."""

from collections.abc import Sequence

from infra.tenant_keys import TenantKeys
from infra.vault import Vault, contact_of
from schemas.events.order import Contact
from schemas.views import OrderDetail, OrderSummary


class Contacts:
    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    @property
    def tenants(self) -> TenantKeys:
        return self._vault.tenants

    async def named(self, rows: Sequence[OrderSummary]) -> list[OrderSummary]:
        """Give the rows with the names of the customers."""
        contacts = await self._vault.open(Contact, ((row.sealed, contact_of(row.order_id)) for row in rows))
        names = ("" if contact is None else contact.name for contact in contacts)
        return [row.model_copy(update={"customer_name": name}) for row, name in zip(rows, names, strict=True)]

    async def shown(self, row: OrderDetail) -> OrderDetail:
        """Give the row with the contact."""
        (contact,) = await self._vault.open(Contact, ((row.sealed, contact_of(row.order_id)),))
        return row.model_copy(update={"contact": contact})
