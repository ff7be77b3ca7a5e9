"""`orderflow up --cluster` as its owner meets it. The tests share one platform, and the last one stops it."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from infra.local.outside import OUTSIDE
from infra.roles import ROLES
from tests.running import Up, command, environment, running, until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cluster")


@pytest.fixture(scope="module")
def up(folder: Path) -> Iterator[Up]:
    with running(folder, cluster=True) as started:
        yield started


def told(folder: Path, *arguments: str) -> Any:  # noqa: ANN401  # whatever the command writes
    done = subprocess.run(command(*arguments), env=environment(folder), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_every_role_is_a_process_of_its_own(up: Up) -> None:
    services = up.now().services
    assert set(services) == {*ROLES, *OUTSIDE}
    assert all(psutil.Process(pid).ppid() == up.process.pid for pid in services.values())
    assert set(up.now().servers) == {"PostgreSQL", "Valkey", "Kafka", "RabbitMQ"}


def test_nothing_secret_is_among_the_arguments(up: Up) -> None:
    arguments = " ".join(part for pid in up.now().services.values() for part in psutil.Process(pid).cmdline())
    secrets = [up.ready.token, up.ready.postgres_dsn, up.ready.redis_url, up.ready.rabbitmq_url or "-"]
    assert [secret for secret in secrets if secret in arguments] == []


def test_an_order_goes_all_the_way(up: Up, folder: Path) -> None:
    assert up.ready.profile == "cluster"
    assert told(folder, "order", "place", "MUG-AZULEJO", "--wait")["status"] == "confirmed"


def test_a_role_that_is_killed_comes_back_at_the_same_place(up: Up) -> None:
    killed = up.kill("query-api")
    assert up.pid_of("query-api", other_than=killed) != killed

    def answers() -> bool | None:
        try:
            return httpx.get(f"{up.ready.query_url}/readyz", timeout=5).is_success or None
        except httpx.HTTPError:
            return None

    until(answers, 60)
    assert up.now().runs["query-api"].restarts == 1


def test_the_status_tells_processes_servers_lags_and_depths(up: Up, folder: Path) -> None:

    def well() -> Any:  # noqa: ANN401  # JSON
        done = subprocess.run(
            command("status", "--json"), env=environment(folder), capture_output=True, text=True, check=False
        )
        return json.loads(done.stdout) if done.returncode == 0 else None

    seen = until(well, 60)
    assert {process["role"]: process["pid"] for process in seen["processes"]} == up.now().services
    assert {server["name"]: server["is_up"] for server in seen["servers"]} == dict.fromkeys(up.now().servers, True)
    assert seen["relay"].keys() == {"reader", "position", "events", "seconds"}
    assert {lag["reader"] for lag in seen["subscriptions"]} >= {"order_views", "shop_figures", "order_fulfilment"}
    assert {queue["queue"]: queue["consumers"] for queue in seen["queues"]} == {
        "orders.inbox": 1,
        "payments.work": 1,
        "notifications.work": 1,
    }
    assert seen["parked"] == []


def test_every_line_of_a_log_is_json_that_tells_the_role(up: Up) -> None:
    logs = list((up.ready.data_dir / "logs").glob("*.log"))
    lines = [(log.stem, json.loads(line)["role"]) for log in logs for line in log.read_text().splitlines()]
    assert [(name, role) for name, role in lines if name != role] == []
    assert {log.stem for log in logs} == {*ROLES, *OUTSIDE}


def test_a_server_that_is_killed_comes_back(up: Up) -> None:
    killed = up.now().servers["Valkey"]
    os.kill(killed, signal.SIGKILL)
    until(lambda: up.now().servers["Valkey"] != killed or None)


def test_the_doctor_finds_nothing_wrong(up: Up, folder: Path) -> None:
    done = subprocess.run(
        command("doctor", "--json"), env=environment(folder), capture_output=True, text=True, check=False
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [finding for finding in found if finding["state"] == "wrong"] == []
    assert {"Kafka", "RabbitMQ", "projector"} <= {finding["subject"] for finding in found}
    assert up.process.poll() is None


def test_stopping_leaves_nothing_behind(up: Up) -> None:
    processes = psutil.Process(up.process.pid).children(recursive=True)
    assert up.stop(signal.SIGINT) == 0
    assert psutil.wait_procs(processes, timeout=5)[1] == []
    assert not up.ready_file.exists()
