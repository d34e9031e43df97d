"""Three brokers under load, killed one and two at a time: nothing that was acknowledged is lost, and all goes on."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from infra.servers import KafkaCluster
from schemas import topics
from streams.consumer.clients import AcknowledgedProducer, consumer_config, producer_config
from streams.consumer.letters import Outgoing
from streams.consumer.reading import read
from streams.publishing.transactions import Aborted, Transactions
from streams.runtime.errors import Unavailable
from streams.runtime.settings import Settings

pytestmark = pytest.mark.heavy
WITHIN_S = 400.0
PARTITIONS = 3


@pytest.fixture
def names(kafka_cluster: KafkaCluster) -> tuple[str, str]:
    """Two topics as the table makes them with three replicas: what is written, and what is copied of it."""
    suffix = uuid4().hex[:8]
    config = topics.CATALOG.config(3)
    made = [NewTopic(f"{name}-{suffix}", PARTITIONS, 3, config=config) for name in ("in", "out")]
    admin = AdminClient(kafka_cluster.config())  # kept: what it was asked for ends with it
    for future in admin.create_topics(made).values():
        future.result(60)
    return f"in-{suffix}", f"out-{suffix}"


class Load:
    """Writes numbers without an end, remembers those that were acknowledged, and copies them in transactions."""

    def __init__(self, settings: Settings, names: tuple[str, str], folder: Path) -> None:
        self.acknowledged: list[int] = []
        self.errors: list[BaseException] = []
        self.copied = 0
        self.stop = threading.Event()
        self._may_write = threading.Event()
        self._may_write.set()
        self._settings, self._names, self._folder = settings, names, folder
        self._threads = [threading.Thread(target=self._guarded, args=[run]) for run in (self._write, self._copy)]
        for thread in self._threads:
            thread.start()

    def wait_for_more(self, count: int) -> None:
        """Until so many more are acknowledged, and copied."""
        acknowledged, copied = len(self.acknowledged) + count, self.copied + count
        _until(lambda: bool(self.errors) or (len(self.acknowledged) >= acknowledged and self.copied >= copied))
        assert self.errors == []

    def finish(self) -> None:
        self._may_write.clear()
        _until(lambda: bool(self.errors) or self.copied >= len(self.acknowledged))
        self.stop.set()
        for thread in self._threads:
            thread.join(WITHIN_S)
        assert self.errors == []

    def _guarded(self, run: Callable[[], None]) -> None:
        try:
            run()
        except BaseException as error:
            self.errors.append(error)

    def _write(self) -> None:
        producer = AcknowledgedProducer(self._settings)
        number = 0
        while not self.stop.is_set():
            if not self._may_write.wait(0.1):
                continue
            batch = range(number, number + 20)
            producer.send([Outgoing(self._names[0], b"%d" % each, b"%d" % each, []) for each in batch])
            self.acknowledged += batch
            number += len(batch)
            self.stop.wait(0.02)
        producer.close()

    def _copy(self) -> None:
        configs = (
            producer_config(self._settings),
            consumer_config(self._settings, self._names[1]) | {"session.timeout.ms": 60_000},
        )
        transactions = Transactions(*configs, self._names[0], "three", self._folder, self.stop)
        transactions.start()
        consumer = Consumer(configs[1])
        consumer.subscribe([self._names[0]])
        while not self.stop.is_set():
            batch = [each for each in consumer.consume(50, 0.2) if each.error() is None]
            if not batch:
                continue
            behind = {int(each.partition() or 0): int(each.offset() or 0) + 1 for each in batch}
            first = {int(each.partition() or 0): int(each.offset() or 0) for each in reversed(batch)}
            places = [TopicPartition(self._names[0], *place) for place in behind.items()]
            records = [Outgoing(self._names[1], each.key(), bytes(each.value() or b""), []) for each in batch]
            try:
                transactions.write(records, places, consumer)
                self.copied += len(batch)
            except Aborted:
                for place in first.items():
                    consumer.seek(TopicPartition(self._names[0], *place))
        consumer.close()
        transactions.close()


def test_brokers_that_are_killed_lose_nothing_and_hold_up_nobody_for_ever(
    kafka_cluster: KafkaCluster, names: tuple[str, str], tmp_path: Path
) -> None:
    settings = Settings(**kafka_cluster.fields())
    load = Load(settings, names, tmp_path)
    try:
        load.wait_for_more(200)
        for number in (1, 2, 3):
            kafka_cluster.kill(number)
            load.wait_for_more(400)  # with two of three it goes on
            kafka_cluster.start(number)
            _until(lambda: _in_sync(kafka_cluster, names[0]) == 3)
        kafka_cluster.kill(1)
        kafka_cluster.kill(2)
        before = len(load.acknowledged)
        load.stop.wait(10)
        assert len(load.acknowledged) <= before + 20  # what was under way; one of three takes nothing
        kafka_cluster.start(1, 2)
        load.wait_for_more(400)  # it waited, and goes on
        load.finish()
    finally:
        load.stop.set()
    for name in names:
        written = sorted(int(record.value) for record in _read(settings, name))
        assert written == list(range(len(load.acknowledged)))


def test_a_broker_that_stands_still_is_passed_by(
    kafka_cluster: KafkaCluster, names: tuple[str, str], tmp_path: Path
) -> None:
    load = Load(Settings(**kafka_cluster.fields()), names, tmp_path)
    try:
        load.wait_for_more(200)
        kafka_cluster.signal(2, signal.SIGSTOP)
        load.wait_for_more(400)
        kafka_cluster.signal(2, signal.SIGCONT)
        load.finish()
    finally:
        kafka_cluster.signal(2, signal.SIGCONT)
        load.stop.set()


def _in_sync(cluster: KafkaCluster, name: str) -> int:
    partitions = AdminClient(cluster.config()).list_topics(timeout=30).topics[name].partitions
    return min(len(each.isrs) for each in partitions.values())


def _read(settings: Settings, name: str) -> Iterator[Outgoing]:
    for each in read(settings, [name]):
        yield Outgoing(each.topic, each.key, each.value, each.headers)


def _until(holds: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + WITHIN_S
    while True:
        try:
            if holds():
                return
        except (Unavailable, KafkaException):
            pass
        assert time.monotonic() < give_up_at
        time.sleep(0.2)
