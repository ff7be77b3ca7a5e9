"""The command that a newcomer pastes to place a first order."""

import json
from typing import Final

from infra.client import Json

TENANT: Final = "roastery"
ORDER: Final[Json] = {
    "contact": {
        "name": "Marta Vidigal",
        "email": "marta@mail.example",
        "address": "Rua das Oliveiras 12, 4050-449 Porto",
    },
    "locale": "pt",
    "lines": [{"sku": "BEANS-MINAS-250", "quantity": 2}, {"sku": "MUG-AZULEJO", "quantity": 1}],
    "payment_token": "tok_visa",
}


def curl_of(write_url: str, token: str) -> str:
    """Give one line for a POSIX shell; each run of it places another order."""
    headers = f"-H 'Authorization: Bearer {token}' -H \"Idempotency-Key: $(date +%s%N)\""
    body = json.dumps(ORDER, separators=(",", ":"))
    return f"curl -sS -w '\\n' {write_url}/v1/orders {headers} -H 'Content-Type: application/json' -d '{body}'"
