"""What both profiles do before and after their processes start: keys, migrations, a first catalogue, word of it all."""

import hashlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Final

import httpx
from pydantic import SecretStr

from infra.audit.checkpoints import FOLDER
from infra.audit.note import KEY_NAME, ensure_log_key
from infra.client import SECONDS, Api, Refused
from infra.http import LOOPBACK_NAMES
from infra.issuer import ensure_keys, mint
from infra.local.catalogue import STARTER, seed
from infra.local.demo import CUSTOMER, Demo, play
from infra.local.first_order import TENANT, curl_of
from infra.local.ready import Ready, announced
from infra.local.screen import Screen
from infra.migrate import is_current
from infra.secret_files import secret_in
from infra.settings import Settings
from infra.tenant_keys import ensure_secret

SUBJECT: Final = "you"
SEEN_SECONDS: Final = 120.0
Avoided = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Options:
    data: Path | None
    ready_file: Path | None
    demo: Demo | None
    cluster: bool = False
    verbose: bool = False


@dataclass(frozen=True, slots=True)
class Shop:
    """A started platform, as its owner drives it."""

    settings: Settings
    options: Options
    screen: Screen
    avoided: Avoided = field(default=())

    @asynccontextmanager
    async def opened(self, ready: Ready) -> AsyncIterator[tuple[Api, Callable[[Ready], None]]]:
        """Stock the shelves; then tell that it is ready until the block ends. Gives what drives it and tells anew."""
        files = [self.settings.run_dir.expanduser() / f"{ready.pid}.json"]
        files += [self.options.ready_file] if self.options.ready_file else []
        async with httpx.AsyncClient(timeout=SECONDS) as http:
            api = Api(http, ready.write_url, ready.query_url, ready.token)
            await _seen(api, await seed(api, STARTER))
            self.screen.tell_ready(ready, self.avoided)
            with announced(ready, *files) as announce:
                yield api, announce

    async def play_demo(self, ready: Ready, staff: Api) -> None:
        if self.options.demo is None:
            return
        with self.screen.progress(self.options.demo.orders) as advance:
            outcomes = await play(self.options.demo, staff, partial(self._customer_token, ready), advance)
        self.screen.tell_outcomes(outcomes)

    def _customer_token(self, ready: Ready, subject: str) -> str:
        keys = ready.data_dir / "keys"
        return mint(keys, self.settings, tenant_id=ready.tenant_id, subject=subject, scopes=CUSTOMER)


async def _seen(api: Api, position: int) -> None:
    """Wait until the views show what was written: then events go all the way."""
    until = monotonic() + SEEN_SECONDS
    while True:
        try:
            for view in ("/v1/products", "/v1/orders"):
                await api.get(view, min_position=position, limit=1)
        except Refused as behind:
            if behind.status != httpx.codes.SERVICE_UNAVAILABLE or monotonic() > until:
                raise
        else:
            return


def prepared(settings: Settings, folder: Path) -> Settings:
    """Give settings for a platform that keeps its data and its keys in a folder; makes the keys."""
    keys = folder / "keys"
    jwks = ensure_keys(keys)
    ensure_log_key(keys / KEY_NAME)
    secret = hashlib.sha256(b"cursors" + (keys / "signing-key.pem").read_bytes()).hexdigest()
    found = {
        "data_dir": folder,
        "jwks_file": jwks,
        "vault_file": settings.vault_file or ensure_secret(secret_in(folder)),
        "log_key_file": settings.log_key_file or keys / KEY_NAME,
        "checkpoint_dir": settings.checkpoint_dir or folder / FOLDER,
        "cursor_secret": SecretStr(secret),
        "grpc_reflection": True,
        # The mail catcher knows nobody.
        **dict.fromkeys(("smtp_user", "smtp_password", "smtp_tls")),
        "console_tenant": settings.console_tenant or (TENANT if settings.host in LOOPBACK_NAMES else None),
    }
    return settings.model_copy(update=found)


def migrate(dsn: str) -> None:
    """In a process of its own, because what it imports would stay in the memory of this one."""
    if not is_current(dsn):
        command = [sys.executable, "-m", "infra.cli", "migrate"]
        subprocess.run(command, env={"ORDERFLOW_POSTGRES_DSN": dsn}, check=True, stdout=subprocess.DEVNULL)  # noqa: S603


def ready_of(settings: Settings, urls: Mapping[str, str], folder: Path, servers: Mapping[str, int]) -> Ready:
    """Give the word of a platform that this process is."""
    tenant_id = settings.console_tenant or TENANT
    token = mint(folder / "keys", settings, tenant_id=tenant_id, subject=SUBJECT)
    is_cluster = settings.profile == "cluster"
    return Ready(
        write_url=urls["write_url"],
        query_url=urls["query_url"],
        write_grpc=urls["write_grpc"],
        query_grpc=urls["query_grpc"],
        mail_url=urls["mail_url"],
        acquirer_url=urls["acquirer_url"],
        smtp_port=int(urls["smtp_port"]),
        token=token,
        curl=curl_of(urls["write_url"], token),
        pid=os.getpid(),
        started_at=datetime.now(UTC),
        data_dir=folder,
        tenant_id=tenant_id,
        profile=settings.profile,
        postgres_dsn=settings.postgres_dsn.get_secret_value(),
        redis_url=settings.redis_url.get_secret_value(),
        kafka_servers=settings.kafka_servers if is_cluster else None,
        rabbitmq_url=settings.rabbitmq_url.get_secret_value() if is_cluster else None,
        servers=dict(servers),
    )
