"""`orderflow run`: one part of the cluster profile as a process of its own."""

import asyncio
import json
import signal
import subprocess
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg import sql

from infra.process import ReadyRole, database_ready
from infra.roles import ROLES
from infra.runtime import NotStarted
from tests.conftest import Databases
from tests.running import command, environment, until
from tests.vault import vault_file
from tests.waiting import eventually


def run(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    told = environment(folder) | settings
    return subprocess.run(command("run", *arguments), env=told, capture_output=True, text=True, check=False)


@contextmanager
def started(folder: Path, role: str, settings: Mapping[str, str]) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    ready_file = folder / f"{role}.json"
    arguments = command("run", role, "--ready-file", ready_file)
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(arguments, env={**environment(folder), **settings}, stderr=log, text=True)
    try:
        yield process, ready_file
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("group", ["orderflow.services", "orderflow.transports"])
def test_every_part_that_is_installed_is_a_role(group: str) -> None:
    assert {entry.name for entry in entry_points(group=group)} == {
        role.name for role in ROLES.values() if role.group == group
    }


def test_the_help_lists_the_roles(tmp_path: Path) -> None:
    told = run(tmp_path, "--help").stdout
    assert [role for role in ROLES if role not in told] == []


def test_a_role_that_there_is_not_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    done = run(tmp_path, "everything")
    assert done.returncode == 2
    assert "write-api" in done.stderr


def test_a_setting_that_is_wrong_is_told_in_one_sentence_without_its_value(tmp_path: Path) -> None:
    done = run(tmp_path, "query-api", ORDERFLOW_QUERY_PORT="hidden")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert done.stderr.startswith("ORDERFLOW_QUERY_PORT is wrong: ")
    assert "hidden" not in done.stderr


def test_pins_that_are_no_json_are_told_in_one_sentence(tmp_path: Path) -> None:
    done = run(tmp_path, "relay", ORDERFLOW_PINNED="hidden")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert done.stderr.startswith("ORDERFLOW_PINNED is wrong: it is no JSON")
    assert "hidden" not in done.stderr


def test_a_database_without_the_schema_is_told_in_one_sentence(tmp_path: Path, blank_database: str) -> None:
    done = run(tmp_path, "projector", ORDERFLOW_POSTGRES_DSN=blank_database)
    (line,) = done.stderr.splitlines()
    assert (done.returncode, json.loads(line)["role"]) == (1, "projector")
    assert "Run `orderflow migrate`" in json.loads(line)["event"]


def test_a_setting_that_is_missing_is_told_in_one_sentence(tmp_path: Path, database: str) -> None:
    done = run(tmp_path, "projector", ORDERFLOW_POSTGRES_DSN=database)
    told = json.loads(done.stderr)
    assert (done.returncode, told["role"], "exception" in told) == (1, "projector", False)
    assert "ORDERFLOW_VAULT_FILE" in told["event"]


def test_a_role_tells_where_it_is_and_stops_cleanly(tmp_path: Path, database: str, redis_url: str) -> None:
    settings = {
        "ORDERFLOW_POSTGRES_DSN": database,
        "ORDERFLOW_REDIS_URL": redis_url,
        "ORDERFLOW_JWKS_FILE": str(tmp_path / "jwks.json"),
        "ORDERFLOW_VAULT_FILE": str(vault_file()),
    }
    (tmp_path / "jwks.json").write_text('{"keys": []}')
    with started(tmp_path, "query-api", settings) as (process, ready_file):
        until(lambda: ready_file.exists() or process.poll() is not None or None)
        assert process.poll() is None, (tmp_path / "log").read_text()
        ready = ReadyRole.model_validate_json(ready_file.read_bytes())
        assert (ready.role, ready.pid) == ("query-api", process.pid)
        assert httpx.get(f"{ready.urls['query_url']}/readyz").status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert not ready_file.exists()


def _logged(caplog: pytest.LogCaptureFixture, words: str) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return words in caplog.text

    return look


async def test_a_database_that_comes_later_is_waited_for(
    databases: Databases, caplog: pytest.LogCaptureFixture
) -> None:
    waiting = asyncio.create_task(database_ready(databases.servers.dsn_of("comes_later")))
    await eventually(_logged(caplog, "waiting for the database"))
    try:
        databases.admin.execute(sql.SQL("CREATE DATABASE comes_later TEMPLATE orderflow"))
        await waiting
    finally:
        databases.drop("comes_later")


async def test_a_database_that_does_not_come_is_told_in_a_sentence(databases: Databases) -> None:
    with pytest.raises(NotStarted, match="ORDERFLOW_POSTGRES_DSN") as told:
        await database_ready(databases.servers.dsn_of("never"), seconds=0.2)
    assert isinstance(told.value.__cause__, psycopg.OperationalError)
