"""Runs a RabbitMQ broker with everything of its own: node name, user, cookie, ports and files."""

import os
import signal
import socket
import subprocess
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from infra.http import LOOPBACK
from infra.local.addresses import Addresses
from infra.local.child import Child, Launcher, ServerFailed
from infra.local.packages import program
from infra.local.ready import write_whole

PORTS: Final = ("rabbitmq", "rabbitmq_nodes")
PASSWORDS: Final = ("rabbitmq", "rabbitmq_cookie")
USER: Final = "orderflow"
NODE: Final = "orderflow@localhost"
_PROGRAM: Final = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""Debian's `rabbitmq-server` on the path is a wrapper that changes the user."""
_HELLO: Final = b"AMQP\x00\x00\x09\x01"
_METHOD_FRAME: Final = b"\x01"
_CALL_SECONDS: Final = 30.0
_USER: Final = f'<<"{USER}">>'
_ALL: Final = '<<".*">>'


def prepare() -> Path:
    """Give the program, and get it when it is missing."""
    return program("rabbitmq-server", "rabbitmq-server", _PROGRAM)


def spawn_rabbitmq(launcher: Launcher, data_dir: Path, addresses: Addresses) -> Child:
    folder, log = data_dir / "rabbitmq", data_dir / "rabbitmq.log"
    server = prepare()
    launcher.account.own(folder)
    _configure(launcher, folder, addresses)
    own = replace(launcher, environment=_environment(folder, addresses))
    process = own.spawn([str(server)], log, signal.SIGTERM, folder)
    port = addresses.ports["rabbitmq"]
    return Child("RabbitMQ", process, log, lambda: answers(LOOPBACK, port), signal.SIGTERM)


def _configure(launcher: Launcher, folder: Path, addresses: Addresses) -> None:
    settings = {
        "listeners.tcp.1": f"{LOOPBACK}:{addresses.ports['rabbitmq']}",
        "default_user": USER,
        "default_pass": addresses.secrets["rabbitmq"],
        "log.file": "false",
        "log.console": "true",
        "log.console.level": "warning",
        # The usual 512 MB are kept in memory until they are full.
        "raft.wal_max_size_bytes": "67108864",
    }
    files = {
        "rabbitmq.conf": "".join(f"{name} = {value}\n" for name, value in settings.items()),
        "advanced.config": "[].\n",
        "enabled_plugins": "[].\n",
        ".erlang.cookie": addresses.secrets["rabbitmq_cookie"],
    }
    for name, text in files.items():
        write_whole(folder / name, text)
        os.chown(folder / name, launcher.account.uid, launcher.account.gid)


def _environment(folder: Path, addresses: Addresses) -> dict[str, str]:
    """Without epmd, a daemon for all nodes of a machine that would stay behind: the one port is known."""
    files = {
        "CONFIG_FILE": "rabbitmq.conf",
        "CONFIG_FILES": "no.d",
        "ADVANCED_CONFIG_FILE": "advanced.config",
        "ENABLED_PLUGINS_FILE": "enabled_plugins",
        "MNESIA_BASE": "nodes",
        "LOG_BASE": "logs",
        "PID_FILE": "server.pid",
    }
    port = addresses.ports["rabbitmq_nodes"]
    distribution = f"-sname {NODE} -erl_epmd_port {port} -kernel inet_dist_use_interface {{127,0,0,1}}"
    return {
        **{f"RABBITMQ_{name}": str(folder / file) for name, file in files.items()},
        "RABBITMQ_CONF_ENV_FILE": os.devnull,
        "RABBITMQ_NODENAME": NODE,
        "RABBITMQ_DIST_PORT": str(port),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": distribution,
        "ERL_ZFLAGS": "-start_epmd false",
        "ERL_EPMD_PORT": "1",
        # The script then becomes the server, instead of a shell that waits for it and that a signal ends alone.
        "RUNNING_UNDER_SYSTEMD": "true",
        "HOME": str(folder),
        "PATH": os.environ.get("PATH", os.defpath),
    }


def answers(host: str, port: int) -> bool:
    """Whether the broker begins to speak AMQP; an open port alone says little."""
    try:
        with socket.create_connection((host, port), timeout=1) as client:
            client.settimeout(1)
            client.sendall(_HELLO)
            return client.recv(1) == _METHOD_FRAME
    except OSError:
        return False


@dataclass(frozen=True, slots=True)
class VirtualHosts:
    """Makes and removes virtual hosts of a broker that runs; `rabbitmqctl` would take seconds for each."""

    data_dir: Path
    addresses: Addresses

    def change(self, *, add: Collection[str] = (), remove: Collection[str] = ()) -> None:
        """Names consist of letters, digits and underscores."""
        removing = (f'rabbit_vhost, delete, [<<"{_checked(name)}">>, {_USER}]' for name in remove)
        adding = (f'rabbit_vhost, add, [<<"{_checked(name)}">>, {_USER}]' for name in add)
        letting_in = (
            f'rabbit_auth_backend_internal, set_permissions, [{_USER}, <<"{name}">>, {_ALL}, {_ALL}, {_ALL}, {_USER}]'
            for name in add
        )
        self._call("".join(f"ok = Do({call}), " for call in (*removing, *adding, *letting_in)))

    def _call(self, calls: str) -> None:
        port = self.addresses.ports["rabbitmq_nodes"]
        erlang = program("erl", "erlang-base")
        connected = f"true = net_kernel:connect_node('{NODE}')"
        do = f"Do = fun(M, F, A) -> rpc:call('{NODE}', M, F, A) end"
        node = ("-hidden", "-dist_listen", "false", "-sname", f"caller{os.getpid()}@localhost")
        script = f"{connected}, {do}, {calls}halt()."
        options = (*node, "-start_epmd", "false", "-erl_epmd_port", str(port))
        done = subprocess.run(  # noqa: S603
            [erlang, "-noinput", "-boot", "no_dot_erlang", *options, "-eval", script],
            env={"HOME": str(self.data_dir / "rabbitmq"), "PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            capture_output=True,
            timeout=_CALL_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise ServerFailed(f"RabbitMQ did not take a call: {done.stdout.decode(errors='replace').strip()}")


def _checked(name: str) -> str:
    if not name.isidentifier() or not name.isascii():
        raise ValueError("the name of a virtual host consists of letters, digits and underscores")
    return name
