"""Decides a parked command of the inbox on what the log holds, and appends nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from domain.errors import DomainError
from infra.appender import Appender, KeyReused
from infra.consumers import CommandConsumer, Forecast
from infra.event_log import EventLog
from infra.settings import Settings
from schemas.commands import Sent
from write_api.inbox import Misrouted, addressed, asked
from write_api.streams import Streams


@asynccontextmanager
async def inbox(settings: Settings, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> AsyncIterator[CommandConsumer]:
    streams = Streams(EventLog(pool))
    appender = Appender(settings.postgres_dsn.get_secret_value(), pool)

    async def rehearse(sent: Sent) -> Forecast:
        try:
            aggregate, stream_id = addressed(sent.tenant_id, sent.command)
        except Misrouted:
            return Forecast("fail", f"{sent.command.type} is not for the inbox.")
        try:
            earlier = await appender.recall(asked(sent).once)
        except KeyReused:
            return Forecast("conflict", "This message was carried out already, and said something else then.")
        if earlier is not None:
            return Forecast("no_op", f"It was carried out already, at position {earlier.position}.")
        seen = (await streams.load(aggregate, stream_id)).for_tenant(sent.tenant_id)
        try:
            events = aggregate.decide(seen.state, sent.command)
        except DomainError as refusal:
            return Forecast("conflict", f"{refusal.code}: {refusal}")
        if not events:
            return Forecast("no_op", "Nothing is left to do.")
        added = (f"{event.type} v{version} of {stream_id}" for version, event in enumerate(events, seen.version + 1))
        return Forecast("succeed", "It would be carried out.", tuple(f"adds {each}" for each in added))

    yield CommandConsumer(rehearse)
