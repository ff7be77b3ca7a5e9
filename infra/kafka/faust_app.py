"""The one Faust application of a process: an agent that hands records on, and acknowledges what it is told to."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from ssl import create_default_context
from time import monotonic
from typing import Any, Final

import faust
from faust.app.base import BootStrategy
from faust.auth import Credentials, SASLCredentials, SSLCredentials
from faust.types import Message

from infra.settings import Settings

Receive = Callable[[Message], Awaitable[None]]

STOP_SECONDS: Final = 2.5
_log: Final = logging.getLogger(__name__)


class _Boot(BootStrategy):
    enable_web = False
    enable_kafka_producer = False


class _App(faust.App):
    BootStrategy = _Boot

    def _create_directories(self) -> None:
        """Only tables would need them."""


class FaustFailed(Exception):  # noqa: N818  # a state of the world
    """The application has crashed; a new one may do better."""


def faust_app(
    settings: Settings, group: str, topics: Collection[str], receive: Receive, joined: Callable[[], None]
) -> faust.App:
    """Build an application for the running event loop.

    Records are acknowledged by `message.ack(app.consumer)` alone. Offsets are no more than a hint where to read on:
    Faust passes over records after a gap, and forgets acknowledgements when partitions move.
    """
    app = _App(
        group,
        loop=asyncio.get_running_loop(),
        broker=[f"kafka://{server.strip()}" for server in settings.kafka_servers.split(",")],
        broker_client_id=group,
        broker_credentials=credentials(settings),
        autodiscover=False,
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        consumer_metadata_max_age_ms=5_000,
        broker_session_timeout=6.0,
        broker_heartbeat_interval=1.5,
        broker_rebalance_timeout=8.0,
        broker_request_timeout=10.0,
        broker_commit_interval=0.5,
        broker_max_poll_records=1_000,
        table_standby_replicas=0,
        stream_wait_empty=False,
        stream_buffer_maxsize=4_096,
        cython_optimizations=True,
    )
    topic = app.topic(*topics, key_serializer="raw", value_serializer="raw", key_type=bytes, value_type=bytes)

    async def hand_on(stream: Any) -> None:  # noqa: ANN401  # of a class that Faust makes
        async for event in stream.noack().events():
            await receive(event.message)

    async def on_joined(*_: object, **__: object) -> None:
        joined()

    app.agent(topic, name=group)(hand_on)
    app.on_rebalance_complete.connect(on_joined, weak=False)
    return app


def credentials(settings: Settings) -> Credentials | None:
    """Give for Faust what `client_settings` says to librdkafka."""
    context = None
    if settings.kafka_security in {"ssl", "sasl_ssl"}:
        context = create_default_context(cafile=settings.kafka_ca_file)
    if settings.kafka_security.startswith("sasl") and settings.kafka_user and settings.kafka_password:
        return SASLCredentials(
            username=settings.kafka_user,
            password=settings.kafka_password.get_secret_value(),
            mechanism=settings.kafka_sasl_mechanism,
            ssl_context=context,
        )
    return SSLCredentials(context) if context else None


async def run_app(app: faust.App) -> None:
    """Run it until cancelled. Raises FaustFailed."""
    try:
        await app.start()
        await app.wait_until_stopped()
    except asyncio.CancelledError:
        raise
    except Exception as error:
        raise FaustFailed(f"{type(error).__name__}: {error}") from error
    finally:
        await _stop(app)
    raise FaustFailed(repr(app.crash_reason)) from app.crash_reason


async def _stop(app: faust.App) -> None:
    """Wait for the end even when cancelled again meanwhile: what is left behind would go on in the background."""
    stopping = asyncio.ensure_future(app.stop())
    end = monotonic() + STOP_SECONDS
    while not stopping.done() and monotonic() < end:
        with suppress(asyncio.CancelledError):
            await asyncio.wait([stopping], timeout=end - monotonic())
    if not stopping.done():
        _log.warning("Faust has not stopped within %g s", STOP_SECONDS)
        stopping.cancel()
    elif error := stopping.exception():
        _log.warning("Faust has not stopped well: %s", type(error).__name__)
