"""When a process must believe that Kafka has nothing for it."""

import pytest

from infra.kafka.arrivals import Hole, KafkaSilent, Line, Patience


@pytest.fixture
def line() -> Line:
    return Line(Patience(hole=0, silence=0))


def missed(hole: Hole, position: int) -> None:
    assert not hole.look(position)
    assert hole.look(position)
    hole.missed()


def test_kafka_is_silent_when_one_event_after_another_has_to_be_read_from_the_log(line: Line) -> None:
    hole = Hole(line)
    missed(hole, 1)
    assert not hole.look(None)
    with pytest.raises(KafkaSilent):
        missed(hole, 2)


@pytest.mark.parametrize("later", [None, 3])
def test_it_is_not_when_an_event_came_meanwhile(line: Line, later: int | None) -> None:
    hole = Hole(line)
    missed(hole, 1)
    assert not hole.look(2)
    assert not hole.look(later)
    missed(hole, 4)


def test_a_process_reads_the_log_while_kafka_does_not_answer(line: Line) -> None:
    line.share_given()
    seen = [line.joined]
    for answers in (False, True):
        line.looked(answers=answers)
        seen.append(line.joined)
    line.lost()
    assert [*seen, line.joined] == [True, False, True, False]
