"""How `orderflow up` starts and stops. Platforms of its own, so nothing else is disturbed."""

import os
import signal
import socket
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from infra.local.ready import Ready
from tests.acceptance.driver import Shop
from tests.running import FREE_PORTS, Up, command, environment, running, until


@dataclass(frozen=True, slots=True)
class Watched:
    """A platform that logs all it does, told to listen where somebody else listens."""

    up: Up
    folder: Path
    taken_port: int

    @property
    def output(self) -> str:
        return (self.folder / "output").read_text()


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("watched")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with running(folder, "--verbose", "--write-port", str(port)) as up:
            yield Watched(up, folder, port)


def children(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def test_the_ready_file_is_for_its_owner_alone(watched: Watched) -> None:
    assert stat.S_IMODE(watched.up.ready_file.stat().st_mode) == 0o600
    assert watched.up.ready.pid == watched.up.process.pid


def test_one_process_holds_everything_of_ours(watched: Watched) -> None:
    names = {process.name() for process in psutil.Process(watched.up.process.pid).children()}
    assert names == {"postgres", "valkey-server"}


def test_a_taken_port_is_avoided_and_said_so(watched: Watched) -> None:
    assert watched.up.ready.write_url != f"http://127.0.0.1:{watched.taken_port}"
    assert f"Port {watched.taken_port} is taken" in watched.output


def test_a_program_that_reads_what_is_printed_gets_the_ready_record(watched: Watched) -> None:
    printed = [line for line in watched.output.splitlines() if line.startswith('{"write_url":')]
    assert [Ready.model_validate_json(line) for line in printed] == [watched.up.ready]


def test_a_data_folder_in_use_is_told_in_one_sentence(watched: Watched, tmp_path: Path) -> None:
    second = command("up", "--data", watched.up.ready.data_dir)
    done = subprocess.run(second, env=environment(tmp_path), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "in use by process" in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_personal_and_no_token_is_logged(watched: Watched, http: httpx.Client) -> None:
    shop = Shop(http, watched.up.ready, watched.up.ready.tenant_id)
    customer = shop.customer()
    order_id = customer.place([("MUG-AZULEJO", 1)], email="private@mail.example")
    shop.until_mails(order_id, 1)
    assert "private@mail.example" not in watched.output
    assert customer.token not in watched.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_everything_and_takes_the_ready_file_away(tmp_path: Path, number: signal.Signals) -> None:
    with running(tmp_path) as up:
        servers = children(up.process.pid)
        assert up.stop(number) == 0
    assert not up.ready_file.exists()
    assert list((tmp_path / "run").iterdir()) == []
    assert psutil.wait_procs(servers, timeout=10)[1] == []


def test_data_that_is_kept_is_there_after_the_next_start(tmp_path: Path, http: httpx.Client) -> None:
    with running(tmp_path) as up:
        order_id = Shop(http, up.ready, up.ready.tenant_id).staff.place([("MUG-AZULEJO", 1)])
    with running(tmp_path) as up:
        again = Shop(http, up.ready, up.ready.tenant_id)
        assert again.staff.until_status(order_id, "confirmed")["total"]["amount"] == 1_400


def test_without_a_data_folder_nothing_stays(tmp_path: Path) -> None:
    ready_file = tmp_path / "ready.json"
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    process = subprocess.Popen(
        command("up", "--ready-file", ready_file, "--json", *FREE_PORTS),
        env={**environment(tmp_path), "TMPDIR": str(temporary)},
        stdout=subprocess.DEVNULL,
    )
    until(lambda: ready_file.exists() or None, 90)
    assert len(list(temporary.iterdir())) > 0
    process.terminate()
    assert process.wait(30) == 0
    assert list(temporary.iterdir()) == []


def test_a_lost_server_ends_the_platform_with_a_sentence(tmp_path: Path) -> None:
    with running(tmp_path) as up:
        (valkey,) = (child for child in children(up.process.pid) if child.name() == "valkey-server")
        valkey.kill()
        assert up.process.wait(30) == 1
    told = (tmp_path / "output").read_text()
    assert "Valkey ended by itself" in told
    assert "Traceback" not in told
    assert not up.ready_file.exists()


def test_a_part_that_cannot_start_is_named_and_nothing_is_left_running(tmp_path: Path) -> None:
    settings = {**environment(tmp_path), "ORDERFLOW_HOST": "203.0.113.1"}
    started = command("up", "--data", tmp_path / "data", "--ready-file", tmp_path / "ready.json")
    done = subprocess.run(started, env=settings, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("query-api could not start: ")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "ready.json").exists()
    assert str(tmp_path) not in " ".join(" ".join(process.info["cmdline"] or ()) for process in processes())


def test_on_the_network_an_order_is_shown_to_nobody_without_a_token(tmp_path: Path, http: httpx.Client) -> None:
    with running(tmp_path, settings={"ORDERFLOW_HOST": "0.0.0.0"}) as up:  # noqa: S104  # what is tested
        shop = Shop(http, up.ready, up.ready.tenant_id)
        order_id = shop.staff.place([("MUG-AZULEJO", 1)])
        shop.staff.until_status(order_id, "confirmed")
        page = http.get(f"{up.ready.query_url}/")
        assert (page.status_code, str(order_id) in page.text) == (200, False)
        assert http.get(f"{up.ready.query_url}/orders/{order_id}").status_code == 404
        assert http.get(f"{up.ready.query_url}/console/stream").status_code == 404
        shop.until_mails(order_id, 1)
        outside = (up.ready.mail_url, up.ready.acquirer_url)
        assert [urlsplit(url).hostname for url in outside] == ["127.0.0.1", "127.0.0.1"]


def test_a_tenant_that_is_named_is_shown_on_the_network_too(tmp_path: Path, http: httpx.Client) -> None:
    named = {"ORDERFLOW_HOST": "0.0.0.0", "ORDERFLOW_CONSOLE_TENANT": "open"}  # noqa: S104  # what is tested
    with running(tmp_path, settings=named) as up:
        shop = Shop(http, up.ready, "open")
        order_id = shop.staff.place([("MUG-AZULEJO", 1)])
        shop.staff.until_status(order_id, "confirmed")
        assert up.ready.tenant_id == "open"
        assert str(order_id) in http.get(f"{up.ready.query_url}/").text


def test_a_signal_while_starting_ends_cleanly(tmp_path: Path) -> None:
    process = subprocess.Popen(command("up", "--data", tmp_path / "data"), env=environment(tmp_path))
    until(lambda: (tmp_path / "data" / "postgres").exists() or None)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert str(tmp_path) not in " ".join(" ".join(each.info["cmdline"] or ()) for each in processes())


def test_a_second_signal_stops_at_once(tmp_path: Path) -> None:
    with running(tmp_path) as up:
        servers = children(up.process.pid)
        os.kill(up.process.pid, signal.SIGSTOP)
        os.kill(up.process.pid, signal.SIGINT)
        os.kill(up.process.pid, signal.SIGCONT)
        assert up.stop() in {0, 130}
    assert psutil.wait_procs(servers, timeout=30)[1] == []


def processes() -> Iterator[psutil.Process]:
    return psutil.process_iter(["cmdline"])
