"""The event log through the eventsourcing library: for its tools, and for threads that have no event loop."""

from typing import Final

from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from infra.group_commit import LOG_LOCK
from infra.signals import EVENTS

_TAKE_LOCK: Final = sql.SQL("SELECT pg_advisory_xact_lock({})").format(sql.Literal(LOG_LOCK))


class LogRecorder(PostgresApplicationRecorder):
    """Appends under the lock of `group_commit` in place of the library's table lock, so both keep one total order.

    The tables are those of the migrations: there is nothing to create. Raises ValueError for a datastore with database
    functions, because these append without any lock, and a tailing reader then misses events.
    """

    def __init__(self, datastore: PostgresDatastore) -> None:
        if datastore.enable_db_functions:
            raise ValueError("database functions append without the lock that keeps the total order")
        super().__init__(datastore)
        self.channel_name = EVENTS
        limit = sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(f"{datastore.lock_timeout}s"))
        self.lock_table_statements = [limit, _TAKE_LOCK]


def open_datastore(dsn: str, *, connections: int = 5, lock_timeout: int = 3) -> PostgresDatastore:
    """Give the library's connection pool; close it after use. `lock_timeout` is in seconds."""
    where = conninfo_to_dict(dsn)
    return PostgresDatastore(
        dbname=str(where["dbname"]),
        host=str(where["host"]),
        port=where.get("port") or 5432,
        user=str(where["user"]),
        password=str(where.get("password") or ""),
        pool_size=connections,
        max_overflow=connections,
        pre_ping=True,
        lock_timeout=lock_timeout,
        idle_in_transaction_session_timeout=5,
    )
