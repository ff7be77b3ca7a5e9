"""Whether Kafka answers, asked all the time: the members of a group notice late that it is gone."""

import asyncio
import logging
from threading import Event
from typing import Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from infra.kafka.arrivals import Line
from infra.kafka.threads import in_thread
from infra.kafka.topics import client_settings
from infra.settings import Settings

_LOOK_SECONDS: Final = 1.0
_ANSWER_SECONDS: Final = 1.5
_GONE: Final = 3
"""So often without an answer, Kafka was not just slow."""
_log: Final = logging.getLogger(__name__)


async def until_back(settings: Settings, line: Line) -> None:
    """Tell after each look whether Kafka answers; return when it does again after it was gone."""
    admin = AdminClient(client_settings(settings))
    failed = 0
    while True:
        answers = await in_thread(lambda: _answers(admin), Event())
        line.looked(answers=answers)
        if not answers:
            failed += 1
            if failed == _GONE:
                _log.warning("Kafka does not answer: following the log")
            continue
        if failed >= _GONE:
            return
        failed = 0
        await asyncio.sleep(_LOOK_SECONDS)


def _answers(admin: AdminClient) -> bool:
    try:
        admin.list_topics(timeout=_ANSWER_SECONDS)
    except KafkaException:
        return False
    return True
