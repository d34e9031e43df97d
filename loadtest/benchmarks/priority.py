"""How long urgent work waits while bulk work saturates the workers, beside a consumer of a single topic.

The worker's own loop, lanes and executor, on Apache Kafka; what stands in for the engine is a task of a fixed
length. Waits count from the producer's clock to the start of the work, in lengths of one task. Three scenes: urgent
tasks at random over a bulk backlog; a flood of urgent tasks, more than the workers can do, over the same backlog;
and the first scene once more with a consumer that takes one topic in order.
"""

import json
import queue
import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import quantiles

import structlog
from confluent_kafka import Producer

from schemas import topics
from schemas.records import LANES, Lane
from streams.consumer.clients import AcknowledgedProducer, delivery, make_topics, open_member, producer_config
from streams.consumer.isolation import Isolation, MemoryTrials
from streams.consumer.letters import Delivery, Outgoing, RetryPolicy
from streams.consumer.loop import ConsumerLoop
from streams.consumer.reader import OpenConsumer
from streams.consumer.reading import has_record
from streams.consumer.work import Executor, Wait
from streams.embedded import choose_broker
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings

CACHE = Path(__file__).parents[2] / ".cache"
TASK_S = 0.2
THREADS = 2
CAPACITY_PER_S = THREADS / TASK_S
URGENT_PER_S = 0.1 * CAPACITY_PER_S
FLOOD_PER_S = 1.5 * CAPACITY_PER_S
ARRIVALS_S = 240.0
FLOOD_S = 30.0
FIFO_S = 20.0
BACKLOG = 5000
FIFO_BACKLOG = 200
TASK = bytes(500)
FIFO_TOPIC = topics.TASKS["compose", "standard"].name
TARGETS = {
    "urgent_p99_wait_batches": ("le", 1.5),
    "bulk_share": ("ge", 0.05),
    "bulk_share_in_urgent_flood": ("ge", 0.05),
}


class StandIn:
    """A handler that takes `TASK_S` for each task, and remembers who waited how long."""

    def __init__(self) -> None:
        self.waits: list[tuple[str, float]] = []

    def handle(self, read: Delivery, _wait: Wait) -> Sequence[Outgoing]:
        """See streams.consumer.work.Handler."""
        self.waits.append((read.tenant, time.time() - read.timestamp_ms / 1000))
        time.sleep(TASK_S)
        return []

    def give_up(self, _read: Delivery, _refusal: Refused) -> Sequence[Outgoing]:
        """See streams.consumer.work.Handler."""
        return []

    def urgent_waits(self) -> list[float]:
        """The waits of urgent tasks, in lengths of a task."""
        return [wait_s / TASK_S for tenant, wait_s in self.waits if tenant == "urgent"]

    def bulk_share(self) -> float:
        """How much of the work was bulk."""
        return sum(tenant == "bulk" for tenant, _ in self.waits) / len(self.waits)


def main() -> None:
    """Prints the scenes, and the figures as JSON in its last line."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with tempfile.TemporaryDirectory() as folder:
        broker = choose_broker(Path(folder), CACHE, "kafka")
        broker.start()
        try:
            settings = Settings(kafka_bootstrap_servers=broker.bootstrap_servers)
            make_topics(settings)
            figures = _lanes(settings) | _fifo(settings)
        finally:
            broker.stop()
    print(json.dumps({"figures": figures, "targets": TARGETS}))


def _lanes(settings: Settings) -> dict[str, float]:
    producer = Producer(producer_config(settings))
    _backlog(producer, topics.TASKS["cutout", "bulk"].name, BACKLOG)
    urgent = topics.TASKS["cutout", "urgent"].name
    handler = StandIn()
    with _worker(settings, handler):
        _arrivals(producer, urgent, URGENT_PER_S, for_s=TASK_S)
        _until(lambda: 0 < len(handler.urgent_waits()) < len(handler.waits))  # all groups have their partitions
        handler.waits.clear()
        _arrivals(producer, urgent, URGENT_PER_S, ARRIVALS_S)
        time.sleep(5 * TASK_S)
        waits, bulk_share = handler.urgent_waits(), handler.bulk_share()
        handler.waits.clear()
        _arrivals(producer, urgent, FLOOD_PER_S, FLOOD_S)
        flooded = handler.bulk_share()
    return _percentiles("urgent", waits) | {
        "urgent_tasks": len(waits),
        "bulk_share": round(bulk_share, 3),
        "bulk_share_in_urgent_flood": round(flooded, 3),
    }


def _fifo(settings: Settings) -> dict[str, float]:
    producer = Producer(producer_config(settings))
    _backlog(producer, FIFO_TOPIC, FIFO_BACKLOG)
    handler = StandIn()
    with _fifo_worker(settings, handler):
        _until(lambda: len(handler.waits) > 2 * THREADS)
        sent = _arrivals(producer, FIFO_TOPIC, URGENT_PER_S, FIFO_S)
        _until(lambda: len(handler.urgent_waits()) == sent)
    return _percentiles("fifo_urgent", handler.urgent_waits())


@contextmanager
def _worker(settings: Settings, handler: StandIn) -> Iterator[None]:
    writer = AcknowledgedProducer(settings)
    executor = Executor("bench", handler, writer, RetryPolicy(()), Isolation("bench", MemoryTrials()), THREADS)
    lanes = {lane: (_open(settings, lane), topics.TASKS["cutout", lane].name) for lane in LANES}
    loop = ConsumerLoop("bench", lanes, executor, partial(has_record, settings))
    with _running(loop.run):
        yield
    writer.close()


@contextmanager
def _fifo_worker(settings: Settings, handler: StandIn) -> Iterator[None]:
    tasks: queue.Queue[Delivery | None] = queue.Queue(THREADS)

    def poll(stop: threading.Event) -> None:
        consumer = open_member(settings, "bench.fifo")
        consumer.subscribe([FIFO_TOPIC])
        while not stop.is_set():
            for message in consumer.consume(1, 0.1):
                tasks.put(delivery(message))
        consumer.close()
        for _ in range(THREADS):
            tasks.put(None)

    def work() -> None:
        while (task := tasks.get()) is not None:
            handler.handle(task, Wait())

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    with _running(poll):
        yield
    for thread in threads:
        thread.join()


@contextmanager
def _running(run: Callable[[threading.Event], None]) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=run, args=[stop])
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _open(settings: Settings, lane: Lane) -> OpenConsumer:
    return lambda on_commit: open_member(settings, f"bench.{lane}", on_commit=on_commit)


def _backlog(producer: Producer, topic: str, count: int) -> None:
    for number in range(count):
        producer.produce(topic, TASK, f"bulk|{number}")
    producer.flush()


def _arrivals(producer: Producer, topic: str, per_s: float, for_s: float) -> int:
    """Urgent tasks at random times; returns how many."""
    rng = random.Random(7)
    began_s = due_s = time.monotonic()
    count = 0
    while due_s < began_s + for_s:
        time.sleep(max(0.0, due_s - time.monotonic()))
        producer.produce(topic, TASK, f"urgent|{count}")
        producer.poll(0)
        count += 1
        due_s += rng.expovariate(per_s)
    producer.flush()
    return count


def _until(holds: Callable[[], bool]) -> None:
    while not holds():
        time.sleep(0.05)


def _percentiles(name: str, waits: list[float]) -> dict[str, float]:
    cuts = quantiles(waits, n=100, method="inclusive")
    figures = {f"{name}_p50_wait_batches": round(cuts[49], 2), f"{name}_p99_wait_batches": round(cuts[98], 2)}
    print(f"{name}: {len(waits)} tasks, waits in lengths of a task: p50 {cuts[49]:.2f}, p99 {cuts[98]:.2f}")
    return figures


if __name__ == "__main__":
    main()
