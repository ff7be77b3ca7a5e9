import gc
from collections.abc import Iterator

import pytest

from infra.pauses import shorten_pauses


@pytest.fixture(autouse=True)
def usual_collecting() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


class Knot:
    def __init__(self) -> None:
        self.itself = self


def test_what_a_process_started_with_is_not_looked_through_again() -> None:
    before = gc.get_freeze_count()
    shorten_pauses()
    assert gc.get_freeze_count() > before
    assert gc.get_threshold()[0] > 700


def test_what_is_made_later_is_still_collected() -> None:
    shorten_pauses()
    Knot()
    assert gc.collect() >= 1
