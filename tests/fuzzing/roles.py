"""The roles that work on records: streams and worker, in this process, on brokers and stores in memory.

Every record that a role reads ends, the role goes on, and its position moves past it.
"""

import io
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import numpy as np
from confluent_kafka import KafkaError
from PIL import Image

from gpu_workers.operations.cutout import cutout as cutting
from gpu_workers.pools import compose as compose_pool
from gpu_workers.pools import cutout as cutout_pool
from gpu_workers.pools.admission import Budget
from gpu_workers.results import Results
from gpu_workers.serving.serving import Serving
from gpu_workers.worker import Worker
from schemas import topics
from schemas.codec import HASHED
from schemas.operations.base import POOLS, Pool
from schemas.records import LANES, CatalogChanged, Lane, Source, Task, TaskCompleted
from schemas.releases import ModelSplit
from streams.blobs import Blobs
from streams.consumer.clients import TooLarge
from streams.consumer.groups import CONSUMED
from streams.consumer.isolation import Isolation, MemoryTrials
from streams.consumer.letters import Delivery, Outgoing, RetryPolicy, event_in, outgoing, written_at_ms
from streams.consumer.loop import ConsumerLoop
from streams.consumer.reader import OnCommit
from streams.consumer.work import Executor
from streams.facts import Database
from streams.flow.processing import Processing
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from tests.fuzzing.oracle import Broken, answered, is_letter, nothing_unforeseen, sound
from tests.fuzzing.records import Records
from tests.gpu_workers.worker_parts import PRICES, network
from tests.memory_store import MemoryStore
from tests.simulation.broker import Broker, Member
from tests.simulation.clock import VirtualClock
from tests.simulation.flow_running import running
from tests.streams.flow import upsert

DELAYS_MS = (1000,)
STREAMS_READ, WORKED = 80, 60
BATCH_MAX = 8
TURNS_MAX = 400


def refusing(records: Sequence[Outgoing]) -> Outgoing | None:
    """The first record that a broker with our topics would not take."""
    found = ((record, topics.find(record.topic)) for record in records)
    return next((each for each, topic in found if topic is None or each.size_bytes > topic.max_bytes), None)


class Kept:
    """A sender that keeps what it is given, and refuses what a broker would."""

    codec = HASHED

    def __init__(self) -> None:
        self.records: list[Outgoing] = []

    def send(self, records: Sequence[Outgoing]) -> None:
        """See streams.flow.relay.Sender."""
        refused = [each for each in records if refusing([each])]
        self.records += [each for each in records if each not in refused]
        if refused:
            raise TooLarge(*refused)


def streams(seed: int) -> int:
    """The processors on facts of their own. Behind all that was wrong a good event is noted."""
    rng = Random(seed)
    records, kept, blobs = Records(rng), Kept(), Blobs(MemoryStore())
    isolation = Isolation("streams", MemoryTrials())
    with running() as database, nothing_unforeseen():
        processing = Processing(database, kept, RetryPolicy(DELAYS_MS, originals=blobs), rng.choice([0, 0, 1]))
        read = 0
        while read < STREAMS_READ:
            topic = rng.choice([topic.name for topic in CONSUMED])
            size = 1 if topic == topics.CAMPAIGNS.name else rng.randint(1, BATCH_MAX)
            drawn = [records.delivery([topic], read + number) for number in range(size)]
            batch = [replace(each, timestamp_ms=written_at_ms(each.timestamp_ms)) for each in drawn]
            read += size
            batch = [each for each in batch if each.value or topic != topics.CATALOG.name]  # see streams.flow.app
            if batch:
                kept.records.clear()
                isolation.work(batch, processing.run, processing.bury)
                records.announced(sound(kept.records, blobs))
                for each in batch:
                    answered(each, kept.records)
        _still_works(processing, kept, database, read)
    return STREAMS_READ


def _still_works(processing: Processing, kept: Kept, database: Database, offset: int) -> None:
    source = Source(uri="https://images.example/a.jpg")
    good = CatalogChanged(tenant="fuzz", sku="good", version=1, sources=[source], channels=["amazon"])
    record = outgoing(good, "fuzz")
    processing.run([Delivery(record.topic, 0, offset, record.key, record.value, record.headers, 1)])
    with database.read() as facts:
        if facts.products.get("fuzz", "good") is None:
            raise Broken("a good event behind the others is not noted")
        if facts.outbox.backlog().rows > len(kept.records):
            raise Broken("what was acknowledged is still to be sent")


class _Calm(Random):
    """A broker's chances: it gives out all that there is, and nothing goes wrong."""

    def random(self) -> float:
        return 0.5

    def choice(self, seq: Any) -> Any:
        return seq[0]

    def randint(self, _a: int, b: int) -> int:
        return b

    def sample(self, population: Any, k: int, *, counts: Any = None) -> list[Any]:  # noqa: ARG002
        return list(population)[:k]


class _Office:
    """A worker's loop and executor on a broker in memory."""

    def __init__(self, pool: Pool, worker: Worker, blobs: Blobs) -> None:
        self.sent: list[Outgoing] = []
        self.clock = VirtualClock()
        self.broker = Broker(_Calm(), lambda *_: None)
        policy = RetryPolicy(DELAYS_MS, originals=blobs)
        self.executor = Executor("worker", worker, self, policy, Isolation("worker", MemoryTrials()), 0, self.clock)
        self.names = {lane: topics.TASKS[pool, lane].name for lane in LANES}
        lanes = {lane: (self._open(name), name) for lane, name in self.names.items()}
        self.loop = ConsumerLoop("worker", lanes, self.executor, self.broker.has_record, clock=self.clock)

    def send_later(self, records: Sequence[Outgoing], on_end: Callable[[KafkaError | None], None]) -> None:
        """See streams.consumer.work.Writer."""
        if refusing(records) is not None:
            on_end(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))
            return
        self.sent += records
        on_end(None)

    def work_off(self) -> None:
        """Has everything worked on. Raises Broken when that never ends."""
        self.loop.open()
        for _ in range(TURNS_MAX):
            self.loop.turn()
            self.clock.now_s += 1.0
            while (turn := self.executor.lanes.take_now()) is not None:
                self.executor.work_on(turn)
            if self._is_done():
                self.loop.close()
                return
        raise Broken(f"it never ends: {[reader.ledger.ended for reader in self.loop.readers.values()]}")

    def _is_done(self) -> bool:
        """Whether every record lies before the committed offset."""
        return all(
            self.broker.groups[topic].committed.get(partition, 0) > log.records[-1][0]
            for (topic, partition), log in self.broker.logs.items()
            if log.records
        )

    def _open(self, topic: str) -> Callable[[OnCommit], Member]:
        return lambda on_commit: self.broker.open(topic, 1, on_commit)


def worker(seed: int) -> int:
    """A worker of either pool, pictures tiny, matting a stand-in: each task is done, failed or tried again."""
    rng = Random(seed)
    pool = rng.choice(POOLS)
    with TemporaryDirectory() as name, running() as database, nothing_unforeseen():
        folder, blobs = Path(name), Blobs(MemoryStore())
        records = Records(rng, pools_of(folder, blobs))
        with database.begin() as facts:
            for sku in ("A", "B", "C|D", "Ä 1"):
                facts.products.put(upsert(sku=sku))
        with _at_work(pool, folder, blobs) as work:
            office = _Office(pool, Worker(pool, work, Results(blobs), database, PRICES), blobs)
            lanes: list[Lane] = [rng.choice(LANES) for _ in range(WORKED)]
            drawn = [records.delivery([office.names[lane]], number) for number, lane in enumerate(lanes)]
            for each in drawn:
                office.broker.append(Outgoing(each.topic, each.key, each.value, each.headers), 1, each.timestamp_ms)
            office.work_off()
        _all_ended(drawn, office, blobs)
    return WORKED


def _all_ended(drawn: Sequence[Delivery], office: _Office, blobs: Blobs) -> None:
    events = sound(office.sent, blobs)
    done = {event.task.task_id for event in events if isinstance(event, TaskCompleted)}
    letters = [each for each in office.sent if is_letter(each)]
    read = [_task_in(each) for each in drawn]
    expected = sum(1 for task in read if task is None or task.task_id not in done)
    if len(letters) < expected:
        raise Broken(f"{expected} records are not completed, and there are {len(letters)} letters")


def _task_in(read: Delivery) -> Task | None:
    try:
        event = event_in(read)
    except Refused:
        return None
    return event if isinstance(event, Task) else None


@contextmanager
def _at_work(pool: Pool, folder: Path, blobs: Blobs) -> Iterator[Any]:
    """The work of a pool without what takes time: a network for a disc, no matting, no look at people, no DNS."""
    settings = Settings(source_file_roots=[str(folder)])
    if pool == "compose":
        yield compose_pool.Compose(blobs, lambda: compose_pool.library(settings), Budget(2**33)).work
        return
    serving = Serving(lambda: ModelSplit(("disc@1",)), network)
    with ExitStack() as stack:
        stack.callback(serving.close)
        stack.enter_context(patch.object(cutout_pool, "find_people", lambda _folder: None))
        stack.enter_context(patch.object(cutting, "cutout", _cut))
        stack.enter_context(patch.object(socket, "getaddrinfo", _no_name))
        yield cutout_pool.Cutout(settings, blobs, None, serving, Budget(2**33)).work


def _cut(pixels: Any, eye: Any, *_: object) -> cutting.Cutout:
    eye(pixels[..., :3])
    rgba = Image.new("RGBA", (9, 9), (9, 9, 9, 255))
    return cutting.Cutout(np.asarray(rgba), {"plain_background": 0.0})


def _no_name(*_: object, **__: object) -> Any:
    raise socket.gaierror(socket.EAI_NONAME, "no such name")


@cache
def pictures() -> tuple[bytes, ...]:
    made = []
    for form, mode in (("JPEG", "RGB"), ("PNG", "RGBA"), ("PNG", "RGB")):
        file = io.BytesIO()
        Image.new(mode, (16, 12), (90, 10, 10, 128)[: len(mode)]).save(file, form)
        made.append(file.getvalue())
    return tuple(made)


def pools_of(folder: Path, blobs: Blobs) -> dict[str, tuple[Any, ...]]:
    """Sources and blobs that are there, some of them no pictures, and some that are not."""
    files = [*pictures(), pictures()[0][:200], b"", b"no picture", b"GIF89a" + b"\xff" * 30]
    for number, data in enumerate(files):
        (folder / f"{number}.jpg").write_bytes(data)
    uris = [f"file://{folder}/{number}.jpg" for number in range(len(files) + 1)]
    strange = (
        "https://images.example/a.jpg",
        "http://127.0.0.1:1/",
        "http://[::1/",
        f"file://{folder}",
        "s3://b/k",
        "a.jpg",
    )
    stored = [blobs.put(data) for data in files[2:]]
    return {"uri": (*uris, *strange), "digest": (*stored, "0" * 64)}
