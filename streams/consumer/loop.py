"""The consumer loop: one thread polls and commits and never works, others work and never touch a consumer."""

import queue
import threading
import time
from collections import Counter as Tally
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from schemas.records import LANES, Lane
from streams.consumer.clients import delivery
from streams.consumer.ledger import committed, in_flight, polled
from streams.consumer.offsets import OffsetTracker
from streams.consumer.work import Crew, Ended, Job

HIGH_WATERMARK = 64
LOW_WATERMARK = 16
COMMIT_EVERY_S = 0.5
DRAIN_S = 60.0
POLL_S = 0.02

Place = tuple[str, int]
OpenConsumer = Callable[[Lane], tuple[Consumer, str]]

log = structlog.get_logger()


@dataclass
class _Assignment:
    epoch: int
    tracker: OffsetTracker


class ConsumerLoop:
    """Reads the lanes of one pool, hands deliveries to the crew, and commits what has ended.

    When the crew cannot have a result, retry or dead letter acknowledged, `run` raises with nothing of it committed,
    and the process is to exit.
    """

    def __init__(self, role: str, consumers: Mapping[Lane, tuple[Consumer, str]], crew: Crew) -> None:
        self._role = role
        self._consumers = consumers
        self._crew = crew
        self._assigned: dict[Place, _Assignment] = {}
        self._open: Tally[Place] = Tally()
        self._held: Tally[Lane] = Tally()
        self._paused: set[Lane] = set()
        self._epoch = 0

    def run(self, stop: threading.Event) -> None:
        """Works until `stop` is set; then lets what runs end, commits it and leaves the group."""
        for lane, (consumer, topic) in self._consumers.items():
            self._subscribe(lane, consumer, topic)
        self._crew.start()
        try:
            self._turn_until(stop)
        finally:
            self._crew.stop()
        self._collect()
        self._commit_all()
        for consumer, _ in self._consumers.values():
            consumer.close()

    def _subscribe(self, lane: Lane, consumer: Consumer, topic: str) -> None:
        def on_revoke(_consumer: Consumer, partitions: list[TopicPartition]) -> None:
            self._revoked(lane, partitions)

        def on_lost(_consumer: Consumer, partitions: list[TopicPartition]) -> None:
            self._lost(lane, partitions)

        def on_assign(_consumer: Consumer, partitions: list[TopicPartition]) -> None:
            self._taken(lane, partitions)

        consumer.subscribe([topic], on_assign=on_assign, on_revoke=on_revoke, on_lost=on_lost)

    def _turn_until(self, stop: threading.Event) -> None:
        commit_at = 0.0
        while not stop.is_set():
            for lane in self._consumers:
                self._poll(lane)
            self._collect()
            if time.monotonic() >= commit_at:
                self._commit_all()
                commit_at = time.monotonic() + COMMIT_EVERY_S

    # reading

    def _poll(self, lane: Lane) -> None:
        consumer, _ = self._consumers[lane]
        self._hold_back(lane, consumer)
        for message in consumer.consume(LOW_WATERMARK, POLL_S if lane == LANES[0] else 0):
            error = message.error()
            if error is None:
                read = delivery(message)
                assignment = self._assigned[read.topic, read.partition]
                assignment.tracker.track(read.offset)
                self._count(Job(read, lane, assignment.epoch), 1)
                polled.labels(self._role, lane).inc()
                self._crew.lanes.put(lane, Job(read, lane, assignment.epoch))
            else:
                _tolerate(error)

    def _hold_back(self, lane: Lane, consumer: Consumer) -> None:
        """Pauses a lane whose work has piled up and resumes it when most is done; never toggled per delivery."""
        if lane not in self._paused and self._held[lane] >= HIGH_WATERMARK:
            consumer.pause(consumer.assignment())
            self._paused.add(lane)
        elif lane in self._paused and self._held[lane] <= LOW_WATERMARK:
            consumer.resume(consumer.assignment())
            self._paused.discard(lane)

    def _count(self, job: Job, change: int) -> None:
        self._open[job.delivery.topic, job.delivery.partition] += change
        self._held[job.lane] += change
        in_flight.labels(self._role, job.lane).inc(change)

    # ending

    def _collect(self, wait_s: float = 0.0) -> None:
        """Takes the crew's reports. Raises the error of a job that could not be brought to an end."""
        try:
            report = self._crew.reports.get(timeout=wait_s) if wait_s else self._crew.reports.get_nowait()
            while True:
                self._finish(report)
                report = self._crew.reports.get_nowait()
        except queue.Empty:
            return

    def _finish(self, report: Ended) -> None:
        if report.error is not None:
            raise report.error
        self._count(report.job, -1)
        read = report.job.delivery
        assignment = self._assigned.get((read.topic, read.partition))
        if assignment is not None and assignment.epoch == report.job.epoch:
            assignment.tracker.finish(read.offset)

    def _commit_all(self) -> None:
        for lane, (consumer, topic) in self._consumers.items():
            self._commit(lane, consumer, [place for place in self._assigned if place[0] == topic])

    def _commit(self, lane: Lane, consumer: Consumer, places: list[Place]) -> None:
        ready = {place: self._assigned[place].tracker.committable() for place in places if place in self._assigned}
        offsets = [TopicPartition(*place, offset) for place, offset in ready.items() if offset is not None]
        if not offsets:
            return
        try:
            consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            log.warning("commit refused", role=self._role, lane=lane, error=str(error))
            return
        for place, offset in ready.items():
            if offset is not None:
                committed.labels(self._role).inc(self._assigned[place].tracker.committed(offset))

    # rebalancing

    def _taken(self, lane: Lane, partitions: list[TopicPartition]) -> None:
        self._epoch += 1
        consumer, _ = self._consumers[lane]
        for partition in partitions:
            self._assigned[partition.topic, partition.partition] = _Assignment(self._epoch, OffsetTracker())
        consumer.incremental_assign(partitions)
        if lane in self._paused:
            consumer.pause(partitions)
        else:
            consumer.resume(partitions)  # one that was paused when it was revoked would come back paused

    def _revoked(self, lane: Lane, partitions: list[TopicPartition]) -> None:
        """Drops what waits, lets what runs end within the budget, commits, and gives the partitions back."""
        places = [(partition.topic, partition.partition) for partition in partitions]
        self._drop_waiting(places)
        give_up_at = time.monotonic() + DRAIN_S
        while any(self._open[place] for place in places) and time.monotonic() < give_up_at:
            self._collect(wait_s=0.1)
        consumer, _ = self._consumers[lane]
        self._commit(lane, consumer, places)
        self._let_go(consumer, partitions, places)

    def _lost(self, lane: Lane, partitions: list[TopicPartition]) -> None:
        """Somebody else has these partitions already: what is in hand counts no more, nothing is committed."""
        places = [(partition.topic, partition.partition) for partition in partitions]
        log.warning("partitions lost", role=self._role, places=places)
        self._drop_waiting(places)
        self._let_go(self._consumers[lane][0], partitions, places)

    def _drop_waiting(self, places: list[Place]) -> None:
        dropped = self._crew.lanes.drop(lambda job: (job.delivery.topic, job.delivery.partition) in places)
        for job in dropped:
            self._count(job, -1)

    def _let_go(self, consumer: Consumer, partitions: list[TopicPartition], places: list[Place]) -> None:
        for place in places:
            self._assigned.pop(place, None)
        consumer.incremental_unassign(partitions)


def _tolerate(error: KafkaError) -> None:
    """Errors that librdkafka recovers from by itself are told; others end the loop."""
    if error.fatal():
        raise KafkaException(error)
    log.warning("kafka", error=str(error), code=error.name())
