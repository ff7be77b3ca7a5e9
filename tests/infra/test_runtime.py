"""What the services of a process share."""

import asyncio

from pydantic import SecretStr

from infra.runtime import open_runtime
from infra.settings import Settings

END_THE_OTHERS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE pid <> pg_backend_pid() AND datname = current_database() AND backend_type = 'client backend'
"""


async def test_a_connection_that_the_server_has_ended_is_never_handed_out(database: str, redis_url: str) -> None:
    settings = Settings(postgres_dsn=SecretStr(database), redis_url=SecretStr(redis_url), statement_timeout_ms=30_000)
    async with asyncio.TaskGroup() as tasks, open_runtime(settings, tasks) as runtime:
        async with runtime.pool.connection() as first, runtime.pool.connection(), runtime.pool.connection():
            await first.execute(END_THE_OTHERS)
        for _ in range(6):
            async with runtime.pool.connection() as connection:
                await connection.execute("SELECT 1")
