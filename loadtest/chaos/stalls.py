"""How long partitions stand still though there is something to read: what an outage is to those who wait."""

import threading
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from schemas import topics
from streams.consumer import groups
from streams.consumer.clients import open_consumer
from streams.runtime.settings import Settings

Place = tuple[str, str, int]  # group, topic, partition
SAMPLE_EVERY_S = 0.5
CALL_S = 5.0
# A client of librdkafka's may go on to ask a coordinator that is none any more (confluentinc/librdkafka#5511).
RENEWED_AFTER_S = 15.0
# Transactions leave markers behind the last record of this one, so that it never looks read.
UNMEASURED = frozenset({topics.PUBLISHED.name})


@dataclass
class _Stand:
    """The committed offset of a partition that has something to read, and since when it is so."""

    offset: int
    since_s: float
    behind: bool = False


@dataclass(frozen=True)
class Stall:
    """The longest time that a partition stood still, and which it was; 0 s and none where none did."""

    seconds: float = 0.0
    place: Place | None = None


class Stalls:
    """The stalls of every partition, sampled by a thread of its own. Whatever ended it is raised by `looked_since`."""

    def __init__(self, settings: Settings) -> None:
        self._places = [
            (group, topic.name, partition)
            for group, read in groups.readers(()).items()
            for topic in read
            if topic.name not in UNMEASURED
            for partition in range(settings.kafka_partitions)
        ]
        self._settings = settings
        self._consumers = self._open()
        self._opened_s = time.monotonic()
        self._looked_s = 0.0
        self._failure: BaseException | None = None
        self._stands: dict[Place, _Stand] = {}
        self._longest_s: dict[Place, float] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stalls", daemon=True)
        self._thread.start()

    def forget(self) -> None:
        """Begins a new measurement: a stall that is under way counts from now on."""
        now_s = time.monotonic()
        with self._lock:
            self._longest_s.clear()
            for stand in self._stands.values():
                stand.since_s = now_s

    def longest(self, of: Collection[str]) -> Stall:
        """The longest stall of these groups since the measurement began."""
        with self._lock:
            its = (Stall(s, place) for place, s in self._longest_s.items() if place[0] in of)
            return max(its, key=lambda stall: stall.seconds, default=Stall())

    def looked_since(self, moment_s: float) -> bool:
        """Whether everything was looked at anew after that moment; nothing that is older says how things stand."""
        with self._lock:
            if self._failure is not None:
                raise RuntimeError("nobody samples any more") from self._failure
            return self._looked_s > moment_s

    def stalled(self, of: Collection[str], since_s: float) -> int:
        """How many partitions of these groups have something to read and have not moved since then."""
        with self._lock:
            return sum(
                stand.behind and stand.since_s < since_s for (group, _, _), stand in self._stands.items() if group in of
            )

    def behind(self) -> int:
        """How many partitions have something to read."""
        with self._lock:
            return sum(stand.behind for stand in self._stands.values())

    def stop(self) -> None:
        """Ends the thread."""
        self._stop.set()
        self._thread.join()
        self._close()

    def _open(self) -> dict[str, Consumer]:
        """They ask only; none joins its group."""
        of = sorted({group for group, _, _ in self._places})
        return {group: open_consumer(self._settings, group, log_level=0) for group in of}

    def _close(self) -> None:
        for consumer in self._consumers.values():
            consumer.close()

    def _renew(self) -> None:
        self._close()
        self._consumers = self._open()
        self._opened_s = time.monotonic()

    def _run(self) -> None:
        try:
            self._look()
            while not self._stop.wait(SAMPLE_EVERY_S):
                self._look()
        except BaseException as error:
            with self._lock:
                self._failure = error

    def _look(self) -> None:
        began_s = time.monotonic()
        with suppress(KafkaException):  # the broker is away; stalls go on
            self._sample(self._ends(), self._committed(), began_s)
            return
        if time.monotonic() > max(self._looked_s, self._opened_s) + RENEWED_AFTER_S:
            self._renew()

    def _sample(self, ends: Mapping[tuple[str, int], int], committed: Mapping[Place, int], began_s: float) -> None:
        now_s = time.monotonic()
        with self._lock:
            for place in self._places:
                offset, end = committed.get(place, 0), ends[place[1:]]
                stand = self._stands.setdefault(place, _Stand(offset, now_s))
                if stand.behind:
                    self._longest_s[place] = max(self._longest_s.get(place, 0.0), now_s - stand.since_s)
                if not stand.behind or offset != stand.offset:
                    stand.since_s = now_s
                stand.offset, stand.behind = offset, offset < end
            self._looked_s = began_s

    def _ends(self) -> dict[tuple[str, int], int]:
        consumer = next(iter(self._consumers.values()))
        return {(topic, partition): _end(consumer, topic, partition) for _, topic, partition in self._places}

    def _committed(self) -> dict[Place, int]:
        return {
            (group, place.topic, place.partition): max(0, place.offset)
            for group, consumer in self._consumers.items()
            for place in consumer.committed([TopicPartition(*it[1:]) for it in self._places if it[0] == group], CALL_S)
        }


def _end(consumer: Consumer, topic: str, partition: int) -> int:
    """Where a partition ends. Raises KafkaException, also where there is no answer in time."""
    low_and_high = consumer.get_watermark_offsets(TopicPartition(topic, partition), CALL_S)
    if low_and_high is None:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
    return int(low_and_high[1])
