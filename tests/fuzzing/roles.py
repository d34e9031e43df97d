"""The roles: streams, worker, publisher, retrier, in this process, on brokers and stores of their own.

Every record that a role reads ends, the role goes on, and its position moves past it.
"""

import io
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, cast
from unittest.mock import patch

import numpy as np
from confluent_kafka import KafkaError, Message, TopicPartition
from PIL import Image

from gpu_workers import pools
from gpu_workers.admission import Budget
from gpu_workers.operations import cutout as cutting
from gpu_workers.results import Results
from gpu_workers.serving import Serving
from gpu_workers.worker import Worker
from schemas import topics
from schemas.records import LANES, CatalogChanged, Lane, Source, Task, TaskCompleted
from schemas.releases import Standing as ModelStanding
from streams.blobs import Blobs
from streams.catalogue import Catalogue, Standing
from streams.consumer import retrier as retrying
from streams.consumer.clients import TooLarge, delivery
from streams.consumer.isolation import Isolation, MemoryTrials
from streams.consumer.letters import Delivery, Outgoing, RetryPolicy, event_in, outgoing, written_at_ms
from streams.consumer.loop import ConsumerLoop
from streams.consumer.reader import OnCommit
from streams.consumer.retrier import Retrier
from streams.consumer.work import Crew
from streams.errors import Refused
from streams.processing import CONSUMED, Processing
from streams.publishing import publisher as publishing
from streams.publishing.publication import Publication
from streams.publishing.publisher import Publisher
from streams.settings import Settings
from tests.fuzzing.oracle import Broken, answered, is_letter, nothing_unforeseen, sound
from tests.fuzzing.records import Records
from tests.gpu_workers.test_worker import PRICES, network
from tests.simulation.broker import Broker, Member
from tests.simulation.clock import VirtualClock
from tests.simulation.flow_world import running
from tests.simulation.storage import Store
from tests.streams.flow import upsert
from tests.streams.town import MemoryStore

DELAYS_MS = (1000,)
STREAMS_READ, WORKED, PUBLISHED, RETRIED = 80, 60, 40, 60
BATCH_MAX = 8
CREATE_TIME = 1
TURNS_MAX = 400


def refusing(records: Sequence[Outgoing]) -> Outgoing | None:
    """The first record that a broker with our topics would not take."""
    found = ((record, topics.find(record.topic)) for record in records)
    return next((each for each, topic in found if topic is None or each.size_bytes > topic.max_bytes), None)


class Kept:
    """A sender that keeps what it is given, and refuses what a broker would."""

    def __init__(self) -> None:
        self.records: list[Outgoing] = []

    def send(self, records: Sequence[Outgoing]) -> None:
        """See streams.relay.Sender."""
        if (refused := refusing(records)) is not None:
            raise TooLarge(refused)
        self.records += records


def streams(seed: int) -> int:
    """The processors on facts of their own. Behind all that was wrong a good event is noted."""
    rng = Random(seed)
    records, kept, blobs = Records(rng), Kept(), Blobs(MemoryStore())
    isolation = Isolation("streams", MemoryTrials())
    with running() as catalogue, nothing_unforeseen():
        processing = Processing(catalogue, kept, RetryPolicy(DELAYS_MS, originals=blobs), rng.choice([0, 0, 1]))
        read = 0
        while read < STREAMS_READ:
            topic = rng.choice([topic.name for topic in CONSUMED])
            size = 1 if topic == topics.CAMPAIGNS.name else rng.randint(1, BATCH_MAX)
            drawn = [records.delivery([topic], read + number) for number in range(size)]
            batch = [replace(each, timestamp_ms=written_at_ms(each.timestamp_ms)) for each in drawn]
            read += size
            batch = [each for each in batch if each.value or topic != topics.CATALOG.name]  # see streams.app
            if batch:
                kept.records.clear()
                isolation.work(batch, processing.run, processing.bury)
                records.told(sound(kept.records, blobs))
                for each in batch:
                    answered(each, kept.records)
        _still_works(processing, kept, catalogue, read)
    return STREAMS_READ


def _still_works(processing: Processing, kept: Kept, catalogue: Catalogue, offset: int) -> None:
    source = Source(uri="https://images.example/a.jpg")
    good = CatalogChanged(tenant="fuzz", sku="good", version=1, sources=[source], channels=["amazon"])
    record = outgoing(good, "fuzz")
    processing.run([Delivery(record.topic, 0, offset, record.key, record.value, record.headers, 1)])
    with catalogue.read() as facts:
        if facts.product("fuzz", "good") is None:
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
    """A worker's loop and crew on a broker in memory."""

    def __init__(self, pool: topics.Pool, worker: Worker, blobs: Blobs) -> None:
        self.sent: list[Outgoing] = []
        self.clock = VirtualClock()
        self.broker = Broker(_Calm(), lambda *_: None)
        policy = RetryPolicy(DELAYS_MS, originals=blobs)
        self.crew = Crew("worker", worker, self, policy, Isolation("worker", MemoryTrials()), 0, self.clock)
        self.names = {lane: topics.TASKS[pool, lane].name for lane in LANES}
        lanes = {lane: (self._open(name), name) for lane, name in self.names.items()}
        self.loop = ConsumerLoop("worker", lanes, self.crew, self.broker.has_record, clock=self.clock)

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
            while (turn := self.crew.lanes.take_now()) is not None:
                self.crew.work_on(turn)
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
    pool = rng.choice(topics.POOLS)
    with TemporaryDirectory() as name, running() as catalogue, nothing_unforeseen():
        folder, blobs = Path(name), Blobs(MemoryStore())
        records = Records(rng, _pools(folder, blobs))
        with catalogue.begin() as facts:
            for sku in ("A", "B", "C|D", "Ä 1"):
                facts.put_product(upsert(sku=sku))
        with _at_work(pool, folder, blobs) as work:
            office = _Office(pool, Worker(pool, work, Results(blobs), catalogue, PRICES), blobs)
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
def _at_work(pool: topics.Pool, folder: Path, blobs: Blobs) -> Iterator[Any]:
    """The work of a pool without what takes time: a network for a disc, no matting, no look at people, no DNS."""
    settings = Settings(source_file_roots=[str(folder)])
    if pool == "compose":
        yield pools.Compose(blobs, lambda: pools.shelves(settings), Budget(2**33)).work
        return
    serving = Serving(lambda: ModelStanding(("disc@1",)), network)
    with ExitStack() as stack:
        stack.callback(serving.close)
        stack.enter_context(patch.object(pools, "find_people", lambda _folder: None))
        stack.enter_context(patch.object(cutting, "cutout", _cut))
        stack.enter_context(patch.object(socket, "getaddrinfo", _no_name))
        yield pools.Cutout(settings, blobs, None, serving, Budget(2**33)).work


def _cut(pixels: Any, eye: Any, _parameters: object, _people: object = None) -> cutting.Cutout:
    eye(pixels[..., :3])
    rgba = Image.new("RGBA", (9, 9), (9, 9, 9, 255))
    return cutting.Cutout(np.asarray(rgba), {"plain_background": 0.0})


def _no_name(*_: object, **__: object) -> Any:
    raise socket.gaierror(socket.EAI_NONAME, "no such name")


@cache
def _pictures() -> tuple[bytes, ...]:
    made = []
    for form, mode in (("JPEG", "RGB"), ("PNG", "RGBA"), ("PNG", "RGB")):
        file = io.BytesIO()
        Image.new(mode, (16, 12), (90, 10, 10, 128)[: len(mode)]).save(file, form)
        made.append(file.getvalue())
    return tuple(made)


def _pools(folder: Path, blobs: Blobs) -> dict[str, tuple[Any, ...]]:
    """Sources and blobs that are there, some of them no pictures, and some that are not."""
    files = [*_pictures(), _pictures()[0][:200], b"", b"no picture", b"GIF89a" + b"\xff" * 30]
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


class _PublisherBroker:
    """The publisher's consumer and its transactions in one; it takes no record that is too large."""

    def __init__(self, drawn: Sequence[Delivery]) -> None:
        self.position = self.committed = 0
        self.sent: list[Outgoing] = []
        self._messages = [_message(each) for each in drawn]

    def consume(self, count: int, _within_s: float) -> list[Message]:
        """See confluent_kafka.Consumer."""
        messages = self._messages[self.position : self.position + count]
        self.position += len(messages)
        return messages

    def assignment(self) -> list[TopicPartition]:
        return [TopicPartition(topics.PUBLISH.name, 0)]

    def seek(self, place: TopicPartition) -> None:
        self.position = place.offset

    def pause(self, _places: object) -> None: ...

    def resume(self, _places: object) -> None: ...

    def write(self, records: Sequence[Outgoing], offsets: Sequence[TopicPartition], _member: object) -> None:
        """See streams.publishing.transactions."""
        if (refused := refusing(records)) is not None:
            raise TooLarge(refused)
        self.sent += records
        self.committed = offsets[0].offset


class _Plan:
    """Facts by chance: products of some version, of which some assets are planned."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng

    def standing(self, _tenant: str, _sku: str) -> Standing | None:
        """See streams.publishing.publication.ProductFacts."""
        if self._rng.random() < 0.1:
            return None
        states = [name for name in ("amazon-1", "web-1", "web-1.lifestyle") if self._rng.random() < 0.8]
        version = self._rng.choice([1, 2, 3, 2**63 - 1])
        return Standing(version, self._rng.random() < 0.1, dict.fromkeys(states, "publishing"))


class _Inline:
    """An executor that is none, so that a seed is one course of events."""

    def map(self, do: Callable[..., Any], *arguments: Any) -> list[Any]:
        return list(map(do, *arguments))


def publisher(seed: int) -> int:
    """The publisher on an origin and a blob store in memory, over manifests that are none now and then."""
    rng = Random(seed)
    blobs = Blobs(MemoryStore())
    origin = Store(lambda: None)
    with TemporaryDirectory() as name, nothing_unforeseen(), patch.object(publishing, "Consumer", lambda _config: None):
        records = Records(rng, _pools(Path(name), blobs))
        broker = _PublisherBroker([records.delivery([topics.PUBLISH.name], number) for number in range(PUBLISHED)])
        publication = Publication(origin, blobs, _Plan(rng), "https://cdn.example", lambda: 1234)
        publication._transfers.shutdown()
        publication._transfers = cast(ThreadPoolExecutor, _Inline())
        letters = RetryPolicy((), originals=blobs)
        role = Publisher({}, {}, publication, Isolation("publisher", MemoryTrials()), Path(name), letters)
        role._consumer = cast(Any, broker)
        for _ in range(TURNS_MAX):
            if broker.position >= PUBLISHED:
                break
            role._turn(cast(Any, broker), cast(ThreadPoolExecutor, _Inline()))
        sound(broker.sent, blobs)
        if broker.committed != PUBLISHED:
            raise Broken(f"it stands at {broker.committed} of {PUBLISHED}")
        for message in broker._messages:
            answered(delivery(message), broker.sent)
    return PUBLISHED


class _RetrierBroker(_PublisherBroker):
    """The retrier's consumer and producer in one; it says stop when all is given back."""

    def __init__(self, drawn: Sequence[Delivery]) -> None:
        super().__init__(drawn)
        self.stop = threading.Event()
        self.polls = 0

    def subscribe(self, _names: Sequence[str], **_callbacks: Any) -> None: ...

    def assignment(self) -> list[TopicPartition]:
        return [TopicPartition(topics.retry(DELAYS_MS[0]).name, 0)]

    def poll(self, _timeout: float) -> Message | None:
        """See confluent_kafka.Consumer."""
        self.polls += 1
        if self.committed >= len(self._messages) or self.polls > 10 * RETRIED:
            self.stop.set()
        return next(iter(self.consume(1, 0)), None)

    def commit(self, message: Message, asynchronous: bool) -> None:
        """See confluent_kafka.Consumer."""
        assert not asynchronous
        self.committed = (message.offset() or 0) + 1

    def close(self) -> None: ...

    def send(self, records: Sequence[Outgoing]) -> None:
        """See streams.consumer.clients.AcknowledgedProducer."""
        if (refused := refusing(records)) is not None:
            raise TooLarge(refused)
        self.sent += records


def retrier(seed: int) -> int:
    """The retrier over letters of ours and of others: each goes back to where it came from, or to the dead."""
    rng = Random(seed)
    blobs, name = Blobs(MemoryStore()), topics.retry(DELAYS_MS[0]).name
    records = Records(rng)
    drawn = []
    for offset in range(RETRIED):
        read = records.delivery([topic.name for topic in topics.every(DELAYS_MS)], offset)
        if rng.random() < 0.6:
            letter = RetryPolicy(DELAYS_MS, originals=blobs).letter(
                read, Refused("away", records.text(), transient=True), 5
            )
            read = Delivery(name, 0, offset, letter.key, letter.value, letter.headers, read.timestamp_ms)
        drawn.append(Delivery(name, 0, offset, read.key, read.value, read.headers, read.timestamp_ms))
    broker, clock = _RetrierBroker(drawn), VirtualClock()
    clock.epoch_s = 4e9  # behind every time that a broker would have written

    def now_ms() -> int:
        clock.sleep(1.0)
        return int(clock.time() * 1000)

    with nothing_unforeseen(), patch.object(retrying, "_now_ms", now_ms):
        Retrier(cast(Any, broker), cast(Any, broker), DELAYS_MS, Isolation("retrier", MemoryTrials()), blobs).run(
            broker.stop
        )
    if broker.committed != RETRIED:
        raise Broken(f"it stands at {broker.committed} of {RETRIED}")
    if len(broker.sent) != RETRIED:
        raise Broken(f"{len(broker.sent)} of {RETRIED} letters went on")
    return RETRIED


def _message(read: Delivery) -> Message:
    about = {"topic": read.topic, "partition": 0, "offset": read.offset, "key": read.key, "value": read.value or None}
    return Message(**about, headers=list(read.headers), timestamp=(CREATE_TIME, read.timestamp_ms))  # type: ignore[arg-type]
