"""An audit compares a database with the Kafka of its own platform, or with none."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from infra.commands.failure import Failure
from infra.commands.relay_audit import with_kafka
from infra.local.ready import Ready, announced
from infra.settings import Settings

ITS = "127.0.0.1:19092"
OURS = "postgresql://ours"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(run_dir=tmp_path, postgres_dsn=SecretStr(OURS))


def running(folder: Path, dsn: str) -> Ready:
    return Ready(
        write_url="",
        query_url="",
        write_grpc="",
        query_grpc="",
        mail_url="",
        acquirer_url="",
        smtp_port=25,
        token="",
        curl="",
        pid=os.getpid(),
        started_at=datetime.now(UTC),
        data_dir=folder,
        tenant_id="",
        profile="cluster",
        postgres_dsn=dsn,
        redis_url="",
        kafka_servers=ITS,
    )


@pytest.mark.parametrize("named", [None, ITS])
def test_a_database_named_by_hand_goes_with_its_platforms_kafka(settings: Settings, named: str | None) -> None:
    with announced(running(settings.run_dir, OURS), settings.run_dir / "1.json"):
        assert with_kafka(settings, named).kafka_servers == ITS


@pytest.mark.parametrize("by", ["option", "setting"])
def test_another_kafka_than_its_platforms_is_refused(settings: Settings, by: str) -> None:
    other = "elsewhere:9092"
    if by == "setting":
        settings = settings.model_copy(update={"kafka_servers": other})
    with (
        announced(running(settings.run_dir, OURS), settings.run_dir / "1.json"),
        pytest.raises(Failure, match=ITS),
    ):
        with_kafka(settings, other if by == "option" else None)


def test_a_platform_on_another_database_has_no_say(settings: Settings) -> None:
    with announced(running(settings.run_dir, "postgresql://theirs"), settings.run_dir / "1.json"):
        assert with_kafka(settings, None).kafka_servers == Settings().kafka_servers
        assert with_kafka(settings, "elsewhere:9092").kafka_servers == "elsewhere:9092"


def test_a_platform_without_kafka_has_nothing_to_compare(settings: Settings) -> None:
    embedded = running(settings.run_dir, OURS).model_copy(update={"profile": "embedded", "kafka_servers": None})
    with announced(embedded, settings.run_dir / "1.json"), pytest.raises(Failure, match="runs without Kafka"):
        with_kafka(settings, None)
