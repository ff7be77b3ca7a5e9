"""Who ordered, read from what the views hold sealed; nobody once erased, nor for an auditor without a reason."""

from collections.abc import Sequence

from infra.auth import Caller
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

    async def named(self, rows: Sequence[OrderSummary], by: Caller) -> list[OrderSummary]:
        """Give the rows with the names of the customers."""
        if masked_for(by):
            return [row.model_copy(update={"masked": row.sealed is not None}) for row in rows]
        contacts = await self._vault.open(Contact, ((row.sealed, contact_of(row.order_id)) for row in rows))
        names = ("" if contact is None else contact.name for contact in contacts)
        return [row.model_copy(update={"customer_name": name}) for row, name in zip(rows, names, strict=True)]

    async def shown(self, row: OrderDetail, by: Caller) -> OrderDetail:
        """Give the row with the contact."""
        if masked_for(by):
            return row.model_copy(update={"masked": row.sealed is not None})
        (contact,) = await self._vault.open(Contact, ((row.sealed, contact_of(row.order_id)),))
        return row.model_copy(update={"contact": contact})


def masked_for(by: Caller) -> bool:
    """Tell whether contacts stay closed for the caller: they are not even opened."""
    return by.audits and by.reason is None
