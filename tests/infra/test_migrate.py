"""Migrating reaches the newest schema once, whoever starts it and however often."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from infra.migrate import SchemaTooNew, current, head, migrate
from tests.running import command, environment


def test_a_blank_database_gets_the_newest_schema(blank_database: str) -> None:
    assert migrate(blank_database) == head()
    with psycopg.connect(blank_database) as connection:
        assert current(connection) == head()
        assert connection.execute("SELECT count(*) FROM stored_events").fetchone() == (0,)


def test_a_blank_database_has_no_revision(blank_database: str) -> None:
    with psycopg.connect(blank_database) as connection:
        assert current(connection) is None


def test_migrating_again_keeps_what_is_stored(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("INSERT INTO subscription_positions (subscription, position) VALUES ('kept', 7)")
    migrate(database)
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT position FROM subscription_positions").fetchall() == [(7,)]


def test_processes_that_start_together_migrate_once(blank_database: str) -> None:
    with ThreadPoolExecutor(8) as starters:
        reached = list(starters.map(migrate, [blank_database] * 8))
    assert reached == [head()] * 8


def test_a_newer_schema_is_left_alone(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaTooNew, match="9999"):
        migrate(database)


def test_a_migrated_database_needs_no_migration_library(database: str) -> None:
    program = "import sys; from infra.migrate import migrate; migrate(sys.argv[1]); print('alembic' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", program, database], capture_output=True, text=True, check=True)
    assert result.stdout == "False\n"


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_the_command_tells_programs_the_schema_reached(database: str, tmp_path: Path, options: tuple[str, ...]) -> None:
    assert json.loads(_told(database, tmp_path, *options)) == {"schema": head()}


def test_the_command_tells_people_the_schema_reached(database: str, tmp_path: Path) -> None:
    assert _told(database, tmp_path, "--table") == f"The database has schema {head()}.\n"


def _told(dsn: str, folder: Path, *options: str) -> str:
    settings = {**environment(folder), "ORDERFLOW_POSTGRES_DSN": dsn}
    return subprocess.check_output(command("migrate", *options), env=settings, text=True)
