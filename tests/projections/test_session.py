"""What stops a command about projections is told in a sentence that fits."""

from typing import Any

import psycopg
import pytest

from infra.commands.failure import REFUSED, Failure
from projections.commands.session import carry_out

pytestmark = pytest.mark.servers


async def _hurried(pool: Any, _: object) -> None:  # noqa: ANN401  # of whatever connections
    async with pool.connection() as connection, connection.transaction():
        await connection.execute("SET LOCAL lock_timeout = '50ms'")
        await connection.execute("LOCK TABLE order_summaries")


def test_a_table_in_use_is_not_taken_for_a_stream(database: str) -> None:
    with psycopg.connect(database) as reading:
        reading.execute("SELECT FROM order_summaries")
        with pytest.raises(Failure, match="The table is in use") as told:
            carry_out(database, None, _hurried)
    assert told.value.exit_code == REFUSED
