"""What a backlog costs a worker in memory: a million tasks that wait, beside a thousand.

The worker's own loop, lanes and executor, on Apache Kafka, each time in a process of its own; what stands in for the
engine is a task of a fixed length. The peak is that of the whole process, after the same time at work.
"""

import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import psutil
import structlog
from confluent_kafka import Producer

from schemas import topics
from schemas.records import Lane
from streams.consumer import groups
from streams.consumer.clients import AcknowledgedProducer, make_topics, open_member, producer_config
from streams.consumer.isolation import Isolation, MemoryTrials
from streams.consumer.letters import Delivery, Outgoing, RetryPolicy
from streams.consumer.loop import ConsumerLoop
from streams.consumer.reading import has_record
from streams.consumer.work import Executor, Wait
from streams.embedded import choose_broker
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings

CACHE = Path(__file__).parents[2] / ".cache"
BACKLOGS: dict[Lane, int] = {"standard": 1_000, "bulk": 1_000_000}
TASK_BYTES = 1000
TASK_S = 0.02
WORK_S = 30.0
SAMPLE_EVERY_S = 0.05
TARGETS = {"memory_ratio": ("le", 1.05)}


class StandIn:
    """A handler that takes `TASK_S` for each task."""

    def __init__(self) -> None:
        self.handled = 0

    def handle(self, _read: Delivery, _wait: Wait) -> Sequence[Outgoing]:
        """See streams.consumer.work.Handler."""
        time.sleep(TASK_S)
        self.handled += 1
        return []

    def give_up(self, _read: Delivery, _refusal: Refused) -> Sequence[Outgoing]:
        """See streams.consumer.work.Handler."""
        return []


class Peak:
    """The most memory that this process has while the block lasts; the system's own figure is its parent's too."""

    def __init__(self) -> None:
        self.rss_bytes = 0
        self._process = psutil.Process()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample)

    def __enter__(self) -> "Peak":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._stop.wait(SAMPLE_EVERY_S):
            self.rss_bytes = max(self.rss_bytes, self._process.memory_info().rss)


def main() -> None:
    """Prints the figures as JSON in its last line."""
    with tempfile.TemporaryDirectory() as folder:
        broker = choose_broker(Path(folder), CACHE, "kafka")
        broker.start()
        try:
            settings = Settings(kafka_bootstrap_servers=broker.bootstrap_servers)
            make_topics(settings)
            peaks = {lane: _measure(settings, lane, count) for lane, count in BACKLOGS.items()}
        finally:
            broker.stop()
    figures = {
        "thousand_mib": round(peaks["standard"], 1),
        "million_mib": round(peaks["bulk"], 1),
        "memory_ratio": round(peaks["bulk"] / peaks["standard"], 3),
    }
    print(json.dumps({"figures": figures, "targets": TARGETS}))


def work(bootstrap_servers: str, lane: Lane) -> None:
    """The process that is measured: works on one lane for a while; prints how much it did and its peak in bytes."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    settings = Settings(kafka_bootstrap_servers=bootstrap_servers)
    handler, writer = StandIn(), AcknowledgedProducer(settings)
    executor = Executor("bench", handler, writer, RetryPolicy(()), Isolation("bench", MemoryTrials()), threads=2)
    group = groups.worker("cutout", lane)
    lanes = {lane: (lambda on_commit: open_member(settings, group, on_commit=on_commit), _topic(lane))}
    stop = threading.Event()
    threading.Timer(WORK_S, stop.set).start()
    with Peak() as peak:
        ConsumerLoop("bench", lanes, executor, partial(has_record, settings)).run(stop)
    writer.close()
    print(handler.handled, peak.rss_bytes)


def _measure(settings: Settings, lane: Lane, count: int) -> float:
    """Peak memory in MiB of a worker with `count` tasks before it."""
    producer = Producer(producer_config(settings) | {"linger.ms": 50})
    rng = random.Random(count)
    for number in range(count):
        while True:
            try:
                producer.produce(_topic(lane), rng.randbytes(TASK_BYTES // 2).hex(), f"tenant-{number % 7}|{number}")
                break
            except BufferError:
                producer.poll(0.1)
    producer.flush()
    command = [sys.executable, "-m", "loadtest.benchmarks.backlog", settings.bootstrap_servers, lane]
    handled, peak_bytes = map(int, subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())
    peak_mib = peak_bytes / 1024**2
    print(f"{count} tasks before it: {handled} worked on in {WORK_S:.0f} s, at most {peak_mib:.1f} MiB")
    return peak_mib


def _topic(lane: Lane) -> str:
    return topics.TASKS["cutout", lane].name


if __name__ == "__main__":
    if sys.argv[1:]:
        work(sys.argv[1], sys.argv[2])  # type: ignore[arg-type]
    else:
        main()
