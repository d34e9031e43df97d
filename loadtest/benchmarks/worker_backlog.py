"""The backlog of photographs that all workers of the benchmark are given, and how long each takes over it."""

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from confluent_kafka import KafkaException, Producer, TopicPartition

from loadtest.benchmarks.worker_contenders import MODEL
from schemas import codec, topics
from schemas.identity import content_id
from schemas.records import CatalogChanged, Source, Step, Task, TaskCompleted
from streams.consumer import groups
from streams.consumer.clients import open_consumer, producer_config
from streams.consumer.letters import outgoing
from streams.facts import Database
from streams.runtime.settings import Settings

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache"
THREADS = (os.cpu_count() or 1) + 2
TIMEOUT_S = 300.0
NONE: dict[str, str] = {}
QUIET = {"log_level": 0}  # the broker is stopped before these clients are gone
Process = subprocess.Popen[str]


@dataclass(frozen=True)
class Drained:
    """How long a contender took for so many pictures, by the clock and by the processor."""

    pictures: int
    wall_s: float
    cpu_s: float

    @property
    def per_s(self) -> float:
        """Pictures a second."""
        return self.pictures / self.wall_s

    @property
    def cpu_s_each(self) -> float:
        """Seconds of CPU a picture."""
        return self.cpu_s / self.pictures


class Bench:
    """The broker, the facts, and what came out."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.folder = folder
        self.database = Database(settings.database)
        self.database.create_tables()
        self._producer = Producer(producer_config(settings) | QUIET)
        self._watcher = open_consumer(settings, groups.READER, **QUIET)

    def say(self, topic: str, pictures: Sequence[Path]) -> None:
        """Writes a task for each picture."""
        with self.database.begin() as facts:
            for picture in pictures:
                facts.products.put(product(picture))
        for picture in pictures:
            record = outgoing(task(picture), "bench")
            self._producer.produce(topic, record.value, record.key, headers=list(record.headers))
        self._producer.flush()

    def await_topics(self) -> None:
        """Waits until the topics have leaders."""
        deadline_s = time.monotonic() + TIMEOUT_S
        while True:
            with suppress(KafkaException):
                self.ends()
                return
            assert time.monotonic() < deadline_s, "waited in vain for the topics"
            self._watcher.list_topics(topics.COMPLETED.name, timeout=10)

    def ends(self) -> dict[int, int]:
        """The next offset of each partition of what was completed."""
        places = [TopicPartition(topics.COMPLETED.name, number) for number in range(self.settings.kafka_partitions)]
        return {place.partition: self._watcher.get_watermark_offsets(place, timeout=10)[1] for place in places}

    def completed(self, since: dict[int, int]) -> list[TaskCompleted]:
        """What the worker wrote since then: every task done, none of it found in the cache."""
        reader = open_consumer(self.settings, groups.READER)
        reader.assign([TopicPartition(topics.COMPLETED.name, *place) for place in since.items()])
        left, found = sum(self.ends().values()) - sum(since.values()), []
        while left:
            messages = reader.consume(min(left, 500), 1.0)
            left -= len(messages)
            found += [codec.decode(message.value() or b"") for message in messages]
        reader.close()
        events = [event for event in found if isinstance(event, TaskCompleted) and event.outcome == "done"]
        assert len(events) == len(found), found
        assert not any(event.cached for event in events)
        return events

    def drain(self, topic: str, members: Sequence[Process], pictures: Sequence[Path]) -> None:
        """Writes tasks, and waits until as many are completed."""
        wanted = sum(self.ends().values()) + len(pictures)
        self.say(topic, pictures)
        deadline_s = time.monotonic() + TIMEOUT_S
        while sum(self.ends().values()) < wanted:
            assert time.monotonic() < deadline_s, "waited in vain for pictures"
            assert all(member.poll() is None for member in members), "a contender has ended"
            time.sleep(0.02)

    @contextmanager
    def process(
        self, command: Sequence[str], environment: dict[str, str] = NONE, *, piped: bool = False
    ) -> Iterator[Process]:
        """A process with the bench's settings in its environment, ended with the block."""
        settings: dict[str, str] = {
            "PACKSHOT_KAFKA_BOOTSTRAP_SERVERS": self.settings.bootstrap_servers,
            "PACKSHOT_DATA_FOLDER": str(self.settings.data_folder),
            "PACKSHOT_CACHE_FOLDER": str(CACHE),
            "PACKSHOT_SOURCE_FILE_ROOTS": "/",
            "PACKSHOT_WORKER_THREADS": str(THREADS),
            "PACKSHOT_CUTOUT_MODEL": MODEL.ref,
            "PACKSHOT_LOG_LEVEL": "warning",
        }
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | settings | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if piped else subprocess.DEVNULL,
            text=True,
        )
        try:
            yield process
        finally:
            end(process)


def product(picture: Path) -> CatalogChanged:
    """A product with this photograph."""
    source = Source(uri=picture.as_uri())
    return CatalogChanged(tenant="bench", sku=picture.stem, version=1, sources=[source], channels=["amazon"])


def task(picture: Path) -> Task:
    """To cut it out."""
    return Task(
        task_id=content_id(picture.as_uri()),
        tenant="bench",
        sku=picture.stem,
        version=1,
        lane="standard",
        step=Step(operation="cutout"),
        source=Source(uri=picture.as_uri()),
    )


def end(process: Process) -> None:
    """Ends a process and all that it started."""
    if process.poll() is not None:
        return
    members = family(process.pid)
    process.terminate()
    psutil.wait_procs(members, timeout=20)
    for left in members:
        with suppress(psutil.NoSuchProcess):
            left.kill()
    process.wait()


def family(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]
