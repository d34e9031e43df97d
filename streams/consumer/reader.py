"""One lane's consumer: what was read and has not ended, what may be committed, and what is held back."""

from collections import Counter as Tally
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, overload

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from schemas.records import Lane
from streams.consumer.clients import delivery
from streams.consumer.joining import Joining
from streams.consumer.ledger import Ledger
from streams.consumer.offsets import OffsetTracker
from streams.consumer.reading import Place
from streams.consumer.stalled import Progress
from streams.consumer.work import Job

ASK_S = 2.0

OnCommit = Callable[[KafkaError | None, list[TopicPartition]], None]
OnRebalance = Callable[[Any, list[TopicPartition]], None]

log = structlog.get_logger()


class LaneConsumer(Protocol):
    """What is used of confluent_kafka.Consumer."""

    def subscribe(
        self, topics: list[str], on_assign: OnRebalance, on_revoke: OnRebalance, on_lost: OnRebalance
    ) -> None: ...
    def consume(self, num_messages: int, timeout: float) -> list[Message]: ...
    def pause(self, partitions: list[TopicPartition]) -> None: ...
    def resume(self, partitions: list[TopicPartition]) -> None: ...
    @overload
    def commit(self, *, offsets: list[TopicPartition], asynchronous: Literal[True]) -> None: ...
    @overload
    def commit(self, *, offsets: list[TopicPartition], asynchronous: Literal[False]) -> list[TopicPartition]: ...
    def committed(self, partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]: ...
    def get_watermark_offsets(self, partition: TopicPartition, timeout: float) -> tuple[int, int] | None: ...
    def incremental_assign(self, partitions: list[TopicPartition]) -> None: ...
    def incremental_unassign(self, partitions: list[TopicPartition]) -> None: ...
    def close(self) -> None: ...


OpenConsumer = Callable[[OnCommit], LaneConsumer]


@dataclass(frozen=True)
class Watermarks:
    """How many deliveries: at most at a time, in hand of a lane, from the first unfinished one on of a partition.

    Above `high` a lane or a partition is held back, until it is down to `low`.
    """

    read_max: int = 32
    held_high: int = 256
    held_low: int = 64
    span_high: int = 512
    span_low: int = 256


WATERMARKS = Watermarks()


class LaneReader:
    """Reads one lane's topic. One thread owns it.

    `next_epoch` numbers assignments. `on_leave` is called with the epochs that are to be given back: it drops what
    waits of them and, when the second argument says so, lets what runs end.
    """

    def __init__(
        self,
        role: str,
        lane: Lane,
        topic: str,
        open_consumer: OpenConsumer,
        next_epoch: Callable[[], int],
        on_leave: "Callable[[LaneReader, Collection[int], bool], None]",
        watermarks: Watermarks,
    ) -> None:
        self.lane = lane
        self.topic = topic
        self.ledger = Ledger(role, lane)
        self._next_epoch = next_epoch
        self._on_leave = on_leave
        self._watermarks = watermarks
        self._trackers: dict[int, OffsetTracker] = {}
        self._in_hand: Tally[int] = Tally()
        self._held_back: set[int] = set()
        self._is_full = False
        self._committing: dict[int, int] = {}
        self._lagging: dict[int, Progress] = {}
        self._looks = 0
        self._joining = Joining()
        self._consumer = open_consumer(self._on_commit)

    def subscribe(self) -> None:
        """Joins the group."""
        self._joining.subscribed()
        self._consumer.subscribe(
            [self.topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )

    def read(self, wait_s: float) -> list[Job]:
        """What is there or, where it waits, the first to come; in hand from now on. Rebalances happen in here."""
        self._hold_back()
        jobs = []
        # librdkafka would wait to the end for a second one.
        for message in self._consumer.consume(1 if wait_s else self._watermarks.read_max, wait_s):
            error = message.error()
            if error is not None:
                _tolerate(error, self.lane)
                continue
            read = delivery(message)
            tracker = self._trackers.get(read.partition)
            if tracker is None:
                continue  # it was revoked while this batch was read; whoever has it now reads it
            tracker.track(read.offset)
            self.ledger.poll()
            self._in_hand[tracker.epoch] += 1
            jobs.append(Job(read, self.lane, tracker.epoch))
        return jobs

    def end(self, job: Job, how: str) -> None:
        """A job ended; what was dropped is not finished, and stays behind every commit."""
        self.ledger.end(how)
        self._in_hand[job.epoch] -= 1
        if not self._in_hand[job.epoch]:
            del self._in_hand[job.epoch]
        tracker = self._trackers.get(job.delivery.partition)
        if tracker is not None and how != "dropped":
            tracker.finish(job.delivery.offset, job.epoch)

    @property
    def partitions(self) -> set[int]:
        """The partitions that are ours."""
        return set(self._trackers)

    @property
    def has_joined(self) -> bool:
        """Whether the group has said which partitions are ours."""
        return self._joining.is_done

    def places(self, epochs: Collection[int]) -> list[Place]:
        """The partitions that are ours by some assignments."""
        return [(self.topic, number) for number, tracker in self._trackers.items() if tracker.epoch in epochs]

    def span(self) -> int:
        """The longest span of a partition; see OffsetTracker."""
        return max((tracker.span for tracker in self._trackers.values()), default=0)

    def in_hand(self, epochs: Iterable[int] | None = None) -> int:
        """How many jobs have not ended, of some assignments or of all that ever were."""
        return self._in_hand.total() if epochs is None else sum(self._in_hand[epoch] for epoch in epochs)

    def commit(self) -> None:
        """Asks the broker to commit what has ended, unless it has not yet answered the last time."""
        if self._committing:
            return
        ready = self._committable(self._trackers)
        if not ready:
            return
        try:
            self._consumer.commit(offsets=self._places(ready), asynchronous=True)
            self._committing = ready
        except KafkaException as error:
            log.warning("commit refused", lane=self.lane, error=str(error))

    def commit_now(self, partitions: Iterable[int] | None = None) -> None:
        """Commits what has ended and waits for the broker; one that refuses is told of, and the work is done again."""
        ready = self._committable(self._trackers if partitions is None else partitions)
        if not ready:
            return
        try:
            taken = self._consumer.commit(offsets=self._places(ready), asynchronous=False)
        except KafkaException as error:
            log.warning("commit refused", lane=self.lane, error=str(error))
            return
        for place in taken:
            self._note_commit(place, ready)

    def look(self) -> None:
        """Asks the broker of one partition, each time another, whether it has records for us that do not come."""
        idle = [partition for partition in self._trackers if self._is_idle(partition)]
        if not idle:
            return
        self._looks += 1
        partition = idle[self._looks % len(idle)]
        try:
            progress = self._progress_of(partition)
        except KafkaException as error:
            log.warning("lag not known", lane=self.lane, error=str(error))
            return
        self._lagging.pop(partition, None)
        if progress.committed < progress.end:
            self._lagging[partition] = progress

    def lagging(self) -> dict[Place, Progress]:
        """How each partition stands that did not end where we are when it was looked at, and still gets no record.

        Transactions' markers may be all that there is of it.
        """
        return {
            (self.topic, partition): progress
            for partition, progress in self._lagging.items()
            if self._is_idle(partition) and self._trackers[partition].next in (None, progress.committed)
        }

    def close(self) -> None:
        """Leaves the group."""
        self._consumer.close()

    def _is_idle(self, partition: int) -> bool:
        """Whether nothing of a partition is in hand although it is not held back."""
        tracker = self._trackers.get(partition)
        return tracker is not None and partition not in self._held_back and not self._in_hand[tracker.epoch]

    def _progress_of(self, partition: int) -> Progress:
        """Where we read on, and where the partition ends."""
        place = TopicPartition(self.topic, partition)
        watermarks = self._consumer.get_watermark_offsets(place, timeout=ASK_S)
        low, high = watermarks or (0, 0)
        next_offset = self._trackers[partition].next
        if next_offset is None:
            next_offset = self._consumer.committed([place], timeout=ASK_S)[0].offset
        return Progress(max(next_offset, low), high)

    def _committable(self, partitions: Iterable[int]) -> dict[int, int]:
        ready = {partition: self._trackers[partition].committable() for partition in partitions}
        return {partition: offset for partition, offset in ready.items() if offset is not None}

    def _places(self, offsets: dict[int, int]) -> list[TopicPartition]:
        return [TopicPartition(self.topic, partition, offset) for partition, offset in offsets.items()]

    def _on_commit(self, error: KafkaError | None, places: list[TopicPartition]) -> None:
        if error is not None:
            log.warning("commit refused", lane=self.lane, error=str(error))
        for place in places:
            if self._committing.get(place.partition) == place.offset:
                if error is None:
                    self._note_commit(place, self._committing)
                del self._committing[place.partition]

    def _note_commit(self, place: TopicPartition, offsets: dict[int, int]) -> None:
        if place.error is not None:
            log.warning("commit refused", lane=self.lane, partition=place.partition, error=str(place.error))
        else:
            self.ledger.commit(self._trackers[place.partition].committed(offsets[place.partition]))

    # back-pressure: librdkafka cannot be asked what is paused, and throws away what it prefetched when it pauses

    def _hold_back(self) -> None:
        """Holds back every partition while the lane is full, one whose span is full by itself; between the watermarks
        all stays as it is."""
        marks = self._watermarks
        self._is_full = self.in_hand() > marks.held_low if self._is_full else self.in_hand() >= marks.held_high
        wanted = {partition for partition, tracker in self._trackers.items() if self._is_to_wait(partition, tracker)}
        if pausing := wanted - self._held_back:
            self._consumer.pause([TopicPartition(self.topic, partition) for partition in pausing])
        if resuming := self._held_back - wanted:
            self._consumer.resume([TopicPartition(self.topic, partition) for partition in resuming])
        self._held_back = wanted

    def _is_to_wait(self, partition: int, tracker: OffsetTracker) -> bool:
        marks = self._watermarks
        is_long = tracker.span > marks.span_low if partition in self._held_back else tracker.span >= marks.span_high
        return self._is_full or is_long

    # rebalancing

    def _on_assign(self, _consumer: object, places: list[TopicPartition]) -> None:
        self._joining.assigned()
        for place in places:
            self._trackers[place.partition] = OffsetTracker(self._next_epoch())
            self._held_back.discard(place.partition)
        self._consumer.incremental_assign(places)
        self._consumer.resume(places)  # one that was paused when it was revoked would come back paused
        self._hold_back()

    def _on_revoke(self, _consumer: object, places: list[TopicPartition]) -> None:
        """Lets what runs end, commits, and gives the partitions back."""
        ours = [place.partition for place in places if place.partition in self._trackers]
        self._on_leave(self, [self._trackers[partition].epoch for partition in ours], True)
        self.commit_now(ours)
        self._let_go(places)

    def _on_lost(self, _consumer: object, places: list[TopicPartition]) -> None:
        """Somebody else has these partitions already: what is in hand counts no more, nothing is committed."""
        self._joining.lost()
        log.warning("partitions lost", lane=self.lane, partitions=[place.partition for place in places])
        ours = [place.partition for place in places if place.partition in self._trackers]
        self._on_leave(self, [self._trackers[partition].epoch for partition in ours], False)
        self._let_go(places)

    def _let_go(self, places: list[TopicPartition]) -> None:
        for place in places:
            self._trackers.pop(place.partition, None)
            self._committing.pop(place.partition, None)
            self._lagging.pop(place.partition, None)
            self._held_back.discard(place.partition)
        self._consumer.incremental_unassign(places)


def _tolerate(error: KafkaError, lane: Lane) -> None:
    """Errors that librdkafka recovers from by itself are told; others end the loop."""
    if error.fatal():
        raise KafkaException(error)
    log.warning("kafka", lane=lane, error=str(error), code=error.name())
