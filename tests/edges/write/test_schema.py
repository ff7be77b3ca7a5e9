"""Requests made from the API's own description: whatever is sent, the answer is one that the description promises."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.edges.write.shop import Shop

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="module")]

SAID_BY_NO_SCHEMA = "positive_data_acceptance"
"""Blank and unprintable text, 2.0 for 2, a key used before, another version: refused, and no schema can say so."""


async def test_no_request_gets_a_server_error_or_an_answer_that_is_not_described(shop: Shop, tmp_path: Path) -> None:
    await shop.sell_coffee()
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run"),
        f"{shop.client.base_url}/openapi.json",
        *("--header", f"Authorization: Bearer {shop.token}"),
        *(
            "--checks",
            "all",
            "--exclude-checks",
            SAID_BY_NO_SCHEMA,
            "--phases",
            "examples,coverage,fuzzing",
            "--max-examples",
            "15",
        ),
        *("--suppress-health-check", "all", "--no-color", "--generation-deterministic"),
    ]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
