"""`orderflow servers` keeps the four servers of the cluster profile: found again, started again, never left behind."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aio_pika
import psycopg
import pytest
import redis
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from infra.local.answering import NoAnswer, version_at
from infra.local.keeping import Server, status
from infra.local.kept_servers import KeptServers, keeper_of
from infra.settings import Settings
from tests.running import command, environment, until

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]

NAMES = {"PostgreSQL", "Valkey", "Kafka", "RabbitMQ"}
LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
LISTENS = "0A"
HOLDER = """
import fcntl, os, sys, time
file = open(sys.argv[1], "w")
fcntl.flock(file, fcntl.LOCK_EX)
file.write(str(os.getpid()))
file.flush()
print(flush=True)
time.sleep(100)
"""

Told = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """Not pytest's own folder: as root, servers run as a user who must be able to enter it."""
    with TemporaryDirectory(prefix="orderflow-test-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)
        run(Path(folder), "down")


@pytest.fixture
def kept(home: Path) -> KeptServers:
    """Started when they do not run, by two at once: one of them finds what the other has started."""
    folder = home / "run" / "servers"
    if keeper_of(folder) is None:
        both = [
            subprocess.Popen(line("up", "--native"), env=environment(home), stdout=subprocess.DEVNULL) for _ in "ab"
        ]
        assert [starting.wait(200) for starting in both] == [0, 0]
    found = keeper_of(folder)
    assert found is not None
    return found


def line(*words: str) -> list[str]:
    return command("servers", *words)


def run(home: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(line(*words), env=environment(home) | settings, capture_output=True, text=True, check=False)


def told(answer: str) -> Told:
    """What `--json` says of the servers that are up."""
    return {server["name"]: server for server in json.loads(answer)["servers"] if server["up"]}


def all_up(home: Path) -> list[Server]:
    settings = Settings(run_dir=home / "run")

    def look() -> list[Server] | None:
        found = status(home / "run" / "servers", settings)
        return found if all(server.up for server in found) else None

    return until(look, 60)


def store(home: Path, kept: KeptServers, word: str) -> None:
    with psycopg.connect(kept.urls["postgres_dsn"]) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (word text)")
        connection.execute("INSERT INTO kept VALUES (%s)", (word,))
    with redis.Redis.from_url(kept.urls["redis_url"]) as client:
        client.set("kept", word)
    servers = kept.urls["kafka_servers"]
    admin = AdminClient({"bootstrap.servers": servers})
    for made in admin.create_topics([NewTopic(word, 1, 1)]).values():
        made.result(20)
    producer = Producer({"bootstrap.servers": servers})
    producer.produce(word, word)
    assert producer.flush(20) == 0
    asyncio.run(_send(kept.urls["rabbitmq_url"], word))
    # RabbitMQ 3.10 knows a quorum queue after a kill only once this file tells of it, a second later.
    names = home / "run/servers" / "rabbitmq/nodes/orderflow@localhost/quorum/orderflow@localhost"
    until(lambda: word.encode() in (names / "names.dets").read_bytes() or None)


async def _send(url: str, word: str) -> None:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.declare_queue(word, durable=True, arguments={"x-queue-type": "quorum"})
        await channel.default_exchange.publish(aio_pika.Message(word.encode()), word)


def stored(kept: KeptServers, word: str) -> list[object]:
    with psycopg.connect(kept.urls["postgres_dsn"]) as connection, redis.Redis.from_url(kept.urls["redis_url"]) as keys:
        row = connection.execute("SELECT word FROM kept WHERE word = %s", (word,)).fetchone()
        key = keys.get("kept")
    consumer = Consumer({"bootstrap.servers": kept.urls["kafka_servers"], "group.id": "reader"})
    consumer.assign([TopicPartition(word, 0, 0)])
    message = consumer.poll(20)
    consumer.close()
    return [row, key, message and message.value(), asyncio.run(_received(kept.urls["rabbitmq_url"], word))]


async def _received(url: str, word: str) -> bytes:
    async with await aio_pika.connect(url) as connection:
        queue = await (await connection.channel()).get_queue(word)
        message = await queue.get(timeout=20)
        await message.ack()
        return message.body


def words(word: str) -> list[object]:
    return [(word,), word.encode(), word.encode(), word.encode()]


def all_gone(pids: list[int]) -> bool | None:
    return None if any(map(is_alive, pids)) else True


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_each_is_told_with_what_a_client_needs(home: Path, kept: KeptServers) -> None:
    answer = run(home, "status", "--json")
    found = told(answer.stdout)
    assert answer.returncode == 0
    assert {name: server["pid"] for name, server in found.items()} == kept.pids
    assert {server["kept_by"] for server in found.values()} == {"native"}
    assert all(server["version"] and server["url"] in kept.urls.values() for server in found.values())


def test_a_table_shows_no_password_and_the_files_are_private(home: Path, kept: KeptServers) -> None:
    shown = run(home, "status", "--table").stdout
    secrets = json.loads((home / "run" / "servers" / "addresses.json").read_text())["secrets"].values()
    assert "orderflow:***@" in shown
    assert not [secret for secret in secrets if secret in shown]
    private = {file.name: file.stat().st_mode & 0o077 for file in (home / "run" / "servers").glob("*.json")}
    assert private == {"servers.json": 0, "addresses.json": 0}
    commands = [Path(f"/proc/{pid}/cmdline").read_text() for pid in (kept.pid, *kept.pids.values())]
    assert not [secret for secret in secrets for shown in commands if secret in shown]


def test_what_is_to_be_set_can_be_evaluated_by_a_shell(home: Path, kept: KeptServers) -> None:
    script = f'eval "$({" ".join(line("env"))})"; echo "$ORDERFLOW_KAFKA_SERVERS $ORDERFLOW_RABBITMQ_URL"'
    shell = subprocess.run(["/bin/sh", "-c", script], env=environment(home), capture_output=True, text=True, check=True)
    assert shell.stdout.split() == [kept.urls["kafka_servers"], kept.urls["rabbitmq_url"]]


def test_to_start_once_more_changes_nothing(home: Path, kept: KeptServers) -> None:
    again = run(home, "up", "--native")
    assert (again.returncode, again.stderr) == (0, "The servers run already.\n")
    assert keeper_of(home / "run" / "servers") == kept


def test_nothing_listens_to_the_network(kept: KeptServers) -> None:
    listening = list(addresses_of(kept.pids.values()))
    assert len(listening) >= 6
    assert set(listening) <= LOOPBACK


def addresses_of(pids: Iterable[int]) -> Iterator[str]:
    for pid in pids:
        sockets = {str(file.readlink()) for file in Path(f"/proc/{pid}/fd").iterdir()}
        for table in ("tcp", "tcp6"):
            for row in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
                columns = row.split()
                if columns[3] == LISTENS and f"socket:[{columns[9]}]" in sockets:
                    yield columns[1].partition(":")[0]


@pytest.mark.parametrize(
    ("name", "setting"), [("PostgreSQL", "postgres_dsn"), ("Valkey", "redis_url"), ("RabbitMQ", "rabbitmq_url")]
)
def test_nobody_gets_in_without_the_password(kept: KeptServers, name: str, setting: str) -> None:
    secret = kept.urls[setting].partition("@")[0].rpartition(":")[2]
    with pytest.raises(NoAnswer):
        version_at(name, kept.urls[setting].replace(secret, "guest"))
    assert version_at(name, kept.urls[setting])


def test_servers_that_settings_name_are_asked_and_not_started(home: Path, kept: KeptServers) -> None:
    yours = {f"ORDERFLOW_{name.upper()}": url for name, url in kept.urls.items()}
    answer = run(home, "up", "--data", str(home / "yours"), "--json", **yours)
    assert answer.returncode == 0
    assert {server["kept_by"] for server in told(answer.stdout).values()} == {"you"}
    assert not (home / "yours").exists()


def test_killed_servers_come_back_at_the_same_place_with_their_data(home: Path, kept: KeptServers) -> None:
    store(home, kept, "killed")
    for pid in kept.pids.values():
        os.kill(pid, signal.SIGKILL)
    found = all_up(home)
    assert not {server.pid for server in found} & set(kept.pids.values())
    assert {server.url for server in found} == set(kept.urls.values())
    assert stored(kept, "killed") == words("killed")


def test_stopped_servers_leave_no_process_and_keep_their_data(home: Path, kept: KeptServers) -> None:
    store(home, kept, "stopped")
    pids = [kept.pid, *children_of(kept.pid)]
    assert run(home, "down").returncode == 0
    until(lambda: all_gone(pids), 5)
    assert run(home, "status").returncode == 4
    assert run(home, "up", "--native").returncode == 0
    found = keeper_of(home / "run" / "servers")
    assert found is not None
    assert found.urls == kept.urls
    assert stored(found, "stopped") == words("stopped")


def test_a_killed_keeper_leaves_nothing_behind(home: Path, kept: KeptServers) -> None:
    pids = children_of(kept.pid)
    assert len(pids) > len(NAMES)
    os.kill(kept.pid, signal.SIGKILL)
    until(lambda: all_gone(pids), 30)
    assert run(home, "down").stderr.startswith("No servers run in")


def children_of(pid: int) -> list[int]:
    """The whole tree below a process."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    direct = [int(child) for task in tasks for child in task.read_text().split()]
    return [*direct, *(below for child in direct for below in children_of(child))]


def test_a_folder_that_somebody_else_holds_is_left_alone(home: Path) -> None:
    folder = home / "foreign"
    folder.mkdir()
    held = [sys.executable, "-c", HOLDER, str(folder / "owner.lock")]
    with subprocess.Popen(held, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        forged = KeptServers(kind="native", pid=holder.pid, started="1", urls={})
        (folder / "servers.json").write_text(forged.model_dump_json())
        for words in (("down",), ("up", "--native"), ("status",)):
            asked = run(home, *words, "--data", str(folder))
            assert asked.returncode == 1
            assert f"in use by process {holder.pid}" in asked.stderr
        assert holder.poll() is None
        holder.kill()


def test_where_no_servers_run_there_is_nothing_to_set(home: Path) -> None:
    asked = run(home, "env", "--data", str(home / "none"))
    assert (asked.returncode, asked.stdout) == (4, "")
    assert asked.stderr == f"No servers run in {home / 'none'}. Start them with `orderflow servers up`.\n"


def test_a_file_that_names_a_foreign_process_ends_nothing(home: Path) -> None:
    folder = home / "stale"
    folder.mkdir()
    (folder / "owner.lock").write_text(str(os.getpid()))
    (folder / "servers.json").write_text(
        KeptServers(kind="native", pid=os.getpid(), started="1", urls={}).model_dump_json()
    )
    assert run(home, "down", "--data", str(folder)).stderr.startswith("No servers run in")


def test_a_server_that_a_setting_names_and_that_does_not_answer_is_told(home: Path) -> None:
    asked = run(home, "up", "--data", str(home / "yours"), ORDERFLOW_KAFKA_SERVERS="127.0.0.1:1")
    assert asked.returncode == 4
    assert "Kafka at ORDERFLOW_KAFKA_SERVERS does not answer (ConnectionError). Start it" in asked.stderr
    assert not (home / "yours").exists()


def test_a_missing_program_is_named_with_its_remedy(home: Path) -> None:
    without = run(home, "up", "--native", "--data", str(home / "without"), PATH=str(home))
    assert without.returncode == 1
    assert without.stderr == (
        "The program java is missing. Install it with `sudo apt-get install openjdk-17-jre-headless`.\n"
    )


def test_what_docker_keeps_is_asked_of_docker_and_not_of_the_file(home: Path) -> None:
    folder = home / "contained"
    folder.mkdir()
    urls = {"redis_url": "redis://127.0.0.1:1/0"}
    (folder / "servers.json").write_text(KeptServers(kind="docker", pid=0, started="", urls=urls).model_dump_json())
    asked = run(home, "up", "--data", str(folder), PATH=str(home))
    assert asked.returncode == 1
    assert asked.stderr == "Docker keeps these servers, but there is no `docker` on the PATH.\n"
