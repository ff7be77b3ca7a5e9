"""Goes over a log with every judge that is installed."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from pydantic import ValidationError

from infra.event_log import Stored
from infra.histories import Differs, Judge, judges


def judged(log: Iterable[Stored], *, grace: float, by: Sequence[Judge] | None = None) -> Iterator[Differs]:
    """Give what would be decided otherwise now. `log` is in the order of its positions.

    Histories of which the newest event is less than `grace` seconds older than the log's are not blamed for what has
    not happened yet.
    """
    judging = judges() if by is None else by
    newest: datetime | None = None
    for stored in log:
        try:
            recorded = stored.recorded
        except ValidationError:
            yield Differs(stored.position, stored.stream_id, stored.version, "decoder", stored.topic, "cannot be read")
            continue
        newest = max(newest or recorded.occurred_at, recorded.occurred_at)
        for judge in judging:
            yield from judge.hear(stored.position, recorded)
    if newest is not None:
        for judge in judging:
            yield from judge.end(newest - timedelta(seconds=grace))
