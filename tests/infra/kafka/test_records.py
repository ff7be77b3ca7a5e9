"""What an event carries to Kafka comes back as the row of the log that it was."""

from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.event_log import Stored
from infra.kafka.records import BadRecord, headers_of, key_of, stored_of, topic_of
from schemas.recorded import Recorded
from tests.examples import placed, recorded
from tests.strategies import recordeds

positions = st.integers(1, 2**63 - 1)


def a_stored(position: int = 7) -> Stored:
    return Stored.of(position, recorded(placed(), 3))


@given(recordeds, positions)
def test_a_record_gives_back_the_row(event: Recorded, position: int) -> None:
    stored = Stored.of(position, event)
    headers = headers_of(stored)
    assert stored_of(key_of(stored), stored.state, headers) == stored


@given(recordeds, positions)
def test_the_headers_are_those_of_cloud_events(event: Recorded, position: int) -> None:
    stored = Stored.of(position, event)
    parent = event.trace.traceparent
    instant = event.model_dump(mode="json")["occurred_at"]
    assert dict(headers_of(stored)) == {
        "ce_specversion": b"1.0",
        "ce_id": str(event.event_id).encode(),
        "ce_source": f"/orderflow/{stored.category}".encode(),
        "ce_type": event.event.type.encode(),
        "ce_subject": str(event.stream_id).encode(),
        "ce_time": instant.encode(),
        "content-type": b"application/json",
        "orderflow-position": str(position).encode(),
        "orderflow-version": str(event.version).encode(),
        **({"traceparent": parent.encode()} if parent else {}),
    }


@pytest.mark.parametrize(
    "state",
    [
        b"",
        b"{not json",
        a_stored().state[:-1],
        b"[]",
        b'{"event_id": 1}',
        b'{"event_id":"x","occurred_at":"2026-03-02T12:01:00Z","trace":{}}',
    ],
    ids=["empty", "no json", "cut off", "no object", "no envelope", "no id"],
)
def test_an_envelope_that_cannot_be_read_is_told(state: bytes) -> None:
    with pytest.raises(BadRecord):
        headers_of(Stored(1, uuid4(), 1, "order.placed.v1", state))


def test_an_unknown_category_has_no_topic() -> None:
    with pytest.raises(BadRecord):
        headers_of(Stored(1, uuid4(), 1, "weather.changed.v1", a_stored().state))


def test_an_unknown_event_of_a_known_category_is_passed_on() -> None:
    stored = Stored(1, uuid4(), 1, "order.placed.v9", a_stored().state)
    assert stored_of(key_of(stored), stored.state, headers_of(stored)) == stored


@given(
    st.none() | st.binary(max_size=40),
    st.binary(max_size=40),
    st.lists(
        st.tuples(
            st.sampled_from(["ce_type", "orderflow-position", "orderflow-version", "x"]),
            st.none() | st.binary(max_size=30) | st.sampled_from([b"order.placed.v1", b"1"]),
        )
    ),
)
def test_whatever_a_stranger_writes_is_an_event_or_refused(
    key: bytes | None, value: bytes, headers: list[tuple[str, bytes | None]]
) -> None:
    try:
        stored = stored_of(key, value, headers)
    except BadRecord:
        return
    assert (stored.state, stored.category) == (value, "order")


@pytest.mark.parametrize("name", ["ce_type", "orderflow-position", "orderflow-version"])
@pytest.mark.parametrize(
    "value",
    [None, b"", b"-1", b"0", b"1_0", b" 7", "\u0663".encode(), b"9" * 5_000],
    ids=["none", "empty", "negative", "zero", "underscore", "space", "another script", "endless"],
)
def test_a_header_that_is_missing_or_malformed_is_refused(name: str, value: bytes | None) -> None:
    stored = a_stored()
    headers: dict[str, bytes | None] = {**dict(headers_of(stored)), name: value}
    with pytest.raises(BadRecord):
        stored_of(key_of(stored), stored.state, headers.items())


@pytest.mark.parametrize(
    "key",
    [None, b"", b"no stream", b"\xff" * 36, UUID(int=7).bytes],
    ids=["none", "empty", "no id", "no text", "sixteen bytes"],
)
def test_a_key_that_is_no_stream_is_refused(key: bytes | None) -> None:
    stored = a_stored()
    with pytest.raises(BadRecord):
        stored_of(key, stored.state, headers_of(stored))


def test_a_tombstone_is_refused() -> None:
    stored = a_stored()
    with pytest.raises(BadRecord):
        stored_of(key_of(stored), None, headers_of(stored))


def test_every_category_has_a_topic_of_its_own() -> None:
    assert topic_of("shop", "order") == "shop.order"
