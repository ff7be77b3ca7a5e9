"""What auditors have looked at, for those who audit and for those who watch them."""

from infra.auth import Caller
from query_api.audit.looking import look
from query_api.audit.record import Looks
from query_api.listing import Condition, Listing
from query_api.parameters import LookQuery
from query_api.reading import Found, Page, Reading
from schemas.looks import Look


class AuditQuestions:
    def __init__(self, reading: Reading, looks: Looks) -> None:
        self._reading = reading
        self.looks = looks

    @look("/v1/audit/looks")
    async def recorded(self, by: Caller, asked: LookQuery) -> Found[Page[Look]]:
        return await self._reading.page("/v1/audit/looks", by, asked, looks(by.tenant_id, asked))


def looks(tenant_id: str, asked: LookQuery) -> Listing[Look]:
    """The looks of a tenant, the newest first."""
    where = [Condition("tenant_id = %s", (tenant_id,))]
    if asked.subject:
        where.append(Condition("subject = %s", (asked.subject,)))
    if asked.order_id:
        where.append(Condition("orders @> ARRAY[%s]", (asked.order_id,)))
    if asked.customer_id:
        where.append(Condition("customers @> ARRAY[%s]", (asked.customer_id,)))
    if asked.revealed is not None:
        where.append(Condition("revealed = %s", (asked.revealed,)))
    if asked.since:
        where.append(Condition("looked_at >= %s", (asked.since,)))
    if asked.until:
        where.append(Condition("looked_at < %s", (asked.until,)))
    return Listing(Look, "audit_looks", (("number", "bigint"),), tuple(where), descending=True)
