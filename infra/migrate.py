"""Brings a database to the newest schema, and costs one query when it is there already."""

from pathlib import Path

import psycopg

SCRIPTS = Path(__file__).with_name("migrations")
LOCK = 0x0F10_0001
"""Held while migrating, so that processes starting together migrate once."""


class SchemaTooNew(Exception):  # noqa: N818 - a state of the world
    """An older version was started on the data of a newer one."""


def head() -> str:
    """The newest revision: a file is named after its revision and what it adds, as in `0001_event_log.py`."""
    return max(path.name.partition("_")[0] for path in SCRIPTS.glob("versions/[0-9]*_*.py"))


def current(connection: psycopg.Connection) -> str | None:
    """The revision a database has, None before the first."""
    if connection.execute("SELECT to_regclass('alembic_version')").fetchone() == (None,):
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


def is_current(dsn: str) -> bool:
    """Whether there is nothing to migrate; raises SchemaTooNew."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        return not _is_missing(connection, head())


def migrate(dsn: str) -> str:
    """Applies what is missing, each revision in its own transaction, and returns the revision reached."""
    wanted = head()
    with psycopg.connect(dsn, autocommit=True) as connection:
        if _is_missing(connection, wanted):
            connection.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
            if _is_missing(connection, wanted):
                _upgrade(dsn)
    return wanted


def _is_missing(connection: psycopg.Connection, wanted: str) -> bool:
    reached = current(connection)
    if reached is not None and reached > wanted:
        raise SchemaTooNew(
            f"The database has schema {reached}, and this OrderFlow knows {wanted} only. Use the newer OrderFlow."
        )
    return reached != wanted


def _upgrade(dsn: str) -> None:
    # Imported here because they take 30 MB that a process at rest would keep for nothing.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from sqlalchemy import NullPool, create_engine  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(dsn), poolclass=NullPool)
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
