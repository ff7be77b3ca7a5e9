"""How psycopg says that it was the database, and not what was asked of it."""

from typing import Final

import psycopg

DATABASE_OUTAGES: Final = (
    psycopg.OperationalError,
    psycopg.errors.IdleInTransactionSessionTimeout,
    psycopg.errors.TransactionTimeout,
)
"""The last two end the transaction of a process that stood still, which psycopg counts as errors of its own."""
