"""The publisher on real brokers: what a reader of committed records sees, whatever happens in between."""

import io
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from msgspec.structs import replace
from PIL import Image

from schemas import codec, topics
from schemas.envelope import as_mapping
from schemas.records import AssetPublished, Blob, Event, ProductPublished, PublicationFailed, PublishRequested, Verdict
from streams.blobs import Blobs, FolderStore, StoreError, StoreRefused
from streams.consumer import reading
from streams.consumer.clients import consumer_config, delivery, producer_config
from streams.consumer.isolation import TRIES_MAX, Isolation, MemoryTrials
from streams.consumer.letters import Outgoing, outgoing
from streams.consumer.poison import ERROR_TRACE
from streams.facts import ProductState
from streams.publishing.publication import Announcement, Publication, Request
from streams.publishing.publisher import Publisher
from streams.publishing.renditions import Encoded
from streams.publishing.transactions import Transactions
from streams.runtime.errors import Unavailable
from streams.runtime.settings import Settings

WITHIN_S = 60.0


class Crash(Exception):
    """The process is killed."""


class Facts:
    """Every product has just the asset `web-1`, in version 1."""

    def standing(self, _tenant: str, _sku: str) -> ProductState:
        return ProductState(1, deleted=False, plan={"web-1": "publishing"})


@pytest.fixture
def desk(memory_bootstrap: str, tmp_path: Path) -> "Desk":
    """A publisher's surroundings on the in-memory broker."""
    return Desk(memory_bootstrap, tmp_path)


@pytest.fixture
def kafka_desk(kafka_bootstrap: str, tmp_path: Path) -> "Desk":
    """A publisher's surroundings on Apache Kafka: the other one shows nothing behind an aborted transaction."""
    return Desk(kafka_bootstrap, tmp_path)


@pytest.fixture(params=["memory", "kafka"])
def each_desk(request: pytest.FixtureRequest, tmp_path: Path) -> "Desk":
    """A publisher's surroundings on either broker."""
    return Desk(request.getfixturevalue(f"{request.param}_bootstrap"), tmp_path)


@pytest.fixture(autouse=True)
def own_topics(monkeypatch: pytest.MonkeyPatch) -> None:
    """Topics that no other test writes to."""
    for name in ("PUBLISH", "PUBLISHED", "DEAD", "COMPLETED"):
        topic = topics.Topic(f"{name.lower()}-{uuid4().hex[:8]}", getattr(topics, name).records)
        monkeypatch.setattr(topics, name, topic)
    own = (topics.PUBLISH, topics.PUBLISHED, topics.COMPLETED)
    monkeypatch.setattr(topics, "_TOPIC_OF", {record: topic for topic in own for record in topic.records})
    monkeypatch.setattr(topics, "_RECORDS_ON", {topic.name: topic.records for topic in own})


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


def test_requests_become_announcements_and_bad_ones_dead_letters(each_desk: Desk) -> None:
    request = each_desk.request("lost")
    lost = outgoing(replace(request, file=replace(request.file, digest="0" * 64)), "test")
    garbage = Outgoing(topics.PUBLISH.name, b"acme|junk", b"\x07 no record", [("mine", b"kept")])
    traced = outgoing(each_desk.request("mug-0"), "test")
    parent = ("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    each_desk.send(garbage, lost, Outgoing(traced.topic, traced.key, traced.value, [*traced.headers, parent]))
    with each_desk.publisher() as running:
        published = each_desk.read(topics.PUBLISHED, 2)
        letters = each_desk.read(topics.DEAD, 2)
        [failed] = [codec.decode(record.value) for record in each_desk.read(topics.COMPLETED, 1)]
    assert isinstance(failed, PublicationFailed)
    assert (failed.sku, failed.asset, failed.code) == ("lost", request.asset, "blob_missing")
    assert running.error is None
    assert counted([codec.decode(record.value) for record in published]) == once("mug-0")
    for record in published:
        headers = as_mapping(record.headers)
        assert record.key == b"acme|mug-0"
        assert headers["traceparent"].startswith("00-0af7651916cd43dd8448eb211c80319c-")
        assert headers["ce_source"] == "packshot/publisher"
    dead = {as_mapping(letter.headers)["packshot-error-code"]: letter for letter in letters}
    assert set(dead) == {"not_framed", "blob_missing"}
    letter = dead["not_framed"]
    assert (letter.key, letter.value) == (garbage.key, garbage.value)
    told = as_mapping(letter.headers)
    assert (told["mine"], told["packshot-origin-topic"]) == ("kept", topics.PUBLISH.name)
    assert {"packshot-origin-partition", "packshot-origin-offset", "packshot-error-message"} <= set(told)


class Broken:
    """A publication that breaks on some products, as often as it is told to."""

    def __init__(self, desk: Desk, error: Exception, *, times: int, when_preparing: bool = False) -> None:
        self.left = times
        self._error = error
        self._real = desk.publication
        self._when_preparing = when_preparing

    def prepare(self, event: PublishRequested, position: str, requested_at_ms: int = 0) -> list[Encoded] | None:
        if self._when_preparing:
            self._break(event)
        return self._real.prepare(event, position, requested_at_ms)

    def apply(self, event: Request, *arguments: Any) -> list[Announcement]:
        self._break(event)
        return self._real.apply(event, *arguments)

    def _break(self, event: Request) -> None:
        if event.sku.startswith("bad") and self.left:
            self.left -= 1
            raise self._error


@pytest.mark.parametrize("error", [ZeroDivisionError("a bug"), MemoryError("of the picture"), StoreError("odd answer")])
def test_an_error_that_nobody_foresaw_is_a_dead_letter_and_the_publisher_goes_on(desk: Desk, error: Exception) -> None:
    desk.publication = cast(Publication, Broken(desk, error, times=1000, when_preparing=True))
    desk.ask_for("mug-0", "bad-1", "mug-2")
    with desk.publisher() as running:
        assert counted(desk.announced(4)) == once("mug-0", "mug-2")
        [letter] = desk.read(topics.DEAD, 1)
        [failed] = [codec.decode(record.value) for record in desk.read(topics.COMPLETED, 1)]
    assert running.error is None
    told = as_mapping(letter.headers)
    assert (told["packshot-error-kind"], told["packshot-error-code"]) == ("poison", "unexpected")
    assert f"{type(error).__name__}: {error}" in told["packshot-error-message"]
    assert "in _break" in told[ERROR_TRACE]
    assert isinstance(failed, PublicationFailed)
    assert (failed.sku, failed.asset, failed.code) == ("bad-1", "web-1", "unexpected")


def test_an_error_that_does_not_come_again_costs_nothing(desk: Desk) -> None:
    desk.publication = cast(Publication, Broken(desk, ZeroDivisionError("once"), times=2, when_preparing=True))
    desk.ask_for("bad-1")
    with desk.publisher() as running:
        assert counted(desk.announced(2)) == once("bad-1")
    assert running.error is None


def test_a_store_that_refuses_everybody_is_waited_for(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys that have expired are no fault of the requests: none of them is to die of it."""
    monkeypatch.setattr("streams.runtime.waiting.AWAY_WAIT_S", 0.05)
    desk.publication = cast(Publication, Broken(desk, StoreRefused("the keys have expired"), times=5))
    desk.ask_for("bad-1", "mug-2")
    with desk.publisher() as running:
        assert counted(desk.announced(4)) == once("bad-1", "mug-2")
    assert running.error is None


def test_what_was_committed_is_not_done_again(desk: Desk) -> None:
    desk.ask_for("mug-0")
    with desk.publisher():
        desk.announced(2)
    desk.ask_for("mug-1")
    with desk.publisher():
        assert counted(desk.announced(4)) == once("mug-0", "mug-1")


def test_killed_before_the_transaction_everything_is_announced_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.ask_for(*SKUS)

    def killed(*_: object) -> None:
        raise Crash

    with monkeypatch.context() as patch, desk.publisher() as running:
        patch.setattr(Transactions, "write", killed)
        running.wait_for_crash()
    assert any(key.endswith("manifest.json") for key in desk.origin.keys("acme/"))
    with desk.publisher():
        assert counted(desk.announced(2 * len(SKUS))) == once(*SKUS)


def test_killed_inside_the_transaction_everything_is_announced_once(
    kafka_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    kafka_desk.ask_for(*SKUS)

    def killed(self: Transactions, records: Sequence[Outgoing], *_: object) -> None:
        self._producer.begin_transaction()
        for record in records:
            self._producer.produce(record.topic, record.value, record.key)
        self._producer.flush(30)
        raise Crash

    with monkeypatch.context() as patch, kafka_desk.publisher() as running:
        patch.setattr(Transactions, "write", killed)
        running.wait_for_crash()
    with kafka_desk.publisher():
        assert counted(kafka_desk.announced(2 * len(SKUS))) == once(*SKUS)


def test_an_aborted_transaction_is_done_again(kafka_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    kafka_desk.ask_for(*SKUS)
    aborted = threading.Event()

    class Aborting(Producer):
        """Its first transaction cannot be committed."""

        def send_offsets_to_transaction(self, *arguments: Any) -> None:
            if aborted.is_set():
                super().send_offsets_to_transaction(*arguments)
            else:
                aborted.set()
                raise KafkaException(KafkaError(KafkaError.ILLEGAL_GENERATION, "planted", txn_requires_abort=True))

    monkeypatch.setattr("streams.publishing.transactions.Producer", Aborting)
    with kafka_desk.publisher() as running:
        assert counted(kafka_desk.announced(2 * len(SKUS))) == once(*SKUS)
    assert aborted.is_set()
    assert running.error is None


def test_a_store_that_is_away_is_waited_for(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.ask_for(*SKUS)
    monkeypatch.setattr("streams.runtime.waiting.AWAY_WAIT_S", 0.05)
    tries = 0
    real = desk.publication.apply

    def away_at_first(
        event: Request, position: str, prepared: list[Encoded] | None, requested_at_ms: int
    ) -> list[Announcement]:
        nonlocal tries
        tries += 1
        if 1 < tries < 6:
            raise Unavailable("the origin is away")
        return real(event, position, prepared, requested_at_ms)

    monkeypatch.setattr(desk.publication, "apply", away_at_first)
    with desk.publisher() as running:
        assert counted(desk.announced(2 * len(SKUS))) == once(*SKUS)
    assert running.error is None
    assert tries >= len(SKUS) + 4


def test_told_to_stop_while_a_store_is_away_it_stops_and_nothing_is_lost(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.ask_for(*SKUS)
    waiting = threading.Event()

    def away(*_: object) -> list[Announcement]:
        waiting.set()
        raise Unavailable("the origin is away")

    with monkeypatch.context() as patch, desk.publisher() as running:
        patch.setattr(desk.publication, "apply", away)
        assert waiting.wait(WITHIN_S)
    assert running.error is None
    with desk.publisher():
        assert counted(desk.announced(2 * len(SKUS))) == once(*SKUS)


def test_two_publishers_share_the_work_and_double_nothing(each_desk: Desk) -> None:
    with each_desk.publisher() as first:
        each_desk.ask_for(*SKUS[:3])
        each_desk.announced(6)
        with each_desk.publisher() as second:
            each_desk.ask_for(*SKUS[3:])
            assert counted(each_desk.announced(2 * len(SKUS))) == once(*SKUS)
    assert (first.error, second.error) == (None, None)


@pytest.mark.parametrize("committed_first", [False, True])
def test_a_writer_that_hangs_is_replaced_and_everything_is_announced_once(
    kafka_desk: Desk, monkeypatch: pytest.MonkeyPatch, committed_first: bool
) -> None:
    hung, released = threading.Event(), threading.Event()

    class Hanging(Producer):
        """Its first transaction does not come back, with or without having been committed."""

        def commit_transaction(self, *arguments: Any) -> None:
            if hung.is_set():
                super().commit_transaction(*arguments)
                return
            hung.set()
            if committed_first:
                super().commit_transaction(*arguments)
            released.wait(WITHIN_S)

    monkeypatch.setattr("streams.publishing.transactions.Producer", Hanging)
    monkeypatch.setattr("streams.publishing.transactions.HANGS_AFTER_S", 3.0)
    kafka_desk.ask_for(*SKUS)
    with kafka_desk.publisher() as running:
        assert counted(kafka_desk.announced(2 * len(SKUS))) == once(*SKUS)
    released.set()
    assert hung.is_set()
    assert running.error is None


def test_a_writer_that_was_locked_out_is_replaced(kafka_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []

    class Named(Producer):
        def __init__(self, config: dict[str, Any]) -> None:
            names.append(config["transactional.id"])
            super().__init__(config)

    monkeypatch.setattr("streams.publishing.transactions.Producer", Named)
    kafka_desk.ask_for(*SKUS[:3])
    with kafka_desk.publisher() as running:
        kafka_desk.announced(6)
        rival = Producer(producer_config(kafka_desk.settings) | {"transactional.id": names[0]})
        rival.init_transactions(30)
        kafka_desk.ask_for(*SKUS[3:])
        assert counted(kafka_desk.announced(2 * len(SKUS))) == once(*SKUS)
    assert running.error is None
    assert len(names) > 1


def test_a_writer_that_may_not_write_at_all_ends(kafka_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    class Fatal(Producer):
        def begin_transaction(self) -> None:
            raise KafkaException(KafkaError(KafkaError._FATAL, "planted", fatal=True))

    monkeypatch.setattr("streams.publishing.transactions.Producer", Fatal)
    kafka_desk.ask_for("mug-0")
    with kafka_desk.publisher() as running:
        running.wait_for_end()
    assert isinstance(running.error, KafkaException)


def test_an_announcement_that_no_topic_takes_is_a_letter_and_the_others_are_made(
    kafka_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unchecked(event: Any, source: str) -> Outgoing:
        if event.sku == "B" and isinstance(event, AssetPublished):
            return Outgoing(topics.PUBLISHED.name, b"acme|B", os.urandom(3_000_000), [])
        return outgoing(event, source)

    monkeypatch.setattr("streams.publishing.publisher.outgoing", unchecked)
    kafka_desk.ask_for("A", "B", "C")
    with kafka_desk.publisher() as running:
        [dead] = kafka_desk.read(topics.DEAD, 1)
        assert counted(kafka_desk.announced(4)) == once("A", "C")
        [failed] = [codec.decode(record.value) for record in kafka_desk.read(topics.COMPLETED, 1)]
    assert running.error is None
    assert (dead.key, as_mapping(dead.headers)["packshot-error-code"]) == (b"acme|B", "record_too_large")
    assert isinstance(failed, PublicationFailed)
    assert (failed.sku, failed.code) == ("B", "record_too_large")


def test_a_request_that_ended_the_process_too_often_is_dead_and_the_others_are_published(desk: Desk) -> None:
    desk.ask_for("A", "B", "C")
    [where] = [each for each in reading.read(desk.settings, [topics.PUBLISH.name]) if each.key == b"acme|B"]
    for _ in range(TRIES_MAX):
        desk.trials.attempt("publisher", (where.topic, where.partition), where.offset)
    with desk.publisher():
        [dead] = desk.read(topics.DEAD, 1)
        published = {event.sku for event in desk.announced(4) if isinstance(event, AssetPublished)}
    assert (dead.key, as_mapping(dead.headers)["packshot-error-code"]) == (b"acme|B", "ended_the_process")
    [failed] = [codec.decode(record.value) for record in desk.read(topics.COMPLETED, 1)]
    assert isinstance(failed, PublicationFailed)
    assert (failed.sku, failed.code) == ("B", "ended_the_process")
    assert published == {"A", "C"}
