"""The servers serve, keep their data, and never outlive their owner, however it ends."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
import redis

from infra.local import child
from infra.local.child import ServerFailed, wait_until
from infra.local.servers import LocalServers

pytestmark = pytest.mark.servers

OWNER = """
import sys, time
from pathlib import Path
from infra.local.servers import LocalServers
with LocalServers(Path(sys.argv[1])) as servers:
    print(*servers.pids.values(), flush=True)
    time.sleep(100)
"""


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Not pytest's own folder: as root, servers run as a user who must be able to enter it."""
    with TemporaryDirectory(prefix="orderflow-test-") as folder:
        yield Path(folder) / "data"


@pytest.fixture
def owner(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-c", OWNER, str(data_dir)], stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def pids_of(owner: subprocess.Popen[str]) -> list[int]:
    assert owner.stdout is not None
    return [int(pid) for pid in owner.stdout.readline().split()]


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def store(servers: LocalServers) -> None:
    with psycopg.connect(servers.postgres_dsn) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 'é' AS word")
    with redis.Redis.from_url(servers.redis_url) as client:
        client.set("kept", "é")


def stored(servers: LocalServers) -> tuple[str, str]:
    with psycopg.connect(servers.postgres_dsn) as connection, redis.Redis.from_url(servers.redis_url) as client:
        row = connection.execute("SELECT word FROM kept").fetchone()
        return (row or ("",))[0], str(client.get("kept"), "utf-8")


def test_both_keep_what_was_stored(data_dir: Path) -> None:
    with LocalServers(data_dir) as servers:
        store(servers)
    with LocalServers(data_dir) as servers:
        assert stored(servers) == ("é", "é")


def test_a_stopped_server_leaves_no_process_and_no_socket(data_dir: Path) -> None:
    with LocalServers(data_dir) as servers:
        pids = servers.pids
        assert set(pids) == {"PostgreSQL", "Valkey"}
        assert all(map(is_running, pids.values()))
    assert not any(map(is_running, pids.values()))
    assert list(data_dir.rglob("*.sock")) == list(data_dir.rglob(".s.*")) == []


def test_nothing_listens_on_a_port(data_dir: Path) -> None:
    with LocalServers(data_dir) as servers:
        with psycopg.connect(servers.postgres_dsn) as connection:
            assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        with redis.Redis.from_url(servers.redis_url) as client:
            assert client.config_get("port") == {"port": "0"}


def test_committed_data_is_synced_and_text_is_utf8(data_dir: Path) -> None:
    with LocalServers(data_dir) as servers, psycopg.connect(servers.postgres_dsn) as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
        assert connection.execute("SHOW server_encoding").fetchone() == ("UTF8",)
        assert connection.execute("SELECT lower('ÄÇ')").fetchone() == ("äç",)


def test_a_data_folder_may_have_a_long_and_odd_name(data_dir: Path) -> None:
    with LocalServers(data_dir / ("long " * 30) / "50% é,'x'") as servers:
        store(servers)
        assert stored(servers) == ("é", "é")


def test_the_servers_end_with_a_killed_owner(owner: subprocess.Popen[str]) -> None:
    pids = pids_of(owner)
    owner.send_signal(signal.SIGKILL)
    assert wait_until(lambda: not any(map(is_running, pids)), 20)


def test_a_killed_owner_is_followed_at_once(owner: subprocess.Popen[str], data_dir: Path) -> None:
    pids_of(owner)
    owner.send_signal(signal.SIGKILL)
    with LocalServers(data_dir) as servers:
        store(servers)
        assert stored(servers) == ("é", "é")


def test_killed_servers_are_followed_at_once(owner: subprocess.Popen[str], data_dir: Path) -> None:
    for pid in pids_of(owner):
        os.kill(pid, signal.SIGKILL)
    owner.kill()
    with LocalServers(data_dir) as servers:
        store(servers)


def test_a_pid_file_that_names_a_foreign_process_is_no_hindrance(data_dir: Path) -> None:
    with LocalServers(data_dir):
        pass
    (data_dir / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n{data_dir / 'postgres'}\n0\n5432\n\n\n\n")
    with LocalServers(data_dir) as servers:
        store(servers)


def test_a_data_folder_half_made_is_made_again(data_dir: Path) -> None:
    (data_dir / "postgres.unfinished").mkdir(parents=True)
    (data_dir / "postgres.unfinished" / "PG_VERSION").write_text("18\n")
    with LocalServers(data_dir) as servers:
        store(servers)


def test_a_data_folder_in_use_is_refused_and_its_owner_named(owner: subprocess.Popen[str], data_dir: Path) -> None:
    pids = pids_of(owner)
    with pytest.raises(ServerFailed, match=f"in use by process {owner.pid}.*--data"):
        LocalServers(data_dir).start()
    assert all(map(is_running, pids))


def test_servers_of_an_earlier_start_that_never_stop_are_named(
    owner: subprocess.Popen[str], data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.local.servers.STOP_SECONDS", 0.2)
    stuck = pids_of(owner)
    for pid in stuck:
        os.kill(pid, signal.SIGSTOP)
    owner.kill()
    owner.wait()
    with pytest.raises(ServerFailed, match=r"do not stop.*fuser"):
        LocalServers(data_dir).start()
    for pid in stuck:
        os.kill(pid, signal.SIGCONT)
    assert wait_until(lambda: not any(map(is_running, stuck)), 20)


def test_a_server_that_cannot_start_shows_its_own_words(data_dir: Path) -> None:
    with pytest.raises(ServerFailed, match=r"PostgreSQL ended by itself[\s\S]*start again[\s\S]*shared_buffers"):
        LocalServers(data_dir, postgres_settings={"shared_buffers": "many"}).start()
    with LocalServers(data_dir) as servers:
        store(servers)


async def test_a_server_that_ends_by_itself_is_noticed(data_dir: Path) -> None:
    with LocalServers(data_dir) as servers:
        os.kill(servers.pids["Valkey"], signal.SIGKILL)
        async with asyncio.timeout(10):
            with pytest.raises(ServerFailed, match="Valkey ended by itself"):
                await servers.watch()


def test_another_thread_may_not_start_servers(data_dir: Path) -> None:
    with ThreadPoolExecutor(1) as threads, pytest.raises(ServerFailed, match="main thread"):
        threads.submit(LocalServers(data_dir).start).result()


def test_postgres_never_runs_as_root(data_dir: Path) -> None:
    with LocalServers(data_dir) as servers:
        assert Path(f"/proc/{servers.pids['PostgreSQL']}").stat().st_uid != 0


def test_nobody_else_can_read_the_data(data_dir: Path) -> None:
    with LocalServers(data_dir):
        modes = {path.name: path.stat().st_mode & 0o077 for path in data_dir.iterdir() if path.is_dir()}
    assert modes == {"postgres": 0, "valkey": 0, "sockets": 0}


def test_a_log_that_grew_large_is_put_aside(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "LOG_BYTES_KEPT", 10)
    data_dir.mkdir()
    (data_dir / "valkey.log").write_text("an earlier run\n")
    with LocalServers(data_dir):
        assert (data_dir / "valkey.log.1").read_text() == "an earlier run\n"


def test_a_child_that_misses_the_first_request_to_stop_gets_another(tmp_path: Path) -> None:
    """What is still becoming a server may swallow a signal."""
    deaf = (
        "import signal, sys\n"
        "signal.signal(signal.SIGINT, lambda *_: signal.signal(signal.SIGINT, signal.SIG_DFL))\n"
        "print(flush=True)\n"
        "while True: signal.pause()"
    )
    with subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        server = child.Child("deaf", process, tmp_path / "log", lambda: True, signal.SIGINT)
        server.ask_to_stop()
        server.wait_stopped()
    assert process.returncode == -signal.SIGINT
