"""Which ports a platform listens on: the wished ones, unless somebody else has them."""

import random
import socket
from collections.abc import Mapping
from typing import Final

from infra.http import LOOPBACK
from infra.settings import Settings

_APIS: Final = frozenset({"write_port", "query_port", "write_grpc_port", "query_grpc_port"})
_BELOW_EPHEMERAL: Final = (20_000, 32_000)
USUAL: Final[Mapping[str, int]] = {
    "write_port": 8080,
    "query_port": 8081,
    "mail_port": 8082,
    "acquirer_port": 8083,
    "smtp_port": 8025,
    "write_grpc_port": 8090,
    "query_grpc_port": 8091,
}


def chosen_ports(settings: Settings) -> tuple[Settings, tuple[str, ...]]:
    """Give settings whose ports are free now, and a sentence for each port that was avoided."""
    ports, avoided = dict[str, int](), list[str]()
    for name, usual in USUAL.items():
        wished = int(getattr(settings, name)) if name in settings.model_fields_set else usual
        if (wished and wished in ports.values()) or not is_free(host_of(settings, name), wished):
            avoided.append(f"Port {wished} is taken; {name.removesuffix('_port').replace('_', ' ')} gets another one.")
            wished = 0
        ports[name] = wished
    return settings.model_copy(update=ports), tuple(avoided)


def fixed_ports(settings: Settings) -> Settings:
    """Give a number to each port that is 0, for a process that shall be there again after it was started again.

    They are below those that the kernel gives to connections, which could take one while its process is away.
    """
    ports = {name: int(getattr(settings, name)) for name in USUAL}
    for name in [name for name, port in ports.items() if not port]:
        ports[name] = spare_port(host_of(settings, name), set(ports.values()))
    return settings.model_copy(update=ports)


def spare_port(host: str, given: set[int]) -> int:
    while True:
        port = random.randint(*_BELOW_EPHEMERAL)  # noqa: S311  # nothing is guarded by it
        if port not in given and is_free(host, port):
            return port


def host_of(settings: Settings, port_name: str) -> str:
    """Give the address a port listens on: only what asks for a token is told to the network."""
    return settings.host if port_name in _APIS else LOOPBACK


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now; 0 always is."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
    return True
