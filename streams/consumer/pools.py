"""How a pool's groups stand, from offsets alone: what waits, what came lately, and who is there to work on it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from confluent_kafka import Consumer, TopicPartition

from schemas import topics
from schemas.operations.base import Pool
from schemas.records import LANES, Lane
from streams.consumer import groups, reading
from streams.consumer.clients import open_consumer
from streams.consumer.reading import CALL_S, Place
from streams.runtime.settings import Settings


@dataclass(frozen=True)
class Queue:
    """A lane of a pool: tasks that its group has not ended, and those that came within each of some times.

    What a transaction's marker or an aborted one takes of the offsets counts, too; nobody writes tasks in transactions.
    """

    waiting: int
    came: Mapping[float, int]
    partitions: int


@dataclass(frozen=True)
class PoolState:
    """The lanes of a pool, and the workers in its groups."""

    lanes: Mapping[Lane, Queue]
    members: int


def look(settings: Settings, pool: Pool, within_s: Sequence[float]) -> PoolState:
    """How a pool stands; what came is counted for each of `within_s`, in seconds. Raises Unavailable."""
    lanes = {lane: _queue(settings, pool, lane, within_s) for lane in LANES}
    return PoolState(lanes, max(reading.members(settings, groups.worker(pool, lane)) for lane in LANES))


def _queue(settings: Settings, pool: Pool, lane: Lane, within_s: Sequence[float]) -> Queue:
    topic = topics.TASKS[pool, lane].name
    committed = reading.committed(settings, groups.worker(pool, lane), [topic])
    consumer = open_consumer(settings, groups.READER)
    try:
        with reading.translated(settings):
            marks = {place: _marks(consumer, place) for place in committed}
            came = {each_s: _came(consumer, marks, each_s) for each_s in within_s}
    finally:
        consumer.close()
    waiting = sum(max(0, high - max(low, committed[place])) for place, (low, high) in marks.items())
    return Queue(waiting, came, len(committed))


def _marks(consumer: Consumer, place: Place) -> tuple[int, int]:
    low_and_high = consumer.get_watermark_offsets(TopicPartition(*place), timeout=CALL_S)
    if low_and_high is None:
        raise TimeoutError
    return int(low_and_high[0]), int(low_and_high[1])


def _came(consumer: Consumer, marks: Mapping[Place, tuple[int, int]], within_s: float) -> int:
    """Offsets that were written since so many seconds ago, by the broker's own times."""
    if not marks:
        return 0
    since_ms = int((time.time() - within_s) * 1000)
    found = consumer.offsets_for_times([TopicPartition(*place, since_ms) for place in marks], timeout=CALL_S)
    firsts = {(each.topic, each.partition): each.offset for each in found}
    return sum(max(0, high - firsts[place]) for place, (_, high) in marks.items() if firsts[place] >= 0)
