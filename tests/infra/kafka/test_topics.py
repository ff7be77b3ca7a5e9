"""Topics are made as they are wanted, and left alone when they are there."""

import asyncio
from time import monotonic

import pytest

from infra.kafka.tails import describe
from infra.kafka.topics import KafkaUnreachable, create_missing, ensure_topics, new_topic, topics_of
from infra.settings import Settings
from tests.infra.kafka.relaying import a_place


async def test_missing_topics_are_made_with_the_partitions_asked_for(kafka_servers: str) -> None:
    settings = a_place("postgresql://unused", "redis://unused", kafka_servers).settings
    await ensure_topics(settings.model_copy(update={"topic_partitions": 3}))
    partitions = describe(settings, topics_of(settings).values()).partitions
    assert partitions == {f"{settings.topic_prefix}.{name}": 3 for name in ("product", "stock", "order", "payment")}


async def test_topics_that_exist_are_left_as_they_are(kafka_servers: str) -> None:
    settings = a_place("postgresql://unused", "redis://unused", kafka_servers).settings
    await ensure_topics(settings)
    before = describe(settings, topics_of(settings).values())
    await ensure_topics(settings.model_copy(update={"topic_partitions": 8}))
    assert describe(settings, topics_of(settings).values()) == before


def test_a_broker_that_is_away_is_told() -> None:
    settings = a_place("postgresql://unused", "redis://unused", "127.0.0.1:1").settings
    with pytest.raises(KafkaUnreachable, match=r"127\.0\.0\.1:1"):
        create_missing(settings, seconds=0.5)


@pytest.mark.parametrize(("replicas", "written"), [(1, None), (2, None), (3, "2"), (5, "2")])
def test_with_three_replicas_two_have_written_what_counts(replicas: int, written: str | None) -> None:
    config = new_topic(Settings(topic_replication=replicas), "orderflow.order", {}).config or {}
    assert config.get("min.insync.replicas") == written
    assert config["retention.ms"] == "-1"


async def test_a_broker_that_is_away_holds_nobody_up_who_stops() -> None:
    settings = a_place("postgresql://unused", "redis://unused", "127.0.0.1:1").settings
    waiting = asyncio.create_task(ensure_topics(settings))
    await asyncio.wait([waiting], timeout=0.1)
    assert not waiting.done()
    began_at = monotonic()
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    assert monotonic() - began_at < 5
