"""A platform signs if it has a key, and does not start with one that it cannot use."""

import asyncio
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr

from infra.audit.note import ensure_log_key
from infra.audit.signing import signing
from infra.runtime import NotStarted, open_runtime
from infra.settings import Settings
from tests.benchmarks import stored_log
from tests.infra.audit.rigs import signed, with_holes
from tests.running import until


def settings_of(database: str, redis_url: str, key_file: Path | None) -> Settings:
    return Settings(
        postgres_dsn=SecretStr(database), redis_url=SecretStr(redis_url), log_key_file=key_file, checkpoint_every=0.1
    )


async def sign_until(settings: Settings, file: Path) -> None:
    async with asyncio.TaskGroup() as tasks, open_runtime(settings, tasks) as runtime, signing(runtime):
        await asyncio.to_thread(until, lambda: file if file.exists() else None)


async def test_what_the_log_holds_at_the_start_is_signed(database: str, redis_url: str, tmp_path: Path) -> None:
    stored_log.write(database, with_holes(12))
    ensure_log_key(tmp_path / "log-key")
    settings = settings_of(database, redis_url, tmp_path / "log-key")
    await sign_until(settings, tmp_path / "checkpoints" / "checkpoint-000000000012.txt")


async def test_without_a_key_nothing_is_signed(database: str, redis_url: str) -> None:
    stored_log.write(database, with_holes(12))
    settings = settings_of(database, redis_url, None)
    async with asyncio.TaskGroup() as tasks, open_runtime(settings, tasks) as runtime, signing(runtime):
        assert "checkpoints" not in {task.get_name() for task in asyncio.all_tasks()}


async def test_a_key_that_cannot_be_used_is_told_at_the_start(database: str, redis_url: str, tmp_path: Path) -> None:
    (tmp_path / "log-key").write_text("nonsense")
    settings = settings_of(database, redis_url, tmp_path / "log-key")
    async with asyncio.TaskGroup() as tasks, open_runtime(settings, tasks) as runtime:
        with pytest.raises(NotStarted, match="does not hold a log's key"):
            async with signing(runtime):
                raise AssertionError


async def test_a_log_that_was_touched_is_an_alarm_and_stays_unsigned(
    database: str, redis_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key = ensure_log_key(tmp_path / "log-key")
    stored_log.write(database, with_holes(12))
    await signed(database, tmp_path / "checkpoints", key)
    with psycopg.connect(database) as admin:
        admin.execute("DELETE FROM stored_events WHERE notification_id > 12")
    settings = settings_of(database, redis_url, tmp_path / "log-key")
    async with asyncio.TaskGroup() as tasks, open_runtime(settings, tasks) as runtime, signing(runtime):
        await asyncio.to_thread(until, lambda: "The log is not signed: The log ends before" in caplog.text or None)
