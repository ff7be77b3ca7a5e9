"""How often work begins."""

from time import monotonic

from infra.pace import Pace


async def test_the_first_round_begins_at_once() -> None:
    began = monotonic()
    await Pace(60).keep()
    assert monotonic() - began < 1


async def test_later_rounds_keep_their_distance() -> None:
    pace, began = Pace(0.05), monotonic()
    for _ in range(4):
        await pace.keep()
    assert monotonic() - began >= 0.15


async def test_a_long_round_is_followed_by_a_rest_in_proportion() -> None:
    pace = Pace(0, rest=2)
    await pace.keep()
    pace.ended(monotonic() - 0.03)
    began = monotonic()
    await pace.keep()
    assert monotonic() - began >= 0.05


async def test_no_rest_is_long() -> None:
    pace = Pace(0, rest=4)
    pace.ended(monotonic() - 60)
    began = monotonic()
    await pace.keep()
    assert monotonic() - began < 5
