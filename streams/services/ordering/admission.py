"""Admission before work: whether a task in the urgent lane would be through before its deadline.

What is ahead of it is what the lane's group has not committed, asked by whatever gateway, and what this one has asked
since that was looked up. How long a place takes is learnt from this gateway's own tasks: the time from asking to the
answer, by the places that were ahead and its own. So it holds all that decides on it, the engine's milliseconds, the
number of workers and what bulk takes of them, and what is counted too high in places is counted too low in time.
"""

import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog
from confluent_kafka import Consumer, TopicPartition
from prometheus_client import Counter, Gauge

from schemas import topics
from schemas.operations.base import POOLS, Pool
from schemas.records import Lane
from streams.consumer import groups, reading
from streams.consumer.clients import open_consumer
from streams.runtime.clock import Clock
from streams.runtime.errors import Refused, Unavailable
from streams.runtime.settings import Settings

LANE: Lane = "urgent"
LOOK_S = 0.5  # as often as workers commit
STALE_S = 3.0  # what was seen longer ago says nothing any more
GAIN = 0.1  # of what the last task took over those before
FILLED_SHARE = 0.8  # of the time until a deadline: tasks differ, and half of them take longer than the mean
REFUSAL = "over_capacity"

refused = Counter("packshot_admission_refused_total", "Pictures that were refused before any work", ["pool"])
ahead = Gauge("packshot_admission_ahead", "Tasks of the urgent lane that a new one would wait for", ["pool"])
place_ms = Gauge("packshot_admission_place_ms", "What a place in the urgent lane takes", ["pool"])
log = structlog.get_logger()


class OverCapacity(Refused):
    """The lane cannot be through in time; `retry_after_s` is when it could be, should nobody else come."""

    def __init__(self, wait_ms: float, left_ms: float) -> None:
        message = f"it would take {wait_ms / 1000:.1f} s, and is wanted within {max(left_ms, 0) / 1000:.1f} s"
        super().__init__(REFUSAL, message, transient=True)
        self.retry_after_s = max(1, math.ceil((wait_ms - left_ms) / 1000))


@dataclass(frozen=True)
class Place:
    """A task's place in a pool's lane: how many were ahead when it was asked, and when that was."""

    pool: Pool
    ahead: int
    since_s: float


Seen = Callable[[Mapping[Pool, int]], Mapping[Pool, int]]


class Admission:
    """What this gateway has asked, and what it learnt of the lane's pace. Thread-safe.

    `others` tells how much of each pool is unread beyond what this gateway has asked; see `Unread.others`.
    """

    def __init__(self, others: Seen, clock: Clock = time) -> None:
        self._others = others
        self._clock = clock
        self._waiting: dict[Pool, int] = dict.fromkeys(POOLS, 0)
        self._place_ms: dict[Pool, float | None] = dict.fromkeys(POOLS)
        self._lock = threading.Lock()

    def check(self, pools: list[Pool], deadline_ms: int) -> None:
        """Raises OverCapacity where tasks of these pools, one after the other, would not end by then (Unix time).

        Where nothing is ahead they may try: so the pace is learnt anew after a bad time.
        """
        left_ms = deadline_ms - self._clock.time() * 1000
        places = {pool: self._ahead(pool) for pool in pools}
        wait_ms = sum((count + 1) * (self._place_ms[pool] or 0.0) for pool, count in places.items())
        if any(places.values()) and wait_ms > FILLED_SHARE * left_ms:
            refused.labels(pools[0]).inc()
            raise OverCapacity(wait_ms, left_ms)

    def begin(self, pool: Pool) -> Place:
        """Notes that a task is asked now."""
        count = self._ahead(pool)
        with self._lock:
            self._waiting[pool] += 1
        return Place(pool, count, self._clock.monotonic())

    def end(self, place: Place, was_done: bool) -> None:
        """Notes that a task has its answer, or that nobody waits for it any more."""
        took_ms = (self._clock.monotonic() - place.since_s) * 1000
        with self._lock:
            self._waiting[place.pool] -= 1
            if not was_done:
                return
            each_ms, known_ms = took_ms / (place.ahead + 1), self._place_ms[place.pool]
            self._place_ms[place.pool] = each_ms if known_ms is None else known_ms + GAIN * (each_ms - known_ms)
        place_ms.labels(place.pool).set(self._place_ms[place.pool] or 0.0)

    def _ahead(self, pool: Pool) -> int:
        """What others have asked, as far as that is known, and what this gateway has."""
        count = self._waiting[pool] + self._others(dict(self._waiting)).get(pool, 0)
        ahead.labels(pool).set(count)
        return count


class Unread:
    """How much of the urgent lane's topics their groups have not read. Looks while somebody asks. Thread-safe."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._unread: Mapping[Pool, int] = {}
        self._seen_s = -math.inf
        self._own: Mapping[Pool, int] = {}
        self._wanted = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def others(self, own: Mapping[Pool, int]) -> Mapping[Pool, int]:
        """What was unread lately beyond the caller's `own`, by pool; nothing where nobody has looked lately."""
        self._own = own
        self._wanted.set()
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, name="urgent-lane", daemon=True)
                self._thread.start()
        return self._unread if time.monotonic() - self._seen_s < STALE_S else {}

    def close(self) -> None:
        """Looks no more."""
        self._closed.set()
        self._wanted.set()

    def _look(self) -> None:
        while not self._closed.is_set():
            try:
                self._follow()
            except Unavailable as away:
                log.warning("the urgent lane is not known", reason=str(away))
                self._closed.wait(STALE_S)

    def _follow(self) -> None:
        consumers = {pool: open_consumer(self._settings, groups.worker(pool, LANE)) for pool in POOLS}
        try:
            while not self._closed.is_set():
                self._wanted.wait()
                self._wanted.clear()
                own = self._own
                with reading.translated(self._settings):
                    unread = {pool: _unread(consumer, pool) for pool, consumer in consumers.items()}
                self._unread = {pool: max(count - own.get(pool, 0), 0) for pool, count in unread.items()}
                self._seen_s = time.monotonic()
                self._closed.wait(LOOK_S)
        finally:
            for consumer in consumers.values():
                consumer.close()


def _unread(consumer: Consumer, pool: Pool) -> int:
    """How many records of a pool's urgent topic its group has not committed."""
    name = topics.TASKS[pool, LANE].name
    there = consumer.list_topics(name, timeout=reading.CALL_S).topics[name].partitions
    places = consumer.committed([TopicPartition(name, number) for number in there], timeout=reading.CALL_S)
    count = 0
    for place in places:
        marks = consumer.get_watermark_offsets(TopicPartition(name, place.partition), timeout=reading.CALL_S)
        if marks is None:
            raise TimeoutError
        low, end = marks
        count += end - max(low, place.offset)  # nothing committed is a negative offset
    return count
