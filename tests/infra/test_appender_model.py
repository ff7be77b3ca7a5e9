"""Whatever is appended in whatever order, the appender answers and stores as a plain dictionary would."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Final
from uuid import UUID, uuid5

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from infra.appender import AlreadyDone, Append, Appended, ConcurrentChange, KeyReused
from tests.appending import OpenLog, a_command, once, open_log

STREAMS: Final = [uuid5(UUID(int=0), str(number)) for number in range(3)]
KEYS: Final = st.sampled_from(["a", "b", "c", "d", "e", "f"])
FINGERPRINTS: Final = st.sampled_from([b"asked", b"asked", b"otherwise"])
Answer = Appended | AlreadyDone | type[ConcurrentChange] | type[KeyReused]


class Model:
    """The log as a dictionary of streams, and the records as a dictionary of keys."""

    def __init__(self) -> None:
        self.streams: dict[UUID, list[bytes]] = {stream_id: [] for stream_id in STREAMS}
        self.records: dict[str, tuple[Append, int]] = {}
        self.states: list[bytes] = []

    def append(self, command: Append) -> Answer:
        if command.once.key in self.records:
            first, position = self.records[command.once.key]
            if first.once.fingerprint != command.once.fingerprint:
                return KeyReused
            return Appended(position) if first is command else AlreadyDone(position, first.response)
        stream = self.streams[command.events[0].stream_id]
        if command.events[0].version != len(stream) + 1:
            return ConcurrentChange
        stream += command.states
        self.states += command.states
        self.records[command.once.key] = command, len(self.states)
        return Appended(len(self.states))


class AppenderAgainstModel(RuleBasedStateMachine):
    database: str
    runner: asyncio.Runner

    def __init__(self) -> None:
        super().__init__()
        with psycopg.connect(self.database) as connection:
            connection.execute("TRUNCATE stored_events, idempotency_records RESTART IDENTITY")
        self.model = Model()
        self.sent: list[Append] = []
        self.open = AsyncExitStack()
        self.opened: OpenLog = self.runner.run(self.open.enter_async_context(open_log(self.database)))

    def teardown(self) -> None:
        self.runner.run(self.open.aclose())

    async def _answer(self, command: Append) -> Answer:
        try:
            return await self.opened.appender.append(command)
        except (ConcurrentChange, KeyReused) as refusal:
            return type(refusal)

    async def _answers(self, commands: list[Append]) -> list[Answer]:
        return list(await asyncio.gather(*map(self._answer, commands)))

    def send(self, *commands: Append) -> None:
        """All at once, so that they share a batch."""
        self.sent += commands
        answers = self.runner.run(self._answers(list(commands)))
        positions = {command.once.key: command for command in commands}
        assert len(positions) == len(commands)
        assert answers == [self.model.append(command) for command in commands]

    @rule(
        streams=st.lists(st.sampled_from(STREAMS), min_size=1, max_size=3),
        keys=st.lists(KEYS, min_size=3, max_size=3, unique=True),
        fingerprint=FINGERPRINTS,
        ahead=st.sampled_from([0, 0, 0, -1, 1]),
        events=st.integers(1, 3),
    )
    def append(self, streams: list[UUID], keys: list[str], fingerprint: bytes, ahead: int, events: int) -> None:
        """At the head of each stream, behind it, or beyond a gap."""
        self.send(
            *(
                a_command(
                    stream_id,
                    max(1, len(self.model.streams[stream_id]) + 1 + ahead),
                    events=events,
                    by=once(key, fingerprint),
                )
                for stream_id, key in zip(streams, keys, strict=False)
            )
        )

    @rule(number=st.integers(0, 1_000))
    def send_again(self, number: int) -> None:
        if self.sent:
            self.send(self.sent[number % len(self.sent)])

    @rule(key=KEYS, fingerprint=FINGERPRINTS)
    def recall(self, key: str, fingerprint: bytes) -> None:
        async def recalled() -> AlreadyDone | type[KeyReused] | None:
            try:
                return await self.opened.appender.recall(once(key, fingerprint))
            except KeyReused:
                return KeyReused

        first, position = self.model.records.get(key, (None, 0))
        answer = self.runner.run(recalled())
        if first is None:
            assert answer is None
        elif first.once.fingerprint != fingerprint:
            assert answer is KeyReused
        else:
            assert answer == AlreadyDone(position, first.response)

    @invariant()
    def the_log_is_what_the_model_says(self) -> None:
        stored = self.runner.run(self.opened.log.read(after=0, limit=1_000))
        assert [row.state for row in stored] == self.model.states
        assert [row.position for row in stored] == list(range(1, len(stored) + 1))


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as running:
        yield running


def test_the_appender_does_what_a_dictionary_would(database: str, runner: asyncio.Runner) -> None:
    AppenderAgainstModel.database = database
    AppenderAgainstModel.runner = runner
    run_state_machine_as_test(
        AppenderAgainstModel,
        settings=settings(
            max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
