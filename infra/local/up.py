"""`orderflow up`: servers, services, acquirer and mail catcher as one platform in one process."""

import asyncio
import hashlib
import logging
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import httpx
import structlog
import uvloop
from pydantic import SecretStr

from infra.client import SECONDS, Api
from infra.http import LOOPBACK_NAMES
from infra.issuer import ensure_keys, mint
from infra.local.catalogue import STARTER, seed
from infra.local.data_folder import data_folder
from infra.local.demo import CUSTOMER, Demo, TokenFor, play
from infra.local.failures import explained
from infra.local.first_order import TENANT, curl_of
from infra.local.platform import running
from infra.local.ports import chosen_ports
from infra.local.ready import Ready, announced
from infra.local.screen import Screen
from infra.local.servers import LocalServers
from infra.migrate import is_current
from infra.pauses import shorten_pauses
from infra.settings import Settings
from infra.stopping import stop_on_signals

SUBJECT: Final = "you"
STOP_SECONDS: Final = 20.0
"""After that the process ends whatever still runs; the log is committed and the servers end with it."""
Avoided = tuple[str, ...]
_log: Final = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Options:
    data: Path | None
    ready_file: Path | None
    demo: Demo | None


def up(settings: Settings, options: Options, screen: Screen) -> int:
    """Run until a signal, and give the exit code. Call it in the main thread."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with data_folder(options.data) as folder, LocalServers(folder) as servers:
            chosen, avoided = chosen_ports(_embedded(settings, folder, servers))
            _migrate(servers.postgres_dsn)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(_run(chosen, servers, options, (screen, avoided)))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 0
    except Exception as error:  # noqa: BLE001  # the outermost loop of this process
        if logging.getLogger().isEnabledFor(logging.INFO):
            _log.error("platform_failed", exc_info=error)
        sys.stderr.write(f"{explained(error)}\n")
        return 1
    return 0


def _embedded(settings: Settings, folder: Path, servers: LocalServers) -> Settings:
    keys = folder / "keys"
    jwks = ensure_keys(keys)
    secret = hashlib.sha256(b"cursors" + (keys / "signing-key.pem").read_bytes()).hexdigest()
    found = {
        "data_dir": folder,
        "postgres_dsn": SecretStr(servers.postgres_dsn),
        "redis_url": SecretStr(servers.redis_url),
        "jwks_file": jwks,
        "cursor_secret": SecretStr(secret),
        "console_tenant": settings.console_tenant or (TENANT if settings.host in LOOPBACK_NAMES else None),
    }
    return settings.model_copy(update=found)


def _migrate(dsn: str) -> None:
    """In a process of its own, because what it imports would stay in the memory of this one."""
    if not is_current(dsn):
        command = [sys.executable, "-m", "infra.cli", "migrate"]
        subprocess.run(command, env={"ORDERFLOW_POSTGRES_DSN": dsn}, check=True, stdout=subprocess.DEVNULL)  # noqa: S603


async def _run(settings: Settings, servers: LocalServers, options: Options, told: tuple[Screen, Avoided]) -> None:
    stop_on_signals(STOP_SECONDS)
    screen, avoided = told
    folder, tenant_id = settings.data_dir, settings.console_tenant or TENANT
    if folder is None:
        raise ValueError("an embedded platform has a data folder")
    async with running(settings, folder, servers.watch) as urls, httpx.AsyncClient(timeout=SECONDS) as http:
        ready = _ready(settings, urls, folder, tenant_id)
        api = Api(http, ready.write_url, ready.query_url, ready.token)
        await seed(api, STARTER)
        shorten_pauses()
        files = [settings.run_dir.expanduser() / f"{ready.pid}.json"]
        files += [options.ready_file] if options.ready_file else []
        screen.tell_ready(ready, avoided)
        with announced(ready, *files):
            if options.demo:
                await _play(options.demo, api, partial(_customer_token, settings, ready), screen)
            await asyncio.Event().wait()


async def _play(demo: Demo, staff: Api, token_for: TokenFor, screen: Screen) -> None:
    with screen.progress(demo.orders) as advance:
        outcomes = await play(demo, staff, token_for, advance)
    screen.tell_outcomes(outcomes)


def _customer_token(settings: Settings, ready: Ready, subject: str) -> str:
    keys = ready.data_dir / "keys"
    return mint(keys, settings, tenant_id=ready.tenant_id, subject=subject, scopes=CUSTOMER)


def _ready(settings: Settings, urls: dict[str, str], folder: Path, tenant_id: str) -> Ready:
    token = mint(folder / "keys", settings, tenant_id=tenant_id, subject=SUBJECT)
    return Ready(
        write_url=urls["write_url"],
        query_url=urls["query_url"],
        mail_url=urls["mail_url"],
        acquirer_url=urls["acquirer_url"],
        smtp_port=int(urls["smtp_port"]),
        token=token,
        curl=curl_of(urls["write_url"], token),
        pid=os.getpid(),
        data_dir=folder,
        tenant_id=tenant_id,
    )


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt
