"""What the groups have not read yet, and how near it is to the end of its topic's retention.

Kafka removes records by their age, read or not. So a topic keeps its records for twice as long as its oldest unread one
is old: see streams.services.operating.retention. What fell out all the same is named, by the offsets that no group
read.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from schemas.topics import Topic
from streams.consumer import drift, groups, reading
from streams.consumer.clients import open_consumer
from streams.consumer.drift import ENDLESS, Drift
from streams.consumer.reading import CALL_S, Place
from streams.runtime.errors import Unavailable
from streams.runtime.settings import Settings

RETENTION = "retention.ms"
WARN_SHARE = 0.5
_POLL_S = 0.2


@dataclass(frozen=True)
class Unread:
    """How one group stands with one partition: the next offset that it reads, the first that is still there, the end,
    and the age of the oldest record that it has not read."""

    group: str
    topic: str
    partition: int
    committed: int
    low: int
    end: int
    age_ms: int
    retention_ms: int

    @property
    def lost(self) -> int:
        """How many offsets were removed before the group read them."""
        return max(0, self.low - self.committed)

    @property
    def behind(self) -> int:
        """How many offsets the group has not read; markers of transactions are among them."""
        return self.end - max(self.low, self.committed)

    @property
    def share(self) -> float:
        """How much of the retention the oldest unread record has used; 1 and it is gone."""
        return 0.0 if self.retention_ms == ENDLESS else self.age_ms / self.retention_ms

    @property
    def name(self) -> str:
        return f"{self.topic}/{self.partition}"


Readers = Mapping[str, Sequence[Topic]]


@dataclass(frozen=True)
class Gap:
    """The offsets `first` to `behind` - 1 of a partition, which are gone and which `group` never read."""

    group: str
    topic: str
    partition: int
    first: int
    behind: int


def expiring(settings: Settings) -> Readers:
    """Every group, and those of its topics that do not keep their records for ever."""
    every = groups.readers(settings.retry_delays)
    return {group: [topic for topic in read if topic.retention_days is not None] for group, read in every.items()}


def gaps(settings: Settings, read_by: Readers) -> list[Gap]:
    """What was removed before its group read it. Raises Unavailable."""
    committed = _committed(settings, read_by)
    consumer = open_consumer(settings, groups.READER)
    try:
        with reading.translated(settings):
            lows = {place: _watermarks(consumer, place)[0] for _, place in committed}
    finally:
        consumer.close()
    return [
        Gap(group, *place, offset, lows[place]) for (group, place), offset in committed.items() if offset < lows[place]
    ]


def find(settings: Settings, read_by: Readers | None = None) -> list[Unread]:
    """Every partition of which a group has something unread, or lost; of all groups and topics by default.

    Raises Unavailable, Refused.
    """
    committed = _committed(settings, groups.readers(settings.retry_delays) if read_by is None else read_by)
    consumer = open_consumer(settings, groups.READER, **{"enable.partition.eof": True})
    try:
        with reading.translated(settings):
            marks = {place: _watermarks(consumer, place) for _, place in committed}
            behind = {key: offset for key, offset in committed.items() if offset < marks[key[1]][1]}
            starts = {place: min(o for (_, p), o in behind.items() if p == place) for _, place in behind}
            written_ms = _first_times(consumer, {place: max(starts[place], marks[place][0]) for place in starts})
    finally:
        consumer.close()
    retention = drift.retention_ms(settings, sorted({topic for topic, _ in starts}))
    now_ms = time.time_ns() // 1_000_000
    return [
        Unread(
            group, *place, offset, *marks[place], max(0, now_ms - written_ms.get(place, now_ms)), retention[place[0]]
        )
        for (group, place), offset in behind.items()
        if place in written_ms or offset < marks[place][0]
    ]


def _committed(settings: Settings, read_by: Readers) -> dict[tuple[str, Place], int]:
    return {
        (group, place): offset
        for group, read in read_by.items()
        if read
        for place, offset in reading.committed(settings, group, [topic.name for topic in read]).items()
    }


def too_short(unread: list[Unread]) -> list[Drift]:
    """The topics whose retention is to be extended, each to twice the age of its oldest unread record."""
    wanted: dict[str, Unread] = {}
    for each in unread:
        if each.share > WARN_SHARE and (each.topic not in wanted or each.age_ms > wanted[each.topic].age_ms):
            wanted[each.topic] = each
    return [Drift(topic, RETENTION, str(each.retention_ms), str(2 * each.age_ms)) for topic, each in wanted.items()]


def _watermarks(consumer: Consumer, place: Place) -> tuple[int, int]:
    low_and_high = consumer.get_watermark_offsets(TopicPartition(*place), timeout=CALL_S)
    if low_and_high is None:
        raise TimeoutError
    low, high = low_and_high
    return low, high


def _first_times(consumer: Consumer, starts: Mapping[Place, int]) -> dict[Place, int]:
    """When the first record at or behind an offset was written; none where only markers of transactions are left."""
    consumer.assign([TopicPartition(*place, offset) for place, offset in starts.items()])
    found: dict[Place, int] = {}
    open_places = set(starts)
    give_up_at = time.monotonic() + CALL_S + len(starts)
    while open_places:
        if time.monotonic() > give_up_at:
            raise Unavailable(f"{sorted(open_places)[0]} is not read in time")
        for message in consumer.consume(len(open_places), _POLL_S):
            place = (str(message.topic()), int(message.partition() or 0))
            error = message.error()
            if error is None:
                found.setdefault(place, message.timestamp()[1])
            elif error.code() != KafkaError._PARTITION_EOF:
                raise KafkaException(error)
            if place in open_places:
                open_places.discard(place)
                consumer.incremental_unassign([TopicPartition(*place)])
    return found
