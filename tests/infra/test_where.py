"""A command finds the servers of a data folder, whichever profile runs in it."""

import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from pydantic import SecretStr

from infra.commands.failure import UNREACHABLE, Failure
from infra.commands.migrate import migrate
from infra.commands.platform_database import settings_of
from infra.commands.where import dsn_of
from infra.local.cluster_servers import POSTGRESQL, ClusterServers
from infra.local.ready import Ready, announced
from infra.local.servers import LocalServers
from infra.settings import Settings


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not pytest's own folder: as root, servers run as a user who must be able to enter it."""
    with TemporaryDirectory(prefix="orderflow-test-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


def ready_of(data: Path) -> Ready:
    return Ready(
        write_url="http://write",
        query_url="http://query",
        write_grpc="",
        query_grpc="",
        mail_url="http://mail",
        acquirer_url="http://acquirer",
        smtp_port=25,
        token="",
        curl="",
        pid=os.getpid(),
        started_at=datetime.now(UTC),
        data_dir=data,
        tenant_id="",
        profile="cluster",
        postgres_dsn=f"postgresql://{data.name}",
        redis_url=f"redis://{data.name}",
        kafka_servers=f"{data.name}:9092",
    )


@pytest.mark.servers
def test_the_database_of_a_cluster_is_found_by_its_folder(folder: Path) -> None:
    settings = Settings(run_dir=folder / "run")
    with ClusterServers(folder, names=[POSTGRESQL]), psycopg.connect(dsn_of(None, folder, settings)) as connection:
        assert connection.info.dbname == "orderflow"


def test_the_database_of_an_embedded_platform_is_found_by_its_folder(folder: Path) -> None:
    settings = Settings(run_dir=folder / "run")
    sockets = folder / "sockets"
    sockets.mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(sockets / ".s.PGSQL.5432"))
        (sockets / ".s.PGSQL.5432.lock").touch()
        assert dsn_of(None, folder, settings) == f"{LocalServers(folder).postgres_dsn}&port=5432"


def test_where_no_platform_runs_and_no_database_is_named_none_is_reached(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"start `orderflow up`") as nowhere:
        dsn_of(None, None, Settings(run_dir=tmp_path))
    assert nowhere.value.exit_code == UNREACHABLE


def test_what_is_no_address_of_a_database_is_told_and_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERFLOW_POSTGRES_DSN", "secret")
    for find in (lambda: dsn_of(None, None, Settings()), lambda: settings_of("secret", None), migrate):
        with pytest.raises(Failure, match="ORDERFLOW_POSTGRES_DSN is no database address") as told:
            find()
        assert "secret" not in str(told.value)


def test_the_neighbours_are_those_of_the_platform_in_the_folder_and_not_of_the_newest(tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    older, newer = ready_of(tmp_path / "older"), ready_of(tmp_path / "newer")
    with announced(older, run_dir / "1.json"), announced(newer, run_dir / "2.json"):
        os.utime(run_dir / "1.json", (0, 0))
        found = settings_of(None, tmp_path / "older", Settings(run_dir=run_dir))
        chosen = settings_of(None, tmp_path / "older", Settings(run_dir=run_dir, kafka_servers="mine:9092"))
    assert found.postgres_dsn == SecretStr("postgresql://older")
    assert found.redis_url == SecretStr("redis://older")
    assert (found.kafka_servers, found.acquirer_url) == ("older:9092", "http://acquirer")
    assert chosen.kafka_servers == "mine:9092"
