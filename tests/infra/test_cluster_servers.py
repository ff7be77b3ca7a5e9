"""What the cluster's servers are made of: addresses that stay, a server started again by hand, containers."""

import os
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from stat import S_IMODE
from tempfile import TemporaryDirectory

import psycopg
import pytest
import redis
import yaml  # type: ignore[import-untyped]

from infra.commands.servers import masked
from infra.local import docker, packages
from infra.local.addresses import addresses_in
from infra.local.child import ServerFailed
from infra.local.cluster_servers import POSTGRESQL, SERVERS, VALKEY, ClusterServers

COMPOSE = yaml.safe_load(docker.COMPOSE_FILE.read_text())


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not pytest's own folder: as root, servers run as a user who must be able to enter it."""
    with TemporaryDirectory(prefix="orderflow-test-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


@pytest.mark.servers
def test_a_server_that_hangs_is_started_again_at_the_same_place(folder: Path) -> None:
    with ClusterServers(folder, names=[POSTGRESQL, VALKEY]) as servers:
        found, pids = servers.urls, servers.pids
        with psycopg.connect(found["postgres_dsn"]) as connection:
            connection.execute("CREATE TABLE kept ()")
        with redis.Redis.from_url(found["redis_url"]) as client:
            client.set("kept", "")
        for name, pid in pids.items():
            os.kill(pid, signal.SIGSTOP)
            servers.restart(name)
        assert servers.urls == found
        assert not set(servers.pids.values()) & set(pids.values())
        with psycopg.connect(found["postgres_dsn"]) as connection:
            connection.execute("TABLE kept")
        with redis.Redis.from_url(found["redis_url"]) as client:
            assert client.get("kept") == b""


def test_addresses_stay_and_nobody_else_reads_them(folder: Path) -> None:
    chosen = addresses_in(folder, ["kafka", "rabbitmq"], ["rabbitmq"])
    more = addresses_in(folder, ["kafka", "postgres"], ["postgres"])
    assert (more.ports["kafka"], more.ports["rabbitmq"]) == (chosen.ports["kafka"], chosen.ports["rabbitmq"])
    assert more.secrets["rabbitmq"] == chosen.secrets["rabbitmq"]
    assert len(set(more.ports.values())) == 3
    assert S_IMODE((folder / "addresses.json").stat().st_mode) == 0o600


def test_a_port_that_somebody_took_is_given_up(folder: Path) -> None:
    taken = addresses_in(folder, ["kafka"], []).ports["kafka"]
    with socket.create_server(("127.0.0.1", taken)):
        assert addresses_in(folder, ["kafka"], []).ports["kafka"] != taken


def test_a_missing_program_is_installed_by_root_without_its_service_and_told_to_others(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`apt-get` is a script here: it makes the program and asks the policy whether a service may start."""
    policy = folder / "policy-rc.d"
    fake = folder / "apt-get"
    fake.write_text(
        f'#!/bin/sh\n"{policy}"; echo $? >"{folder}/answer"\n: >"{folder}/tool"\nexec /bin/chmod +x "{folder}/tool"\n'
    )
    fake.chmod(0o755)
    monkeypatch.setattr(packages, "POLICY", policy)
    monkeypatch.setenv("PATH", str(folder))
    if os.getuid() != 0:
        with pytest.raises(ServerFailed, match=r"The program tool is missing.*sudo apt-get install toolbox"):
            packages.program("tool", "toolbox")
        return
    assert packages.program("tool", "toolbox") == folder / "tool"
    assert (folder / "answer").read_text() == "101\n"
    assert not policy.exists()


def test_a_machine_keeps_its_own_policy(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = folder / "policy-rc.d"
    policy.write_text("theirs")
    monkeypatch.setattr(packages, "POLICY", policy)
    with packages.no_service_starts():
        assert policy.read_text() == "theirs"
    assert policy.read_text() == "theirs"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("amqp://orderflow:se:cret@127.0.0.1:1/%2F", "amqp://orderflow:***@127.0.0.1:1/%2F"),
        ("redis://:secret@127.0.0.1:1/0", "redis://:***@127.0.0.1:1/0"),
        ("127.0.0.1:9092", "127.0.0.1:9092"),
    ],
    ids=["amqp", "redis", "kafka"],
)
def test_a_password_is_masked(url: str, shown: str) -> None:
    assert masked(url) == shown


def test_a_container_for_each_server_is_pinned_guarded_and_local() -> None:
    services = COMPOSE["services"]
    assert set(docker.SERVICE_OF) == set(SERVERS)
    assert set(docker.SERVICE_OF.values()) == set(services)
    for service in services.values():
        assert re.fullmatch(r"[a-z/]+:\d+\.\d+(\.\d+)?(-[a-z]+)?", service["image"])
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["healthcheck"]["test"]
        assert (service["healthcheck"]["start_interval"], service["healthcheck"]["interval"]) == ("3s", "60s")
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        assert all(volume.partition(":")[0] in COMPOSE["volumes"] for volume in service["volumes"])


def test_the_containers_are_told_all_that_they_ask_for(folder: Path) -> None:
    addresses = addresses_in(folder, docker.SERVICE_OF.values(), ["postgres", "valkey", "rabbitmq"])
    told = dict(line.split("=", 1) for line in docker.environment_of(addresses, {}).splitlines())
    asked = set(re.findall(r"(?<!\$)\$\{(\w+)", docker.COMPOSE_FILE.read_text()))
    assert asked == set(told)
    assert told["KAFKA_PORT"] == str(addresses.ports["kafka"])


def test_a_folder_has_a_project_of_its_own(folder: Path) -> None:
    command = docker.compose(folder, "down")
    project = command[command.index("-p") + 1]
    assert re.fullmatch(r"orderflow-[0-9a-f]{12}", project)
    assert project != docker.compose(folder / "other", "down")[command.index("-p") + 1]
    assert command[-1] == "down"
    assert {"--volumes", "-v", "--remove-orphans"}.isdisjoint(command)
