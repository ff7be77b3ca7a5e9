"""What all tests share: hypothesis profiles, and real servers started at most once per worker."""

import itertools
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
import redis
from hypothesis import settings
from psycopg import sql
from xdist.remote import Producer

from infra.local.cluster_servers import KAFKA, RABBITMQ, ClusterServers
from infra.local.servers import LocalServers
from infra.migrate import migrate
from tests.sharing import Sharing

settings.register_profile("dev", deadline=None, print_blob=True, max_examples=40)
settings.register_profile("ci", deadline=None, print_blob=True, derandomize=True, database=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))

REDIS_NUMBERS = range(1, 64)
SERVERS = {"servers", "kafka_servers", "rabbitmq"}
HOSTS_AT_ONCE = 8
"""Making virtual hosts takes most of its time to get there."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Sharing:
    return Sharing(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever asks for a server needs no mark by hand."""
    for item in items:
        if isinstance(item, pytest.Function) and SERVERS.intersection(item.fixturenames):
            item.add_marker(pytest.mark.servers)


@dataclass(frozen=True, slots=True)
class Databases:
    """Copies of one migrated database; a copy takes a tenth of the time of migrating."""

    servers: LocalServers
    admin: psycopg.Connection
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def create(self) -> str:
        name = f"test_{next(self.numbers)}"
        copy = sql.SQL("CREATE DATABASE {} TEMPLATE orderflow").format(sql.Identifier(name))
        self.admin.execute(copy)
        return name

    def drop(self, name: str) -> None:
        self.admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def servers() -> Iterator[LocalServers]:
    """PostgreSQL and Valkey; without fsync, because a test's data need not survive a power cut."""
    with tempfile.TemporaryDirectory(prefix="orderflow-test-") as folder:
        Path(folder).chmod(0o755)
        with LocalServers(Path(folder), postgres_settings={"fsync": "off"}) as running:
            yield running


@pytest.fixture(scope="session")
def databases(servers: LocalServers) -> Iterator[Databases]:
    migrate(servers.postgres_dsn)
    with psycopg.connect(servers.dsn_of("postgres"), autocommit=True) as admin:
        yield Databases(servers, admin)


@pytest.fixture
def database(databases: Databases) -> Iterator[str]:
    """The DSN of a migrated, empty database for one test."""
    name = databases.create()
    yield databases.servers.dsn_of(name)
    databases.drop(name)


@pytest.fixture(scope="module")
def module_database(databases: Databases) -> Iterator[str]:
    """The DSN of a migrated database that the tests of one module share."""
    name = databases.create()
    yield databases.servers.dsn_of(name)
    databases.drop(name)


@pytest.fixture
def blank_database(databases: Databases) -> Iterator[str]:
    """The DSN of a database without any table."""
    name = f"blank_{next(databases.numbers)}"
    databases.admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield databases.servers.dsn_of(name)
    databases.drop(name)


@pytest.fixture(scope="session")
def redis_numbers() -> Iterator[int]:
    return itertools.cycle(REDIS_NUMBERS)


@pytest.fixture
def redis_url(servers: LocalServers, redis_numbers: Iterator[int]) -> str:
    """An empty Redis database for one test; channels of publish and subscribe are shared by all."""
    url = servers.redis_url_of(next(redis_numbers))
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return url


@pytest.fixture(scope="session")
def kafka_servers() -> Iterator[str]:
    """The bootstrap servers of a broker that all tests share, so each takes a topic prefix of its own."""
    with tempfile.TemporaryDirectory(prefix="orderflow-test-") as folder:
        Path(folder).chmod(0o755)
        with ClusterServers(Path(folder), names=[KAFKA], kafka_heap="384m") as running:
            yield running.kafka_servers


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[ClusterServers]:
    with tempfile.TemporaryDirectory(prefix="orderflow-test-") as folder:
        Path(folder).chmod(0o755)
        with ClusterServers(Path(folder), names=[RABBITMQ]) as running:
            yield running


@pytest.fixture(scope="session")
def virtual_hosts(rabbitmq: ClusterServers) -> Iterator[str]:
    def made() -> Iterator[str]:
        used: list[str] = []
        for first in itertools.count(step=HOSTS_AT_ONCE):
            names = [f"test_{number}" for number in range(first, first + HOSTS_AT_ONCE)]
            rabbitmq.virtual_hosts.change(add=names, remove=used)
            yield from names
            used = names

    return made()


@pytest.fixture
def rabbitmq_url(rabbitmq: ClusterServers, virtual_hosts: Iterator[str]) -> str:
    """An empty virtual host for one test."""
    return rabbitmq.rabbitmq_url_of(next(virtual_hosts))
