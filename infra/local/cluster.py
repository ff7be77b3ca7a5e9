"""`orderflow up --cluster`: servers as children, one process for each part, and this one to watch over them."""

import asyncio
import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import uvloop
from pydantic import SecretStr

from infra.http import LOOPBACK
from infra.local.cluster_servers import SETTING_OF, ClusterServers
from infra.local.data_folder import data_folder
from infra.local.opening import Options, Shop, migrate, prepared, ready_of
from infra.local.ports import chosen_ports, fixed_ports
from infra.local.ready import Ready, Run
from infra.local.screen import Screen
from infra.local.supervised import Surroundings
from infra.local.supervisor import Supervisor
from infra.settings import Settings
from infra.status.look import of_ready
from infra.status.tell import show_live
from infra.stopping import stop, stop_on_signals

STOP_SECONDS: Final = 25.0
LOOK_SECONDS: Final = 1.0
MOST_CONNECTIONS: Final = 150
"""More than all processes may hold together."""


def up_cluster(settings: Settings, options: Options, screen: Screen) -> None:
    """Run until a signal; raises what it failed with. Call it in the main thread."""
    names = [name for name, setting in SETTING_OF.items() if setting not in settings.model_fields_set]
    more = {"max_connections": str(MOST_CONNECTIONS)}
    with data_folder(options.data) as folder, ClusterServers(folder, names=names, postgres_settings=more) as own:
        found = settings.model_copy(update={"profile": "cluster", **own.settings_found})
        chosen, avoided = chosen_ports(prepared(found, folder))
        known = _told_places(fixed_ports(chosen))
        migrate(known.postgres_dsn.get_secret_value())
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(Shop(known, options, screen, avoided), own, folder))


def _told_places(settings: Settings) -> Settings:
    """Say where each part is before it runs, so that all may start at once, and again at the same place."""
    update = {
        "query_url": settings.query_url or _url(settings.host, settings.query_port),
        "write_url": settings.write_url or _url(settings.host, settings.write_port),
        "acquirer_url": _url(LOOPBACK, settings.acquirer_port),
        "smtp_host": LOOPBACK,
    }
    return settings.model_copy(update=update)


def _url(host: str, port: int) -> str:
    return f"http://{_place(host, port)}"


def _place(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def _run(shop: Shop, servers: ClusterServers, folder: Path) -> None:
    stop_on_signals(STOP_SECONDS)
    changed = asyncio.Event()
    around = Surroundings(folder, environment_of(shop.settings), shop.options.verbose, shop.screen.notice, changed.set)
    async with asyncio.TaskGroup() as tasks:
        background = [tasks.create_task(servers.watch(shop.screen.notice), name="servers")]
        try:
            async with Supervisor(around, tasks) as supervisor:
                await supervisor.all_ready()
                ready = ready_of(shop.settings, _urls(shop.settings), folder, servers.pids)
                async with shop.opened(_current(ready, supervisor, servers)) as (api, announce):
                    background.append(tasks.create_task(shop.play_demo(ready, api), name="demo"))
                    if shop.screen.is_watched:
                        showing = show_live(shop.screen.console, lambda: of_ready(_current(ready, supervisor, servers)))
                        background.append(tasks.create_task(showing, name="status"))
                    await _keep_current(lambda: _current(ready, supervisor, servers), announce, changed)
        finally:
            await stop(background)


async def _keep_current(look: Callable[[], Ready], announce: Callable[[Ready], None], changed: asyncio.Event) -> None:
    """Tell the process ids as they are until cancelled; those of servers are looked at now and then."""
    told = None
    while True:
        if (current := look()) != told:
            announce(current)
            told = current
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                await changed.wait()
        changed.clear()


def _current(ready: Ready, supervisor: Supervisor, servers: ClusterServers) -> Ready:
    children = supervisor.children.values()
    update = {
        "services": {child.name: child.pid for child in children if child.pid},
        "servers": servers.pids,
        "runs": {
            child.name: Run(started_at=child.started_at, restarts=child.restarts)
            for child in children
            if child.started_at
        },
    }
    return ready.model_copy(update=update)


def _urls(settings: Settings) -> dict[str, str]:
    return {
        "write_url": _url(settings.host, settings.write_port),
        "query_url": _url(settings.host, settings.query_port),
        "write_grpc": _place(settings.host, settings.write_grpc_port),
        "query_grpc": _place(settings.host, settings.query_grpc_port),
        "mail_url": _url(LOOPBACK, settings.mail_port),
        "acquirer_url": _url(LOOPBACK, settings.acquirer_port),
        "smtp_port": str(settings.smtp_port),
    }


def _written(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return json.dumps(value) if isinstance(value, dict) else str(value)


def environment_of(settings: Settings) -> Mapping[str, str]:
    """Give the variables by which a child reads the same settings; secrets are nobody's business in arguments."""
    inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith("ORDERFLOW_")}
    told = {f"ORDERFLOW_{name.upper()}": getattr(settings, name) for name in settings.model_fields_set}
    plain = {name: _written(value) for name, value in told.items() if value is not None}
    return inherited | plain
