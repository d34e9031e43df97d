"""What a worker's machinery costs a task: loop, lanes, offsets, executor and batcher, without a broker and an engine.

Deliveries lie in memory and never end, three lanes of four partitions and three tenants; a stand-in writer acknowledges
at once. Two scenes. In the first the engine answers at once: tasks a second of processor time, which is one core's time
however busy the machine is, for one thread at a time runs. In the second a batch takes time and no processor, and so
does what comes before and after it: how much of the time the engine is busy while there is a backlog. Afterwards every
offset that was committed has a task before it that ended, and the other way round.
"""

import itertools
import json
import threading
import time
from collections import Counter as Tally
from collections.abc import Callable, Sequence
from typing import Literal, overload

import numpy as np
import structlog
from confluent_kafka import KafkaError, TopicPartition

from gpu_workers.engines import Tensor
from gpu_workers.serving.batching import Batcher
from loadtest.benchmarks.message import Message
from schemas import topics
from schemas.records import LANES, Lane
from streams.consumer.isolation import Isolation, MemoryTrials
from streams.consumer.letters import Delivery, Outgoing, RetryPolicy
from streams.consumer.loop import ConsumerLoop
from streams.consumer.reader import OnCommit, OnRebalance, OpenConsumer
from streams.consumer.work import Executor, Wait
from streams.runtime.errors import Refused

PARTITIONS = 4
TENANTS = 3
BATCH_MAX = 16
SCHEDULED_TASKS = 40_000
SCHEDULING_THREADS = 2 * BATCH_MAX
BUSY_S = 15.0
BUSY_THREADS = 4 * BATCH_MAX
ENGINE_BATCH_S = 0.03
ENGINE_ITEM_S = 0.002
BESIDES_S = 0.03  # each of what comes before the engine, and what comes after it
VALUE = bytes(500)
PICTURE = np.zeros((1, 3, 4, 4), np.float32)
TARGETS = {"tasks_per_s": ("ge", 5000), "engine_busy_share": ("ge", 0.95)}


class Endless:
    """A consumer of a topic whose records never end; see streams.consumer.reader.LaneConsumer."""

    def __init__(self, topic: str, on_commit: OnCommit) -> None:
        self.topic = topic
        self.positions = dict.fromkeys(range(PARTITIONS), 0)
        self.offsets = dict.fromkeys(range(PARTITIONS), 0)
        self._on_commit = on_commit
        self._answers: list[list[TopicPartition]] = []
        self._paused: set[int] = set()
        self._assign: list[Callable[[], None]] = []
        self._turns = itertools.cycle(range(PARTITIONS))

    def subscribe(
        self,
        topics: list[str],
        on_assign: OnRebalance,
        on_revoke: OnRebalance,  # noqa: ARG002
        on_lost: OnRebalance,  # noqa: ARG002
    ) -> None:
        places = [TopicPartition(topics[0], partition) for partition in range(PARTITIONS)]
        self._assign.append(lambda: on_assign(self, places))

    def consume(self, num_messages: int, timeout: float) -> list[Message]:
        while self._assign:
            self._assign.pop()()
        while self._answers:
            self._on_commit(None, self._answers.pop())
        if len(self._paused) == PARTITIONS:
            time.sleep(timeout)
            return []
        return [self._next() for _ in range(num_messages)]

    def _next(self) -> Message:
        partition = next(partition for partition in self._turns if partition not in self._paused)
        offset = self.positions[partition]
        self.positions[partition] = offset + 1
        key = f"tenant-{offset % TENANTS}|sku-{offset}".encode()
        return Message(
            topic=self.topic, partition=partition, offset=offset, key=key, value=VALUE, headers=[], timestamp=(1, 1)
        )

    def pause(self, partitions: list[TopicPartition]) -> None:
        self._paused |= {place.partition for place in partitions}

    def resume(self, partitions: list[TopicPartition]) -> None:
        self._paused -= {place.partition for place in partitions}

    @overload
    def commit(self, *, offsets: list[TopicPartition], asynchronous: Literal[True]) -> None: ...
    @overload
    def commit(self, *, offsets: list[TopicPartition], asynchronous: Literal[False]) -> list[TopicPartition]: ...
    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> list[TopicPartition] | None:
        self.offsets |= {place.partition: place.offset for place in offsets}
        if not asynchronous:
            return offsets
        self._answers.append(offsets)
        return None

    def committed(self, partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]:  # noqa: ARG002
        return partitions

    def get_watermark_offsets(self, partition: TopicPartition, timeout: float) -> None: ...
    def incremental_assign(self, partitions: list[TopicPartition]) -> None: ...
    def incremental_unassign(self, partitions: list[TopicPartition]) -> None: ...
    def close(self) -> None: ...


class Writer:
    """Acknowledges at once."""

    def send_later(self, _records: Sequence[Outgoing], on_end: Callable[[KafkaError | None], None]) -> None:
        """See streams.consumer.work.Writer."""
        on_end(None)


class StandIn:
    """An engine that takes `batch_s` and `item_s` for each item, and no processor."""

    name = "stand-in"
    fingerprint = "0" * 64
    input_shape = PICTURE.shape[1:]
    max_batch = BATCH_MAX
    lanes = 1

    def __init__(self, batch_s: float, item_s: float) -> None:
        self._batch_s = batch_s
        self._item_s = item_s

    def infer(self, batch: Tensor) -> Tensor:
        """See gpu_workers.engines.Engine."""
        if self._batch_s:
            time.sleep(self._batch_s + self._item_s * len(batch))
        return batch

    def close(self) -> None: ...


class Handler:
    """Asks the batcher for each task, and takes `besides_s` before and after; counts what ended."""

    def __init__(self, batcher: Batcher, besides_s: float) -> None:
        self._batcher = batcher
        self._besides_s = besides_s
        self._count = itertools.count(1)
        self.handled = 0

    def handle(self, read: Delivery, _wait: Wait) -> Sequence[Outgoing]:
        """See streams.consumer.work.Handler."""
        with self._batcher.requester():
            if self._besides_s:
                time.sleep(self._besides_s)
            self._batcher.infer(PICTURE, time.monotonic() + 60, read.tenant)
        if self._besides_s:
            time.sleep(self._besides_s)
        self.handled = next(self._count)
        return [Outgoing("imagery.completed", read.key, VALUE, [])]

    def give_up(self, _read: Delivery, _refusal: Refused) -> Sequence[Outgoing]:
        """See streams.consumer.work.Handler."""
        return []


class Worker:
    """A worker in this process, but for its broker and its engine."""

    def __init__(self, threads: int, engine: StandIn, besides_s: float) -> None:
        self.batcher = Batcher(engine, max_batch=BATCH_MAX, max_wait_ms=5)
        self.batcher.warm_up()
        self.handler = Handler(self.batcher, besides_s)
        self.consumers: dict[Lane, Endless] = {}
        executor = Executor(
            "bench", self.handler, Writer(), RetryPolicy(()), Isolation("bench", MemoryTrials()), threads
        )
        lanes = {lane: (self._open(lane), topics.TASKS["cutout", lane].name) for lane in LANES}
        self._loop = ConsumerLoop("bench", lanes, executor, lambda _place, _offset: True)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop.run, args=[self._stop])

    def __enter__(self) -> "Worker":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.batcher.close()
        self._audit()

    def await_handled(self, count: int) -> None:
        """Waits until `count` tasks were worked on."""
        while self.handler.handled < count:
            time.sleep(0.005)

    def _open(self, lane: Lane) -> OpenConsumer:
        def open_consumer(on_commit: OnCommit) -> Endless:
            self.consumers[lane] = Endless(topics.TASKS["cutout", lane].name, on_commit)
            return self.consumers[lane]

        return open_consumer

    def _audit(self) -> None:
        """Every task that ended is committed, unless one before it was dropped when the worker stopped."""
        ended: Tally[str] = sum((reader.ledger.ended for reader in self._loop.readers.values()), Tally())
        committed = sum(sum(consumer.offsets.values()) for consumer in self.consumers.values())
        if not ended["done"] - BATCH_MAX * SCHEDULING_THREADS <= committed <= ended["done"] == self.handler.handled:
            raise AssertionError(f"{self.handler.handled} worked on, {dict(ended)} ended, {committed} committed")


def scheduling() -> dict[str, float]:
    """Tasks a second of processor time."""
    with Worker(SCHEDULING_THREADS, StandIn(0, 0), 0) as worker:
        worker.await_handled(SCHEDULED_TASKS // 10)
        first, cpu_s, wall_s = worker.handler.handled, time.process_time(), time.monotonic()
        worker.await_handled(first + SCHEDULED_TASKS)
        tasks = worker.handler.handled - first
        cpu_s, wall_s = time.process_time() - cpu_s, time.monotonic() - wall_s
        counters = worker.batcher.counters
    figures = {
        "tasks_per_s": tasks / cpu_s,
        "tasks_per_s_by_the_clock": tasks / wall_s,
        "items_per_batch": counters.items / counters.batches,
    }
    return {name: round(figure, 1) for name, figure in figures.items()}


def overlapping() -> dict[str, float]:
    """How much of the time the engine is busy."""
    with Worker(BUSY_THREADS, StandIn(ENGINE_BATCH_S, ENGINE_ITEM_S), BESIDES_S) as worker:
        worker.await_handled(4 * BUSY_THREADS)
        busy_s, wall_s = worker.batcher.counters.busy_seconds, time.monotonic()
        time.sleep(BUSY_S)
        busy_s, wall_s = worker.batcher.counters.busy_seconds - busy_s, time.monotonic() - wall_s
    return {"engine_busy_share": round(busy_s / wall_s, 4)}


def main() -> None:
    """Prints the figures as JSON in its last line."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    print(json.dumps({"figures": scheduling() | overlapping(), "targets": TARGETS}))


if __name__ == "__main__":
    main()
