"""The whole service: events in the log become commands, payments and mails."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from infra.appender import Appender
from infra.local.acquirer import serve_acquirer
from infra.local.mail_catcher import catch_mail
from infra.runtime import NotStarted, delivering, open_runtime
from infra.settings import Settings
from process_managers.main import notification_worker, payment_worker, processes
from schemas.commands import Command, Sent
from tests.appending import appending
from tests.examples import authorised, confirmed, history, placed, requested
from tests.process_managers.story import BOTH_RESERVED, CONFIRM, REQUEST, RESERVE
from tests.vault import vault_file
from tests.waiting import eventually

pytestmark = pytest.mark.servers


async def get(url: str) -> dict[str, Any]:
    async with httpx.AsyncClient() as client:
        found: dict[str, Any] = (await client.get(url)).json()
    return found


async def test_a_history_leads_to_its_commands_its_charge_and_its_mail(
    database: str, redis_url: str, tmp_path: Path
) -> None:
    asked: list[Command] = []

    async def take(sent: Sent) -> None:
        asked.append(sent.command)

    async with (
        serve_acquirer(tmp_path / "ledger.sqlite") as acquirer_url,
        catch_mail(tmp_path / "mail.sqlite") as caught,
    ):
        settings = Settings(
            postgres_dsn=SecretStr(database),
            redis_url=SecretStr(redis_url),
            acquirer_url=acquirer_url,
            smtp_port=caught.smtp_port,
            vault_file=vault_file(),
        )
        tasks = asyncio.TaskGroup()
        async with AsyncExitStack() as stack:
            runtime = await stack.enter_async_context(open_runtime(settings, tasks))
            await stack.enter_async_context(tasks)
            for service in (processes, payment_worker, notification_worker):
                await stack.enter_async_context(service(runtime))
            runtime.bus.consume("orders.inbox", take, concurrency=8)
            await stack.enter_async_context(delivering(runtime))
            async with Appender(database, runtime.pool) as appender:
                past = history(placed(), *BOTH_RESERVED, requested(), authorised(), confirmed())
                await appender.append(appending(*past))

                async def everything() -> bool:
                    mails = (await get(f"{caught.url}/messages"))["messages"]
                    charges = (await get(f"{acquirer_url}/ledger"))["entries"]
                    return bool(mails and charges and len(asked) == 5)

                await eventually(everything)
    wanted: list[Command] = [*RESERVE, REQUEST, CONFIRM]
    for command in wanted:
        assert command in asked


async def test_the_payment_worker_does_not_start_without_an_acquirer(database: str, redis_url: str) -> None:
    settings = Settings(postgres_dsn=SecretStr(database), redis_url=SecretStr(redis_url), acquirer_url=None)
    tasks = asyncio.TaskGroup()
    async with open_runtime(settings, tasks) as runtime, tasks:
        with pytest.raises(NotStarted, match="ORDERFLOW_ACQUIRER_URL"):
            async with payment_worker(runtime):
                pass
