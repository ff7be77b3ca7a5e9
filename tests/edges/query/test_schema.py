"""Requests made from the API's own description: whatever is asked, the answer is one that the description promises."""

import asyncio
import sys
from pathlib import Path

import pytest

from schemas.events import Event
from tests.edges.query.platform import Shop
from tests.edges.query.test_as_of import asked
from tests.examples import NOON, authorised, confirmed, listed, received, requested, shipped

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="module")]

NOT_CHECKED = "positive_data_acceptance"
"""Unprintable text, a cursor or position never given out, a range that ends before it begins: refused, and no schema
can say so."""
FULFILLED = """
INSERT INTO subscription_positions (subscription, position)
SELECT 'order_fulfilment', max(notification_id) FROM stored_events
"""
"""The process manager does not run here; its board shows what it has heard of."""
ENDLESS = "/v1/stream"


async def test_no_request_gets_a_server_error_or_an_answer_that_is_not_described(shop: Shop, tmp_path: Path) -> None:
    order_id = await shop.placed()
    facts: tuple[Event, ...] = (
        *(requested(order_id=order_id), authorised(order_id=order_id)),
        *(listed(), received(), confirmed(), shipped()),
    )
    for fact in facts:
        await shop.tell(fact, order_id=order_id)
    async with shop.platform.runtime.pool.connection() as connection:
        await connection.execute(FULFILLED)
    await asked(shop, "/v1/orders", NOON)  # all happened in that moment, so every other instant is there from now on
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{shop.platform.client.base_url}/openapi.json"),
        *("--header", f"Authorization: {shop.headers()['authorization']}"),
        *("--checks", "all", "--exclude-checks", NOT_CHECKED, "--exclude-path", ENDLESS),
        *("--phases", "examples,coverage,fuzzing", "--max-examples", "15", "--workers", "8"),
        *("--suppress-health-check", "all", "--no-color", "--generation-deterministic"),
    ]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
