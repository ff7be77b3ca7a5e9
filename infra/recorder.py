"""The event log through the eventsourcing library: for its tools, and for threads that have no event loop."""

from collections.abc import Sequence
from typing import Final

from eventsourcing.persistence import Subscription
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore, PostgresSubscription
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from infra.group_commit import LOG_LOCK
from infra.signals import EVENTS

_LISTEN_SECONDS: Final = 0.1
"""How soon a subscription that was stopped ends."""
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

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> Subscription[PostgresApplicationRecorder]:
        """Give every event after position `gt`, in the order of the log, and wait for more; use it as a context."""
        return _Subscription(recorder=self, gt=gt, topics=topics)


class _Subscription(PostgresSubscription):
    """The library's reads the log before it listens, and would never hear of what was appended in between."""

    def _listen(self) -> None:
        try:
            with self._recorder.datastore.get_connection() as connection:
                connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._recorder.channel_name)))
                self._has_been_notified.set()
                while not self._has_been_stopped and not self._thread_error:
                    for _ in connection.notifies(timeout=_LISTEN_SECONDS, stop_after=1):
                        self._has_been_notified.set()
        except BaseException as error:  # noqa: BLE001  # told to whoever reads
            self._thread_error = self._thread_error or error
            self.stop()


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
