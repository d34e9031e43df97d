"""Which record it is that ends the process that works on it, by a signal or for want of memory: that one is kept apart.

What ends a process leaves no word behind, and the process that is started again reads the same records. So starts are
counted outside of it, in the facts: the first record that a process reads of a partition tells how far the group got,
and where many processes in a row began at the same one, something behind it ends them. Such a partition is worked on
carefully: one record at a time, with nothing else at work in the process, and noted before it is tried. Whoever finds
one that was tried too often does not try it again: it is a dead letter, and the role goes on. It is decoded once more,
to tell what ends with it; where that was what ended the process, its letter is all that is told.

Rebalances count as starts, too. That is harmless: care costs time and nothing else.
"""

import threading
from collections import Counter as Tally
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import structlog
from prometheus_client import Counter, Gauge

from streams.consumer.letters import Delivery
from streams.consumer.reading import Place
from streams.runtime.errors import Refused, Unavailable
from streams.runtime.waiting import until, wait_out

CAREFUL_FROM_STARTS = 3  # one may be bad luck, two a machine that went down twice
TRIES_MAX = 3  # alone in a process that somebody else may have ended, so that none dies of another's fault
# More than any role has in hand of a partition from its committed offset on; behind so many the culprit cannot stand.
CAREFUL_RECORDS = 1000
ENDED_THE_PROCESS = "ended_the_process"

log = structlog.get_logger()
careful_partitions = Gauge("packshot_careful_partitions", "Partitions worked on one record at a time", ["role"])
isolated_total = Counter("packshot_isolated_total", "Records not tried again: they ended the process", ["role"])


class EndedTheProcess(Refused):
    """A record that is not to be tried again; where `untouchable`, nobody may even look at what it is about."""

    def __init__(self, message: str, *, untouchable: bool) -> None:
        super().__init__(ENDED_THE_PROCESS, message, poison=True)
        self.untouchable = untouchable


class Trials(Protocol):
    """Where starts and tries are counted, outside of the process. All may raise Unavailable."""

    def start(self, role: str, place: Place, offset: int) -> tuple[int, int]:
        """Counts a start at `offset`, and forgets what was counted before it.

        Returns how many starts there were at it, and of how many records there from on it is noted that they are tried.
        """

    def attempt(self, role: str, place: Place, offset: int) -> int:
        """Counts a try of the record at `offset`; returns how many began, this one included, and did not end."""

    def survived(self, role: str, place: Place, offset: int) -> None:
        """Forgets the tries of the record at `offset`: whoever tried it is still there."""

    def tell(self, role: str, place: Place, why: str) -> None:
        """Notes why a partition stands."""


class MemoryTrials:
    """Trials that end with the process: for benchmarks and tests, whose processes nobody starts again."""

    def __init__(self) -> None:
        self._starts: Tally[tuple[str, Place, int]] = Tally()
        self._tries: Tally[tuple[str, Place, int]] = Tally()

    def start(self, role: str, place: Place, offset: int) -> tuple[int, int]:
        """See Trials."""
        self._starts[role, place, offset] += 1
        tried = [each for each in self._tries if each[:2] == (role, place) and each[2] >= offset]
        return self._starts[role, place, offset], len(tried)

    def attempt(self, role: str, place: Place, offset: int) -> int:
        """See Trials."""
        self._tries[role, place, offset] += 1
        return self._tries[role, place, offset]

    def survived(self, role: str, place: Place, offset: int) -> None:
        """See Trials."""
        del self._tries[role, place, offset]

    def tell(self, role: str, place: Place, why: str) -> None:
        """See Trials; nobody asks."""


class Isolation:
    """The care of one process. Thread-safe; without a write a record while nothing is wrong."""

    def __init__(self, role: str, trials: Trials) -> None:
        self._role = role
        self._trials = trials
        self._gate = _Gate()
        self._lock = threading.Lock()
        self._first: dict[Place, int] = {}
        self._careful_records: dict[Place, int] = {}
        self._logged: dict[Place, str] = {}
        self.is_waiting = False
        """Whether a batch stands on purpose, until the database is back."""
        self.stopping = threading.Event()
        """Once it is set nobody waits any more: Stopped is raised."""

    def read(self, delivery: Delivery) -> None:
        """Is shown what was read, in its order, by a role that works in another one. Touches no database."""
        self._first.setdefault((delivery.topic, delivery.partition), delivery.offset)

    def is_careful(self, delivery: Delivery) -> bool:
        """Whether the record is to be tried alone. Counts the start of its partition when it is asked of it first.

        Raises Unavailable.
        """
        place = (delivery.topic, delivery.partition)
        with self._lock:
            if place not in self._careful_records:
                first = self._first.setdefault(place, delivery.offset)
                self._careful_records[place] = self._careful_records_of(place, first)
                self._count_careful()
            return self._careful_records[place] > 0

    @contextmanager
    def trying(self, delivery: Delivery) -> Iterator[None]:
        """Around the work on a record; where care is needed, with nothing else at work in this process.

        Raises Refused (poison, `ended_the_process`) for a record that is not to be tried again, and Unavailable.
        """
        if not self.is_careful(delivery):
            with self._gate.shared():
                yield
            return
        with self._gate.alone():
            self._attempt(delivery)
            with self._noted_unless_it_ends(delivery):
                yield

    def work(
        self,
        batch: Sequence[Delivery],
        run: Callable[[Sequence[Delivery]], None],
        bury: Callable[[Delivery, Refused], None],
    ) -> None:
        """Has a batch of one partition worked on by `run`: at once or, where care is needed, one by one.

        One that is not to be tried again is ended by `bury`. Waits while the database is away; raises Stopped.
        """
        if not self._is_careful_when_known(batch[0]):
            run(batch)
            return
        for delivery in batch:
            try:
                with self.trying(delivery):
                    run([delivery])
            except Refused as why:
                bury(delivery, why)

    def _is_careful_when_known(self, delivery: Delivery) -> bool:
        try:
            return wait_out(lambda: self.is_careful(delivery), self._stay, role=self._role)
        finally:
            self.is_waiting = False

    def _stay(self, seconds: float) -> None:
        self.is_waiting = True
        until(self.stopping)(seconds)

    def tell(self, delivery: Delivery, why: str) -> None:
        """Notes why the partition of a record stands, for `packshot audit`; once for each reason."""
        place = (delivery.topic, delivery.partition)
        if self._logged.get(place) == why:
            return
        try:
            self._trials.tell(self._role, place, why)
            self._logged[place] = why
        except Unavailable as away:
            log.warning("not noted", why=why, reason=str(away))

    def left(self, places: Collection[Place]) -> None:
        """Is told which partitions are no longer of this process: whoever reads them next starts there."""
        with self._lock:
            for place in places:
                self._first.pop(place, None)
                self._careful_records.pop(place, None)
                self._logged.pop(place, None)
            self._count_careful()

    def _careful_records_of(self, place: Place, first: int) -> int:
        """Of how many records."""
        starts, tried = self._trials.start(self._role, place, first)
        if starts < CAREFUL_FROM_STARTS and not tried:
            return 0
        standstill = {"topic": place[0], "partition": place[1], "offset": first, "starts": starts}
        log.warning("a partition stands; its records are tried one by one", role=self._role, **standstill)
        return CAREFUL_RECORDS

    def _attempt(self, delivery: Delivery) -> None:
        """Raises Refused."""
        place = (delivery.topic, delivery.partition)
        with self._lock:
            self._careful_records[place] = max(self._careful_records.get(place, 0) - 1, 0)
            self._count_careful()
        tries = self._trials.attempt(self._role, place, delivery.offset)
        if tries > TRIES_MAX:
            isolated_total.labels(self._role).inc()
            message = f"whoever worked on it was gone before it ended, {TRIES_MAX} times"
            raise EndedTheProcess(message, untouchable=tries > TRIES_MAX + 1)

    @contextmanager
    def _noted_unless_it_ends(self, delivery: Delivery) -> Iterator[None]:
        """The try is forgotten, whatever comes of it, but for what ends the process: a SystemExit, the panic of a
        library in Rust. That is no Exception, so that nobody makes a letter of it."""
        try:
            yield
        except Exception:
            self._survived(delivery)
            raise
        self._survived(delivery)

    def _survived(self, delivery: Delivery) -> None:
        try:
            self._trials.survived(self._role, (delivery.topic, delivery.partition), delivery.offset)
        except Unavailable as away:  # what stays noted costs care, no more
            log.warning("not noted", reason=str(away))

    def _count_careful(self) -> None:
        careful_partitions.labels(self._role).set(sum(left > 0 for left in self._careful_records.values()))


def is_untouchable(why: Refused) -> bool:
    """Whether to decode the record that is refused may end the process."""
    return isinstance(why, EndedTheProcess) and why.untouchable


class _Gate:
    """Lets many in together, or one alone; who wants to be alone comes before those that come later."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._wanting = 0
        self._is_alone = False

    @contextmanager
    def shared(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._is_alone and not self._wanting)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        with self._changed:
            self._wanting += 1
            self._changed.wait_for(lambda: not self._is_alone and not self._inside)
            self._wanting -= 1
            self._is_alone = True
        try:
            yield
        finally:
            with self._changed:
                self._is_alone = False
                self._changed.notify_all()
