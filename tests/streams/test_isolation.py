"""Records that end the process that works on them: found, and kept apart, with no process harmed."""

import sys
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from streams.consumer.isolation import CAREFUL_FROM_STARTS, CAREFUL_RECORDS, TRIES_MAX, Isolation, is_untouchable
from streams.consumer.letters import Delivery
from streams.consumer.reader import WATERMARKS
from streams.facts import Database, Trials
from streams.runtime.errors import Refused, Unavailable

ROLE, TOPIC = "streams", "imagery.catalog"
DEATHS_MAX = 100


class Killed(BaseException):
    """Stands for a signal: nothing that the process meant to do at its end is done."""


@pytest.fixture(params=["sqlite", "postgresql"])
def trials(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Trials]:
    sqlite = request.param == "sqlite"
    database = Database(f"sqlite:///{tmp_path}/facts.db" if sqlite else request.getfixturevalue("postgres_url"))
    database.create_tables()
    yield Trials(database)
    database.drop_tables()
    database.close()


def read(offset: int, partition: int = 0) -> Delivery:
    return Delivery(TOPIC, partition, offset, b"demo|A", b"")


class Group:
    """Processes one after the other that read a partition, commit after each record, and die of `killers`."""

    def __init__(
        self,
        trials: Trials,
        deadly: set[int],
        end: int,
        untouchable: Collection[int] = (),
        noting: "Callable[[Trials], Trials]" = lambda its: KilledTrials(its),
    ) -> None:
        self._trials = noting(trials)
        self._untouchable = untouchable
        self._deadly = deadly
        self._end = end
        self.committed = 0
        self.deaths = 0
        self.done: list[int] = []
        self.dead: list[int] = []
        self.refusals: set[tuple[str, str]] = set()

    def run_until_at_the_end(self, batch: int = 1) -> None:
        while self.committed < self._end:
            try:
                self._process(batch)
            except Killed:
                self.deaths += 1
                assert self.deaths < DEATHS_MAX, "it ends for ever"

    def _process(self, batch: int) -> None:
        isolation = Isolation(ROLE, self._trials)
        while self.committed < self._end:
            offsets = range(self.committed, min(self.committed + batch, self._end))
            for offset in offsets:
                self._work(isolation, read(offset))
            self.committed = offsets[-1] + 1

    def _work(self, isolation: Isolation, delivery: Delivery) -> None:
        try:
            with isolation.trying(delivery):
                if delivery.offset in self._deadly:
                    raise Killed
                self.done.append(delivery.offset)
        except Refused as refusal:
            if delivery.offset in self._untouchable and not is_untouchable(refusal):
                raise Killed from None
            self.refusals.add((refusal.code, refusal.kind))
            self.dead.append(delivery.offset)


class KilledTrials(Trials):
    """Whoever was killed notes nothing more."""

    def __init__(self, trials: Trials) -> None:
        super().__init__(trials._database)

    def survived(self, role: str, place: tuple[str, int], offset: int) -> None:
        if sys.exc_info()[0] is not Killed:
            super().survived(role, place, offset)


def test_a_record_that_ends_its_process_is_dead_and_all_others_are_done(trials: Trials) -> None:
    group = Group(trials, {2}, end=5)
    group.run_until_at_the_end()
    assert group.dead == [2]
    assert group.refusals == {("ended_the_process", "poison")}
    assert sorted(set(group.done)) == [0, 1, 3, 4]
    assert group.deaths <= CAREFUL_FROM_STARTS + TRIES_MAX


def test_one_that_ends_its_process_by_what_nobody_catches_is_dead_too(trials: Trials) -> None:
    """The process tidies up on its way out, where one that is killed does not."""
    group = Group(trials, {2}, end=5, noting=lambda its: its)
    group.run_until_at_the_end()
    assert group.dead == [2]
    assert sorted(set(group.done)) == [0, 1, 3, 4]


def test_what_ends_as_an_error_is_forgotten(trials: Trials) -> None:
    for _ in range(CAREFUL_FROM_STARTS + TRIES_MAX + 1):
        isolation = Isolation(ROLE, trials)
        with suppress(ValueError), isolation.trying(read(4)):
            raise ValueError
    assert {each.kind for each in trials.every()} == {"start"}


def test_one_that_ends_whoever_looks_at_it_is_dead_without_a_look(trials: Trials) -> None:
    group = Group(trials, {2}, end=5, untouchable={2})
    group.run_until_at_the_end()
    assert group.dead == [2]
    assert sorted(set(group.done)) == [0, 1, 3, 4]
    assert group.deaths <= CAREFUL_FROM_STARTS + TRIES_MAX + 1


@pytest.mark.parametrize("batch", [3, 100])
def test_it_is_found_in_the_middle_of_a_batch_that_is_committed_as_one(trials: Trials, batch: int) -> None:
    group = Group(trials, {7}, end=20)
    group.run_until_at_the_end(batch)
    assert group.dead == [7]
    assert set(group.done) == set(range(20)) - {7}
    assert group.deaths <= CAREFUL_FROM_STARTS + TRIES_MAX


def test_many_are_found_one_after_the_other(trials: Trials) -> None:
    group = Group(trials, {1, 2, 9}, end=12)
    group.run_until_at_the_end(batch=4)
    assert set(group.dead) == {1, 2, 9}  # one whose letter was not committed is dead once more; it is shown once
    assert set(group.done) == set(range(12)) - {1, 2, 9}


def test_nothing_is_noted_by_record_while_nothing_is_wrong(trials: Trials) -> None:
    isolation = Isolation(ROLE, trials)
    for offset in range(10):
        with isolation.trying(read(offset)):
            pass
    assert [(each.offset, each.kind, each.count) for each in trials.every()] == [(0, "start", 1)]


def test_starts_count_for_one_place_only_and_progress_forgets_them(trials: Trials) -> None:
    for _ in range(CAREFUL_FROM_STARTS - 1):
        assert not Isolation(ROLE, trials).is_careful(read(4))
    assert not Isolation("publisher", trials).is_careful(read(4))
    assert not Isolation(ROLE, trials).is_careful(read(4, partition=1))
    assert not Isolation(ROLE, trials).is_careful(read(5))
    assert [(each.role, each.partition, each.offset, each.count) for each in trials.every()] == [
        ("publisher", 0, 4, 1),
        (ROLE, 0, 5, 1),
        (ROLE, 1, 4, 1),
    ]


def test_a_start_is_where_the_first_record_stood_that_was_read(trials: Trials) -> None:
    isolation = Isolation(ROLE, trials)
    for offset in (4, 5, 6):
        isolation.read(read(offset))
    isolation.is_careful(read(6))
    assert [each.offset for each in trials.every()] == [4]


def test_who_gave_a_partition_back_starts_there_again(trials: Trials) -> None:
    isolation = Isolation(ROLE, trials)
    isolation.is_careful(read(4))
    isolation.left([(TOPIC, 0)])
    isolation.is_careful(read(4))
    assert [each.count for each in trials.every()] == [2]


def test_care_ends_behind_all_that_can_have_been_in_hand(trials: Trials) -> None:
    for _ in range(CAREFUL_FROM_STARTS - 1):
        Isolation(ROLE, trials).is_careful(read(0))
    isolation = Isolation(ROLE, trials)
    with fewer_careful_records(3):
        alone = []
        for offset in range(5):
            alone.append(isolation.is_careful(read(offset)))
            with isolation.trying(read(offset)):
                pass
    assert alone == [True, True, True, False, False]


def test_who_fails_by_an_exception_has_survived(trials: Trials) -> None:
    for _ in range(CAREFUL_FROM_STARTS):
        isolation = Isolation(ROLE, trials)
        isolation.is_careful(read(0))
    for _ in range(TRIES_MAX + 1):
        with pytest.raises(ZeroDivisionError), isolation.trying(read(0)):
            raise ZeroDivisionError
    assert {each.kind for each in trials.every()} == {"start"}


def test_a_careful_record_is_alone_in_its_process(trials: Trials) -> None:
    """It waits until others have ended; and none begins beside it."""
    for _ in range(CAREFUL_FROM_STARTS - 1):
        Isolation(ROLE, trials).is_careful(read(0))
    isolation = Isolation(ROLE, trials)
    inside: list[str] = []
    together: list[tuple[str, ...]] = []
    lock, other_is_in, go_on = threading.Lock(), threading.Event(), threading.Event()

    def work(name: str, delivery: Delivery) -> None:
        with isolation.trying(delivery):
            with lock:
                inside.append(name)
                together.append(tuple(sorted(inside)))
            if name == "other":
                other_is_in.set()
                assert go_on.wait(60)
            with lock:
                inside.remove(name)

    other = threading.Thread(target=work, args=("other", read(0, partition=1)))
    other.start()
    assert other_is_in.wait(60)
    alone = threading.Thread(target=work, args=("careful", read(0)))
    alone.start()
    late = [threading.Thread(target=work, args=(f"late-{n}", read(n, partition=1))) for n in range(3)]
    for thread in late:
        thread.start()
    go_on.set()
    for thread in (other, alone, *late):
        thread.join(60)
    assert ("careful",) in together
    assert not [names for names in together if "careful" in names and len(names) > 1]


def test_why_it_stands_is_noted_once_for_each_reason(trials: Trials) -> None:
    isolation = Isolation(ROLE, trials)
    isolation.is_careful(read(0))
    for why in ("the store is away", "the store is away", "a bug: \x1b[31m\x00"):
        isolation.tell(read(3), why)
    assert [each.why for each in trials.every()] == ["a bug:  [31m "]


def test_while_the_database_is_away_nothing_is_tried_and_nothing_is_lost(tmp_path: Path) -> None:
    class Away(Trials):
        is_away = True

        def start(self, role: str, place: tuple[str, int], offset: int) -> tuple[int, int]:
            if self.is_away:
                raise Unavailable("the database does not answer")
            return super().start(role, place, offset)

        def note(self, *_what: object) -> None:
            raise Unavailable("the database does not answer")

    database = Database(f"sqlite:///{tmp_path}/facts.db")
    database.create_tables()
    trials = Away(database)
    isolation = Isolation(ROLE, trials)
    with pytest.raises(Unavailable), isolation.trying(read(0)):
        raise AssertionError("it was tried")
    isolation.tell(read(0), "why")
    trials.is_away = False
    with isolation.trying(read(0)):
        pass
    assert [each.count for each in trials.every()] == [1]


@contextmanager
def fewer_careful_records(count: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("streams.consumer.isolation.CAREFUL_RECORDS", count)
        yield


def test_the_careful_span_is_longer_than_what_a_role_has_in_hand() -> None:
    assert WATERMARKS.span_high + WATERMARKS.read_max < CAREFUL_RECORDS
