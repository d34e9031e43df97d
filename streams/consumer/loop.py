"""The consumer loop: one thread polls and commits and never works, others work and never touch a consumer."""

import itertools
import queue
import threading
import time
from collections.abc import Callable, Collection, Mapping

import structlog

from schemas.records import Lane
from streams.consumer.breaker import Breaker
from streams.consumer.clients import MAX_POLL_INTERVAL_S
from streams.consumer.reader import WATERMARKS, LaneReader, OpenConsumer, Watermarks
from streams.consumer.reading import Place
from streams.consumer.stalled import StalledPartitions
from streams.consumer.watchdog import Stalled, Watchdog
from streams.consumer.work import Ended, Executor, Job
from streams.runtime.clock import Clock
from streams.runtime.errors import Unavailable
from streams.runtime.health import Turned

COMMIT_EVERY_S = 0.5
LOOK_EVERY_S = 1.0
# Drains of all three lanes, one inside the other, leave the rest of the interval for the commits.
DRAIN_S = 0.2 * MAX_POLL_INTERVAL_S
POLL_S = 0.02
STALLED_AFTER_S = 600.0

log = structlog.get_logger()


class ConsumerLoop:
    """Reads the lanes of one pool, hands deliveries to the executor, and commits what has ended.

    `lanes` has for each lane how to open its consumer, and its topic; `has_record` says whether a record stands at or
    behind an offset of a partition, and may raise Unavailable. `turned` is called at each turn; what is in hand when it
    is told to stop has `drain_s` seconds to end. `run` and `turn` raise when a result, retry or
    dead letter cannot be acknowledged (NotAcknowledged), when work stands still (Stalled) or the books do not
    balance (Unbalanced): nothing of it is committed then, and the process is to exit.
    """

    def __init__(
        self,
        role: str,
        lanes: Mapping[Lane, tuple[OpenConsumer, str]],
        executor: Executor,
        has_record: Callable[[Place, int], bool],
        stalled_after_s: float = STALLED_AFTER_S,
        clock: Clock = time,
        watermarks: Watermarks = WATERMARKS,
        turned: Turned = lambda: None,
        drain_s: float = DRAIN_S,
    ) -> None:
        self._role = role
        self._executor = executor
        self._clock = clock
        self._turned = turned
        self._drain_s = drain_s
        next_epoch = itertools.count(1).__next__
        self.readers = {
            lane: LaneReader(role, lane, topic, open_consumer, next_epoch, self._leave, watermarks)
            for lane, (open_consumer, topic) in lanes.items()
        }
        self._breakers = {lane: self._breaker(lane) for lane in lanes}
        self._watchdog = Watchdog(stalled_after_s, clock)
        self._stalled = StalledPartitions(stalled_after_s, has_record, clock)
        self._looks = itertools.cycle(self.readers.values())
        self._leaving: set[Lane] = set()
        self._is_closing = False
        self._commit_at = self._look_at = 0.0

    def run(self, stop: threading.Event) -> None:
        """Works until `stop` is set; then lets what runs end, commits it and leaves the groups."""
        self.open()
        try:
            while not stop.is_set():
                self.turn()
        except BaseException:
            self._executor.abandon()
            raise
        self.close()

    def open(self) -> None:
        """Joins the groups and starts the executor."""
        for reader in self.readers.values():
            reader.subscribe()
        self._executor.start()

    def turn(self) -> None:
        """Reads every lane once, takes what has ended, commits and looks round when it is time."""
        self._turned()
        self._read(next(iter(self.readers.values())), POLL_S)
        for reader in self.readers.values():
            self._read(reader)
        self._collect()
        now_s = self._clock.monotonic()
        if now_s >= self._commit_at:
            self._commit_at = now_s + COMMIT_EVERY_S
            for reader in self.readers.values():
                reader.commit()
        if now_s >= self._look_at:
            self._look_at = now_s + LOOK_EVERY_S
            next(self._looks).look()  # one partition a time: asking the broker holds up the polls
            self._watchdog.look(self._executor.marks())
            self._look_for_records()
        for breaker in self._breakers.values():
            breaker.look()

    @property
    def has_joined(self) -> bool:
        """Whether every lane's group has said which partitions are ours, be they none."""
        return all(reader.has_joined for reader in self.readers.values())

    def is_paused(self, lane: Lane) -> bool:
        """Whether a lane's breaker is open."""
        return self._breakers[lane].is_open

    def close(self) -> None:
        """Drops what waits, lets what runs end within the budget, commits, and leaves the groups.

        Raises Stalled when something runs on.
        """
        self._is_closing = True
        self._executor.abandon()
        self._drop(self._executor.lanes.drop(lambda _job: True))
        give_up_at = self._clock.monotonic() + self._drain_s
        while self._in_hand() and self._clock.monotonic() < give_up_at:
            self._clock.sleep(POLL_S)
            self._collect()
        for reader in self.readers.values():
            reader.commit_now()
            reader.close()
        if self._in_hand():
            raise Stalled(f"told to stop, {self._in_hand()} deliveries did not end within {self._drain_s:.0f} s")

    def _in_hand(self) -> int:
        return sum(reader.in_hand() for reader in self.readers.values())

    def _breaker(self, lane: Lane) -> Breaker:
        return Breaker(self._role, lane, lambda count: self._executor.lanes.allow(lane, count), self._clock)

    def _read(self, reader: LaneReader, wait_s: float = 0.0) -> None:
        for job in reader.read(wait_s):
            self._executor.put(job)

    def _collect(self) -> None:
        """Takes the executor's reports. Raises the error of a job that could not be brought to an end."""
        while True:
            try:
                self._end(self._executor.reports.get_nowait())
            except queue.Empty:
                break
        for reader in self.readers.values():
            reader.ledger.balance(reader.in_hand())

    def _end(self, report: Ended) -> None:
        if report.error is not None:
            raise report.error
        self.readers[report.job.lane].end(report.job, report.how)
        tenant = report.job.delivery.tenant
        self._breakers[report.job.lane].note(report.how, tenant, is_ours=report.is_ours)

    def _leave(self, reader: LaneReader, epochs: Collection[int], settle: bool) -> None:
        """Assignments end: drops what waits of them and, to settle them, lets what runs end within the budget.

        Meanwhile the other lanes are read: their members stay in their groups, and urgent work waits for nobody.
        """
        self._drop(self._executor.lanes.drop(lambda job: job.epoch in epochs))
        if settle and not self._is_closing:
            self._settle(reader, epochs)
        self._executor.left(reader.places(epochs))

    def _settle(self, reader: LaneReader, epochs: Collection[int]) -> None:
        self._leaving.add(reader.lane)
        give_up_at = self._clock.monotonic() + DRAIN_S
        while reader.in_hand(epochs) and self._clock.monotonic() < give_up_at:
            for other in self.readers.values():
                if other.lane not in self._leaving:
                    self._read(other)
            self._clock.sleep(POLL_S)
            self._collect()
        self._leaving.discard(reader.lane)

    def _drop(self, jobs: Collection[Job]) -> None:
        for job in jobs:
            self.readers[job.lane].end(job, "dropped")

    def _look_for_records(self) -> None:
        """Raises Stalled for a partition that has records for us which do not come."""
        progress = {place: its for reader in self.readers.values() for place, its in reader.lagging().items()}
        try:
            self._stalled.look(progress)
        except Unavailable as away:
            log.warning("liveness not known", role=self._role, reason=str(away))
