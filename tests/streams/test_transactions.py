"""Transactions on a real broker that is killed and paused: every record once, and a hanging call holds up nobody."""

import asyncio
import itertools
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.transaction import (
    AddOffsetsToTxnRequest,
    EndTxnRequest,
    InitProducerIdRequest,
    TxnOffsetCommitRequest,
)
from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.cimpl import NewTopic

from streams.consumer.clients import (
    AcknowledgedProducer,
    TooLarge,
    client_config,
    consumer_config,
    open_consumer,
    producer_config,
)
from streams.consumer.letters import Outgoing
from streams.consumer.reading import read
from streams.embedded import BrokerUnavailable, EmbeddedBroker, choose_broker
from streams.publishing import transactions
from streams.publishing.transactions import TAKEOVERS_MAX, Aborted, Transactions
from streams.runtime.errors import Unavailable
from streams.runtime.settings import Settings
from tests.servers import skip_or_fail

CACHE = Path(__file__).parents[2] / ".cache"
WITHIN_S = 300.0
PAUSE_S = 12.0  # longer than a call may take
RECORDS = 3000
VERIFYING = "transaction.partition.verification.enable"
CONCURRENT_TRANSACTIONS = 51  # of the protocol: what was before is not over yet


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    try:
        broker = choose_broker(tmp_path / "broker", CACHE, "kafka")
    except BrokerUnavailable as missing:
        skip_or_fail(str(missing))
    broker.start()
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    topics = [NewTopic(name, 2, 1, config={"max.message.bytes": "1000000"}) for name in ("in", "out")]
    for made in admin.create_topics(topics).values():
        made.result(60)
    yield broker
    broker.stop()


class Copier:
    """Copies `in` to `out`, a few records in each transaction, in a thread."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.error: BaseException | None = None
        self.written = 0
        self.aborted = 0
        self.stop = threading.Event()
        consumer = consumer_config(settings, "copier") | {"session.timeout.ms": 30_000}
        self._transactions = Transactions(producer_config(settings), consumer, "in", "test", folder, self.stop)
        self._consumer = Consumer(consumer)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def wait_for(self, count: int) -> None:
        for _ in range(int(WITHIN_S * 10)):
            if self.written >= count or self.error:
                break
            self.stop.wait(0.1)
        assert self.error is None
        assert self.written >= count

    def end(self) -> None:
        self.stop.set()
        self._thread.join(WITHIN_S)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._transactions.start()
            self._consumer.subscribe(["in"])
            while not self.stop.is_set():
                self._turn()
        except BaseException as error:
            self.error = error
        finally:
            self._consumer.close()
            self._transactions.close()

    def _turn(self) -> None:
        batch = [message for message in self._consumer.consume(8, 0.2) if message.error() is None]
        if not batch:
            return
        behind = {message.partition(): int(message.offset() or 0) + 1 for message in batch}
        first = {message.partition(): message.offset() for message in reversed(batch)}
        records = [Outgoing("out", None, bytes(message.value() or b""), []) for message in batch]
        try:
            places = [TopicPartition("in", int(partition or 0), offset) for partition, offset in behind.items()]
            self._transactions.write(records, places, self._consumer)
            self.written += len(batch)
        except Aborted:
            self.aborted += 1
            for partition, offset in first.items():
                self._consumer.seek(TopicPartition("in", int(partition or 0), int(offset or 0)))


@pytest.mark.long
@pytest.mark.parametrize("fault", ["kill", "pause"])
def test_a_broker_that_goes_away_delays_and_neither_loses_nor_doubles(
    broker: EmbeddedBroker, tmp_path: Path, fault: str
) -> None:
    settings = Settings(kafka_bootstrap_servers=broker.bootstrap_servers)
    producer = AcknowledgedProducer(settings)
    producer.send([Outgoing("in", b"%d" % number, b"%d" % number, []) for number in range(RECORDS)])
    producer.close()
    copier = Copier(settings, tmp_path)
    for count in (100, 600, 1200):
        copier.wait_for(count)
        assert broker.pid is not None
        if fault == "kill":
            os.kill(broker.pid, signal.SIGKILL)
            broker.stop()
            broker.start()
        else:
            os.kill(broker.pid, signal.SIGSTOP)
            copier.stop.wait(PAUSE_S)
            os.kill(broker.pid, signal.SIGCONT)
    copier.wait_for(RECORDS)
    copier.end()
    assert copier.error is None
    copied = sorted(int(record.value) for record in _read(settings))
    assert copied == list(range(RECORDS))


def test_a_record_that_is_too_large_is_named_and_the_writer_goes_on(broker: EmbeddedBroker, tmp_path: Path) -> None:
    settings = Settings(kafka_bootstrap_servers=broker.bootstrap_servers)
    configs = producer_config(settings), consumer_config(settings, "sizes")
    transactions = Transactions(*configs, "in", "test", tmp_path, threading.Event())
    transactions.start()
    consumer = Consumer(configs[1])
    small, place = Outgoing("out", None, b"small", []), [TopicPartition("in", 0, 0)]
    for size_bytes in (2_000_000, 40_000_000):
        large = Outgoing("out", None, os.urandom(size_bytes), [])
        with pytest.raises(TooLarge) as too_large:
            transactions.write([small, large, small], place, consumer)
        assert too_large.value.record is large
    transactions.write([small], place, consumer)
    consumer.close()
    transactions.close()
    assert [record.value for record in _read(settings)] == [b"small"]


class Slow:
    """A writer on a machine that is busy, and a member of its group whose offsets never moved."""

    def __init__(self, *_: object) -> None:
        pass

    def __getattr__(self, _name: str) -> Any:
        return lambda *_args, **_more: None

    def send_offsets_to_transaction(self, *_: object) -> None:
        time.sleep(0.5)

    def committed(self, partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        assert timeout
        return partitions


def test_a_call_that_is_only_slow_is_waited_for_in_the_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(transactions, "Producer", Slow)
    monkeypatch.setattr(transactions, "Consumer", Slow)
    monkeypatch.setattr(transactions, "HANGS_AFTER_S", 0.2)
    writer = Transactions({}, {}, "in", "test", tmp_path, threading.Event())
    with pytest.raises(Aborted):
        writer.write([], [TopicPartition("in", 0, 1)], Slow())
    for _ in range(3):
        with suppress(Aborted):
            writer.write([], [TopicPartition("in", 0, 1)], Slow())
            break
    else:
        pytest.fail("it is taken for one that hangs for ever")
    writer.close()


class Torn(Slow):
    """A writer whose first transaction is committed without its hearing of it."""

    has_committed = False

    def send_offsets_to_transaction(self, *_: object) -> None:
        pass

    def commit_transaction(self, _within_s: float) -> None:
        if not Torn.has_committed:
            Torn.has_committed = True
            raise KafkaException(KafkaError(KafkaError._STATE, "nobody knows"))

    def abort_transaction(self, _within_s: float) -> None:
        pass


class Lost(Slow):
    """A client that has lost the brokers for good; of the new ones only those behind the first `lost` reach them."""

    lost = 0

    def committed(self, partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        assert timeout
        Lost.lost -= 1
        if Lost.lost >= 0:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        return [TopicPartition(place.topic, place.partition, 1) for place in partitions]


@pytest.fixture
def torn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Transactions]:
    monkeypatch.setattr(transactions, "Producer", Torn)
    monkeypatch.setattr(transactions, "Consumer", Lost)
    monkeypatch.setattr(Torn, "has_committed", False)
    monkeypatch.setattr(transactions, "RETRY_WAIT_S", 0.0)
    writer = Transactions({}, {}, "in", "test", tmp_path, threading.Event())
    yield writer
    writer.close()


def test_whether_it_was_written_is_asked_of_others_where_a_member_cannot_tell(
    torn: Transactions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Lost, "lost", 2)
    torn.write([], [TopicPartition("in", 0, 1)], Lost())
    assert Lost.lost == -1


def test_where_nobody_can_tell_whether_it_was_written_the_process_is_to_end(
    torn: Transactions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Lost, "lost", 100)
    with pytest.raises(KafkaException, match="_TIMED_OUT"):
        torn.write([], [TopicPartition("in", 0, 1)], Lost())
    assert 100 - Lost.lost == TAKEOVERS_MAX + 1


def test_offsets_that_come_late_are_dropped_when_their_writer_is_started_again(
    broker: EmbeddedBroker, tmp_path: Path
) -> None:
    settings = Settings(kafka_bootstrap_servers=broker.bootstrap_servers)
    _stop_verifying(settings)
    configs = producer_config(settings), consumer_config(settings, "late")
    before = Transactions(*configs, "in", "test", tmp_path, threading.Event())
    before.start()
    before.close()
    open_consumer(settings, "late").committed([TopicPartition("in", 0)], timeout=60)  # it has a coordinator
    asyncio.run(_send_late_offsets(settings, before.name, "late"))
    with pytest.raises(KafkaException, match="_TIMED_OUT"):
        open_consumer(settings, "late").committed([TopicPartition("in", 0)], timeout=5)
    writer = Transactions(*configs, "in", "test", tmp_path, threading.Event())
    assert writer.name == before.name
    writer.start()
    [place] = open_consumer(settings, "late").committed([TopicPartition("in", 0)], timeout=60)
    assert (place.error, place.offset) == (None, OFFSET_INVALID)
    writer.write([], [TopicPartition("in", 1, 3)], open_consumer(settings, "late"))
    committed = open_consumer(settings, "late").committed(
        [TopicPartition("in", 0), TopicPartition("in", 1)], timeout=60
    )
    assert [place.offset for place in committed] == [OFFSET_INVALID, 3]
    writer.close()


def _stop_verifying(settings: Settings) -> None:
    """Makes the broker as those that take offsets of a transaction that is over."""
    off = ConfigEntry(VERIFYING, "false", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ConfigResource.Type.BROKER, "1", incremental_configs=[off])
    admin = AdminClient(client_config(settings))  # answers only for as long as it is held
    for done in admin.incremental_alter_configs([resource]).values():
        done.result(60)


async def _send_late_offsets(settings: Settings, name: str, group: str) -> None:
    """A writer's offsets come to the broker behind the end of their transaction."""
    client = AIOKafkaClient(bootstrap_servers=settings.bootstrap_servers)
    await client.bootstrap()
    begun = await _taken(client, InitProducerIdRequest(name, 15_000))
    identity = begun.producer_id, begun.producer_epoch
    await _taken(client, AddOffsetsToTxnRequest(name, *identity, group))
    await _taken(client, EndTxnRequest(name, *identity, False))
    await asyncio.sleep(1)  # for its markers
    offsets = TxnOffsetCommitRequest(name, group, *identity, [("in", [(0, 7, "")])])
    assert (await client.send(1, offsets)).errors == [("in", [(0, 0)])]
    await client.close()


async def _taken(client: AIOKafkaClient, request: Any) -> Any:
    """The broker's answer, when it has one."""
    while (answer := await client.send(1, request)).error_code == CONCURRENT_TRANSACTIONS:
        await asyncio.sleep(0.1)
    assert answer.error_code == 0
    return answer


def _read(settings: Settings) -> list[Outgoing]:
    for _ in itertools.repeat(None, 30):
        try:
            return [Outgoing(each.topic, each.key, each.value, each.headers) for each in read(settings, ["out"])]
        except Unavailable as away:
            reason = away
    raise reason
