"""Serve gRPC inside the running event loop, with health, reflection where it is wanted, and TLS where it is set."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import grpc
import structlog
from grpc.aio import Server
from grpc_health.v1.health import SERVICE_NAME as HEALTH
from grpc_health.v1.health import aio as health
from grpc_health.v1.health_pb2 import HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server
from grpc_reflection.v1alpha.reflection import SERVICE_NAME as REFLECTION
from grpc_reflection.v1alpha.reflection import enable_server_reflection

from infra.auth import Auth
from infra.rpc.calls import Guarded, Names
from infra.settings import Settings
from infra.stopping import stop

MOST_BYTES: Final = 256 * 1024
"""The largest message that is taken."""
_DRAIN_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 1.0
_PATIENCE_SECONDS: Final = 3.0
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", MOST_BYTES),
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.so_reuseport", 0),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.max_connection_age_grace_ms", 10_000),
)
_log: Final = structlog.get_logger()

Ready = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Services:
    """What is served under one readiness: `add` puts servicers into a server, `names` are their full names."""

    add: Callable[[Server], None]
    names: tuple[str, ...]
    auth: Auth
    """Every call to them is made by somebody it knows; health and reflection are for everybody."""
    named: Names
    """Gives the problem that an exception stands for."""
    ready: Ready
    """Raises when the services cannot do their work at the moment."""


@asynccontextmanager
async def serve_rpc(services: Services, settings: Settings, port: int) -> AsyncIterator[str]:
    """Serve until the block ends; yields `host:port` once calls are accepted. Port 0 takes a free one.

    Raises OSError when the port is taken or a certificate cannot be read. On leaving, new calls are refused, and those
    under way get five seconds.
    """
    server = grpc.aio.server(interceptors=[Guarded(services.names, services.auth, services.named)], options=_OPTIONS)
    services.add(server)
    servicer = health.HealthServicer()
    add_HealthServicer_to_server(servicer, server)
    if settings.grpc_reflection:
        enable_server_reflection((*services.names, HEALTH, REFLECTION), server)
    address = _bind(server, settings, port)
    await _tell(servicer, services)
    await server.start()
    watching = asyncio.create_task(_keep(servicer, services), name=f"health:{address}")
    try:
        yield address
    finally:
        await stop([watching])
        await servicer.enter_graceful_shutdown()
        await server.stop(_DRAIN_SECONDS)


def _bind(server: Server, settings: Settings, port: int) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"{host}:{port}"
    credentials = _credentials(settings)
    try:
        bound = server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
    except RuntimeError as taken:
        raise OSError(f"gRPC cannot listen on {address}: is the port taken?") from taken
    return f"{host}:{bound}"


def _credentials(settings: Settings) -> grpc.ServerCredentials | None:
    """With `grpc_client_ca_file`, clients must show a certificate too (mutual TLS)."""
    certificate, key = settings.grpc_cert_file, settings.grpc_key_file
    if certificate is None or key is None:
        return None
    authority = settings.grpc_client_ca_file
    trusted = None if authority is None else authority.read_bytes()
    return grpc.ssl_server_credentials(
        [(key.read_bytes(), certificate.read_bytes())],
        root_certificates=trusted,
        require_client_auth=trusted is not None,
    )


async def _keep(servicer: Any, services: Services) -> None:  # noqa: ANN401  # the servicer is not typed
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        await _tell(servicer, services)


async def _tell(servicer: Any, services: Services) -> None:  # noqa: ANN401  # the servicer is not typed
    """Say of each service, and of the server as a whole, whether it can do its work."""
    is_serving = True
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await services.ready()
    except Exception as away:  # noqa: BLE001  # whatever it is, the answer is the same
        if services.named(away) is None and not isinstance(away, TimeoutError):
            _log.error("readiness_failed", exc_info=away)
        is_serving = False
    status = HealthCheckResponse.SERVING if is_serving else HealthCheckResponse.NOT_SERVING
    for name in ("", *services.names):
        await servicer.set(name, status)
