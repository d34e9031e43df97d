"""Which partitions stand still, on virtual time."""

import pytest

from streams.consumer.reading import Place
from streams.consumer.stalled import Progress, StalledPartitions, unread
from streams.consumer.watchdog import Stalled
from streams.runtime.errors import Unavailable
from tests.simulation.clock import VirtualClock

STALLED_AFTER_S = 100.0
ONE, TWO = ("imagery.published", 0), ("imagery.published", 1)


class Partitions:
    """Partitions whose records stand at the offsets in `records`; everything else below an end is a marker."""

    def __init__(self) -> None:
        self.records: dict[Place, set[int]] = {ONE: set(), TWO: set()}
        self.scouted: list[Place] = []
        self.clock = VirtualClock()
        self.stalled = StalledPartitions(STALLED_AFTER_S, self._has_record, self.clock)

    def _has_record(self, place: Place, offset: int) -> bool:
        self.scouted.append(place)
        return any(record >= offset for record in self.records[place])

    def look_for(self, seconds: float, progress: dict[Place, Progress]) -> None:
        for _ in range(int(seconds / 10)):
            self.stalled.look(progress)
            self.clock.sleep(10.0)


@pytest.fixture
def partitions() -> Partitions:
    return Partitions()


def test_a_record_that_nobody_reads_is_found_behind_markers(partitions: Partitions) -> None:
    partitions.records[TWO] = {9}
    with pytest.raises(Stalled, match=r"imagery.published', 1\) stood at 7"):
        partitions.look_for(2 * STALLED_AFTER_S, {ONE: Progress(5, 5), TWO: Progress(7, 10)})
    assert partitions.clock.monotonic() > STALLED_AFTER_S


def test_markers_alone_are_no_work_and_are_looked_into_once(partitions: Partitions) -> None:
    partitions.look_for(10 * STALLED_AFTER_S, {ONE: Progress(7, 8), TWO: Progress(3, 4)})
    assert sorted(partitions.scouted) == [ONE, TWO]


def test_what_comes_behind_markers_has_the_whole_time(partitions: Partitions) -> None:
    partitions.look_for(2 * STALLED_AFTER_S, {ONE: Progress(7, 8)})
    partitions.records[ONE] = {8}
    partitions.look_for(STALLED_AFTER_S, {ONE: Progress(7, 10)})
    with pytest.raises(Stalled):
        partitions.look_for(STALLED_AFTER_S, {ONE: Progress(7, 10)})


def test_what_moves_or_has_nothing_left_is_not_looked_into(partitions: Partitions) -> None:
    for committed in range(40):
        partitions.look_for(20.0, {ONE: Progress(committed, 100), TWO: Progress(6, 6)})
    assert partitions.scouted == []


def test_time_without_an_assignment_a_database_or_an_answer_starts_anew(partitions: Partitions) -> None:
    partitions.records[ONE] = {7}
    for _ in range(5):
        partitions.look_for(STALLED_AFTER_S - 20, {ONE: Progress(7, 8)})
        partitions.look_for(10.0, {})
    began_s = partitions.clock.monotonic()
    with pytest.raises(Stalled):
        partitions.look_for(2 * STALLED_AFTER_S, {ONE: Progress(7, 8)})
    assert partitions.clock.monotonic() - began_s >= STALLED_AFTER_S, "no time of before counts"


def test_a_broker_that_does_not_say_what_is_there_has_not_said_that_nothing_is() -> None:
    clock = VirtualClock()
    answers = iter([Unavailable("away"), True])

    def has_record(_place: Place, _offset: int) -> bool:
        answer = next(answers)
        if isinstance(answer, Unavailable):
            raise answer
        return bool(answer)

    stalled = StalledPartitions(STALLED_AFTER_S, has_record, clock)
    ended: list[type[Exception]] = []
    for _ in range(30):
        try:
            stalled.look({ONE: Progress(7, 8)})
        except (Unavailable, Stalled) as error:
            ended.append(type(error))
            stalled.look({})
        clock.sleep(10.0)
    assert ended[:2] == [Unavailable, Stalled]


def test_what_is_being_worked_on_is_not_unread() -> None:
    progress = {ONE: Progress(7, 20), TWO: Progress(7, 20)}
    assert unread(progress, {}) == progress
    assert unread(progress, {ONE: 7, TWO: 8}) == {ONE: progress[ONE]}


def test_a_partition_of_which_nothing_is_fetched_is_found_while_another_is_worked_on(partitions: Partitions) -> None:
    partitions.records[TWO] = {9}
    with pytest.raises(Stalled, match=r"imagery.published', 1\) stood at 7"):
        partitions.look_for(2 * STALLED_AFTER_S, unread({ONE: Progress(5, 20), TWO: Progress(7, 10)}, {ONE: 6}))
