"""`orderflow up`: a whole platform on this machine, as one process or as one for each part."""

import asyncio
import logging
import signal
import sys
from typing import Final

import structlog
import uvloop
from pydantic import SecretStr

from infra.local.data_folder import data_folder
from infra.local.failures import explained
from infra.local.opening import Options, Shop, migrate, prepared, ready_of
from infra.local.platform import running
from infra.local.ports import chosen_ports
from infra.local.screen import Screen
from infra.local.servers import LocalServers
from infra.pauses import shorten_pauses
from infra.settings import Settings
from infra.stopping import stop_on_signals

STOP_SECONDS: Final = 20.0
"""After that the process ends whatever still runs; the log is committed and the servers end with it."""
_log: Final = structlog.get_logger()


def up(settings: Settings, options: Options, screen: Screen) -> int:
    """Run until a signal, and give the exit code. Call it in the main thread."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        if options.cluster:
            from infra.local.cluster import up_cluster  # noqa: PLC0415  # the other profile does without it

            up_cluster(settings, options, screen)
        else:
            _up_embedded(settings, options, screen)
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 0
    except Exception as error:  # noqa: BLE001  # the outermost loop of this process
        if logging.getLogger().isEnabledFor(logging.INFO):
            _log.error("platform_failed", exc_info=error)
        sys.stderr.write(f"{explained(error)}\n")
        return 1
    return 0


def _up_embedded(settings: Settings, options: Options, screen: Screen) -> None:
    with data_folder(options.data) as folder, LocalServers(folder) as servers:
        found = {"postgres_dsn": SecretStr(servers.postgres_dsn), "redis_url": SecretStr(servers.redis_url)}
        chosen, avoided = chosen_ports(prepared(settings.model_copy(update=found), folder))
        migrate(servers.postgres_dsn)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(Shop(chosen, options, screen, avoided), servers))


async def _run(shop: Shop, servers: LocalServers) -> None:
    stop_on_signals(STOP_SECONDS)
    folder = shop.settings.data_dir
    if folder is None:
        raise ValueError("an embedded platform has a data folder")
    async with running(shop.settings, folder, servers.watch) as urls:
        shorten_pauses()
        ready = ready_of(shop.settings, urls, folder, servers.pids)
        async with shop.opened(ready) as (api, _):
            await shop.play_demo(ready, api)
            await asyncio.Event().wait()


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt
