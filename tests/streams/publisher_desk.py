"""A publisher beside its broker, its facts and its stores."""

import io
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from PIL import Image

from schemas import codec, topics
from schemas.records import AssetPublished, Blob, Event, ProductPublished, PublishRequested, Verdict
from streams.blobs import Blobs, FolderStore
from streams.consumer.clients import consumer_config, delivery, producer_config
from streams.consumer.isolation import Isolation, MemoryTrials
from streams.consumer.letters import Outgoing, outgoing
from streams.facts import ProductState
from streams.publishing.publication import Publication
from streams.publishing.publisher import Publisher
from streams.runtime.settings import Settings

WITHIN_S = 60.0


class Crash(Exception):
    """The process is killed."""


class Facts:
    """Every product has just the asset `web-1`, in version 1."""

    def state_of(self, _tenant: str, _sku: str) -> ProductState:
        return ProductState(1, deleted=False, plan={"web-1": "publishing"})


class Desk:
    """Sends requests, runs publishers, and reads what listing services would read."""

    def __init__(self, bootstrap: str, folder: Path) -> None:
        self.settings = Settings(kafka_bootstrap_servers=bootstrap, kafka_session_timeout_ms=6000)
        self.folder = folder
        self.blobs = Blobs(FolderStore(folder / "blobs"))
        self.origin = FolderStore(folder / "origin")
        self.publication = Publication(self.origin, self.blobs, Facts(), "https://cdn.example", lambda: 1234)
        self.trials = MemoryTrials()
        self.group = f"publisher-{uuid4().hex[:8]}"
        names = [topic.name for topic in (topics.PUBLISH, topics.PUBLISHED, topics.DEAD, topics.COMPLETED)]
        admin = AdminClient({"bootstrap.servers": bootstrap})
        for made in admin.create_topics([NewTopic(name, num_partitions=2) for name in names]).values():
            made.result(30)

    def request(self, sku: str) -> PublishRequested:
        picture = io.BytesIO()
        Image.new("RGB", (40, 30), (90, 10, 10)).save(picture, "JPEG")
        file = Blob(
            role="asset",
            digest=self.blobs.put(picture.getvalue()),
            media_type="image/jpeg",
            width_px=40,
            height_px=30,
            size_bytes=len(picture.getvalue()),
        )
        verdict = Verdict(outcome="pass", checks=[], rules="2026-11")
        return PublishRequested(
            tenant="acme",
            sku=sku,
            version=1,
            asset="web-1",
            channel="web",
            file=file,
            verdict=verdict,
            engine="test",
            result_id="r",
        )

    def send(self, *records: Outgoing) -> None:
        producer = Producer(producer_config(self.settings))
        for record in records:
            producer.produce(record.topic, record.value, record.key, headers=list(record.headers))
        assert producer.flush(30) == 0

    def ask_for(self, *skus: str) -> None:
        self.send(*(outgoing(self.request(sku), "test") for sku in skus))

    @contextmanager
    def publisher(self) -> Iterator["Running"]:
        publisher = Publisher(
            consumer_config(self.settings, self.group),
            producer_config(self.settings),
            self.publication,
            Isolation("publisher", self.trials),
            self.folder,
        )
        running = Running(publisher)
        try:
            yield running
        finally:
            running.end()

    def read(self, topic: topics.Topic, count: int) -> list[Outgoing]:
        """The committed records of a topic: `count` of them at least, and those that are there besides."""
        consumer = Consumer(consumer_config(self.settings, f"reader-{uuid4().hex}") | {"enable.partition.eof": True})
        consumer.assign([TopicPartition(topic.name, partition, 0) for partition in (0, 1)])
        found: list[Outgoing] = []
        at_end: set[int] = set()
        rounds_left = int(WITHIN_S / 0.5)
        while (len(found) < count or len(at_end) < 2) and (rounds_left := rounds_left - 1):
            for message in consumer.consume(100, 0.5):
                error = message.error()
                if error is None:
                    read = delivery(message)
                    found.append(Outgoing(read.topic, read.key, read.value, read.headers))
                elif error.code() == KafkaError._PARTITION_EOF:
                    at_end.add(message.partition() or 0)
        consumer.close()
        assert len(found) >= count, f"{len(found)} of {count} records within {WITHIN_S} s"
        return found

    def announced(self, count: int) -> list[Event]:
        return [codec.decode(record.value) for record in self.read(topics.PUBLISHED, count)]


class Running:
    """A publisher at work in a thread."""

    def __init__(self, publisher: Publisher) -> None:
        self.error: BaseException | None = None
        self._publisher = publisher
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._publisher.run(self._stop)
        except Exception as error:
            self.error = error

    def end(self) -> None:
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()

    def wait_for_end(self) -> None:
        self._thread.join(WITHIN_S)
        assert not self._thread.is_alive()

    def wait_for_crash(self) -> None:
        self._thread.join(WITHIN_S)
        assert isinstance(self.error, Crash)


def counted(events: Sequence[Event]) -> dict[tuple[str, str], int]:
    counts: dict[tuple[str, str], int] = {}
    for event in events:
        assert isinstance(event, AssetPublished | ProductPublished)
        key = (type(event).__name__, event.sku)
        counts[key] = counts.get(key, 0) + 1
    return counts


def once(*skus: str) -> dict[tuple[str, str], int]:
    return {(kind, sku): 1 for kind in ("AssetPublished", "ProductPublished") for sku in skus}


SKUS = [f"mug-{number}" for number in range(6)]
