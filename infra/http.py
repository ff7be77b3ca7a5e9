"""Serve an ASGI app inside the running event loop."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import uvicorn

LOOPBACK: Final = "127.0.0.1"
LOOPBACK_NAMES: Final = frozenset({LOOPBACK, "localhost", "::1"})
"""What a port listens on that only this machine reaches."""
_DRAIN_SECONDS: Final = 5


class _Server(uvicorn.Server):
    """Leaves signals to whoever owns the process; uvicorn would otherwise take SIGINT for itself."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named, or asyncio leaves Nagle on
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(2048)
    listener.setblocking(False)
    return listener


@asynccontextmanager
async def serve(
    app: Callable[..., Any], *, host: str, port: int, drain_seconds: int = _DRAIN_SECONDS
) -> AsyncIterator[str]:
    """Serve until the block ends; yields the base URL once connections are accepted.

    Port 0 takes a free one. Raises OSError when the port is taken. On leaving, new connections are refused, requests
    under way get `drain_seconds` to finish, and then their connections are closed.
    """
    listener = _listen(host, port)
    config = uvicorn.Config(
        app,
        loop="none",
        http="httptools",
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,
        lifespan="off",
        timeout_graceful_shutdown=drain_seconds,
        h11_max_incomplete_event_size=16 * 1024,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]), name=f"http:{listener.getsockname()[1]}")
    try:
        while not server.started:
            if serving.done():
                await serving
                msg = "the HTTP server ended before it had started"
                raise RuntimeError(msg)
            await asyncio.sleep(0.005)
        shown = f"[{host}]" if ":" in host else host
        yield f"http://{shown}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving
        listener.close()
