"""An example of a look for the OpenAPI document."""

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from schemas.looks import FIRST, Look, hash_of

_ORDER: Final = UUID("01981d3c-7cf8-7a10-8d4c-6f9619ff8b86")
_SEEN: Final = Look(
    tenant_id="roastery",
    number=1,
    look_id=UUID("01981e52-0c1b-7d3e-9a4f-5b6c7d8e9fa0"),
    looked_at=datetime(2026, 3, 3, 9, 30, tzinfo=UTC),
    subject="rita",
    question=f"/v1/orders/{_ORDER}",
    parameters={},
    outcome="shown",
    orders=(_ORDER,),
    customers=(UUID("8e511fda-fc4d-5b72-b3e2-e88b12c125c7"),),
    revealed=True,
    reason="complaint 4711: parcel never came",
    previous=FIRST,
    hash="",
)
LOOK: Final = _SEEN.but({"hash": hash_of(_SEEN.model_dump(mode="json"))})
