"""The library's own recorder tests, on the migrated schema, and what our subclass adds."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Timer, current_thread
from uuid import uuid4

import psycopg
import pytest
from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresDatastore
from eventsourcing.tests.persistence import ApplicationRecorderTestCase, NonInterleavingNotificationIDsBaseCase
from psycopg.rows import DictRow

from infra.group_commit import LOG_LOCK
from infra.recorder import LogRecorder, open_datastore


@pytest.fixture
def datastore(database: str) -> Iterator[PostgresDatastore]:
    with open_datastore(database, lock_timeout=1) as opened:
        yield opened


class TestAsTheLibraryExpects(ApplicationRecorderTestCase[LogRecorder]):
    datastore: PostgresDatastore

    @pytest.fixture(autouse=True)
    def _own_log(self, datastore: PostgresDatastore) -> None:
        self.datastore = datastore

    def create_recorder(self) -> LogRecorder:
        return LogRecorder(self.datastore)

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestNonInterleaving(NonInterleavingNotificationIDsBaseCase):
    datastore: PostgresDatastore

    @pytest.fixture(autouse=True)
    def _own_log(self, datastore: PostgresDatastore) -> None:
        self.datastore = datastore

    def create_recorder(self) -> LogRecorder:
        return LogRecorder(self.datastore)


def an_event() -> StoredEvent:
    return StoredEvent(uuid4(), 1, "stock.received.v1", b"{}")


def test_waiting_for_the_lock_is_bounded(database: str, datastore: PostgresDatastore) -> None:
    recorder = LogRecorder(datastore)
    with psycopg.connect(database) as other, psycopg.connect(database) as ours:
        other.execute("SELECT pg_advisory_xact_lock(%s)", (LOG_LOCK,))
        limit, take_lock = recorder.lock_table_statements
        ours.execute(limit)
        with pytest.raises(psycopg.errors.LockNotAvailable):
            ours.execute(take_lock)


def test_vacuum_and_appends_do_not_wait_for_each_other(database: str, datastore: PostgresDatastore) -> None:
    recorder = LogRecorder(datastore)
    with psycopg.connect(database) as vacuuming:
        vacuuming.execute("LOCK TABLE stored_events IN SHARE UPDATE EXCLUSIVE MODE")  # what VACUUM takes
        assert recorder.insert_events([an_event()]) == [1]


def test_appending_without_the_lock_is_refused(database: str) -> None:
    with open_datastore(database) as unlocked:
        unlocked.enable_db_functions = True
        with pytest.raises(ValueError, match="without the lock"):
            LogRecorder(unlocked)


def test_what_is_appended_before_a_subscription_listens_is_told(
    datastore: PostgresDatastore, monkeypatch: pytest.MonkeyPatch
) -> None:
    appended, connect = Event(), datastore.get_connection

    @contextmanager
    def late() -> Iterator[psycopg.Connection[DictRow]]:
        if current_thread().name.endswith("(_listen)"):
            assert appended.wait(10)
        with connect() as connection:
            yield connection

    monkeypatch.setattr(datastore, "get_connection", late)
    recorder = LogRecorder(datastore)
    recorder.insert_events([an_event()])
    with recorder.subscribe() as subscription:
        patience = Timer(10, subscription.stop)
        patience.start()
        assert next(subscription).id == 1
        recorder.insert_events([an_event()])
        appended.set()
        told = next(subscription, None)
        patience.cancel()
    assert told is not None
    assert told.id == 2
