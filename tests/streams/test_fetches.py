"""A backlog on the in-memory broker that is larger than any client takes at once is read to its end all the same."""

import asyncio
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as Place
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from streams.embedded import BrokerUnavailable, EmbeddedBroker, choose_broker, fetches
from tests.servers import skip_or_fail

TOPIC, PARTITIONS, RECORDS, RECORD_BYTES = "backlog", 2, 60, 50_000
ANSWER_BYTES_MAX = 1_000_000  # of the test's client, in the place of its own 100 MB
BATCH = struct.pack(">qi", 0, 88) + bytes(88)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    try:
        made = choose_broker(tmp_path_factory.mktemp("backlog"), Path(".cache"), "memory")
    except BrokerUnavailable as missing:
        skip_or_fail(str(missing))
    made.start()
    try:
        _write(made.bootstrap_servers)
        yield made
    finally:
        made.stop()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetches, "FRAME_BYTES_MAX", 300_000)
    monkeypatch.setattr(fetches, "PARTITION_BYTES_MIN", 1)


def _write(servers: str) -> None:
    admin = AdminClient({"bootstrap.servers": servers})  # answers only for as long as it is held
    admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])[TOPIC].result()
    producer = Producer({"bootstrap.servers": servers, "batch.num.messages": 1})
    for number in range(RECORDS):
        producer.produce(TOPIC, number.to_bytes(4, "big") * (RECORD_BYTES // 4), partition=number % PARTITIONS)
    assert producer.flush(60) == 0


@pytest.mark.usefixtures("small")
def test_librdkafka_reads_it_to_its_end(broker: EmbeddedBroker) -> None:
    limits = {"fetch.max.bytes": 200_000, "message.max.bytes": 200_000, "receive.message.max.bytes": ANSWER_BYTES_MAX}
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "g", **limits})
    consumer.assign([TopicPartition(TOPIC, number, 0) for number in range(PARTITIONS)])
    read: list[int] = []
    for _ in range(100):
        read += [int.from_bytes(message.value()[:4], "big") for message in consumer.consume(RECORDS, 0.2)]
        if len(read) >= RECORDS:
            break
    consumer.close()
    assert sorted(read) == list(range(RECORDS))


@pytest.mark.usefixtures("small")
def test_aiokafka_reads_it_to_its_end(broker: EmbeddedBroker) -> None:
    async def read() -> list[int]:
        consumer = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap_servers)
        await consumer.start()
        places = [Place(TOPIC, number) for number in range(PARTITIONS)]
        consumer.assign(places)
        await consumer.seek_to_beginning()
        found: list[int] = []
        while len(found) < RECORDS:
            read = await asyncio.wait_for(consumer.getmany(timeout_ms=1000), 20)
            found += [int.from_bytes(each.value[:4], "big") for records in read.values() for each in records]
        await consumer.stop()
        return found

    assert sorted(asyncio.run(read())) == list(range(RECORDS))


def answer(version: int, records: list[bytes]) -> bytes:
    """An answer of two topics, each with all of these partitions, one of them with a transaction that was aborted."""
    is_flexible = version >= 12

    def counted(count: int, size: str = ">i") -> bytes:
        return _varint(count + 1) if is_flexible else struct.pack(size, count)

    tags = b"\0" if is_flexible else b""
    partitions = b"".join(
        struct.pack(">ihqqq", number, 0, 9, 9, 0)
        + (counted(1) + struct.pack(">qq", 7, 1) + tags if number else counted(0))
        + struct.pack(">i", -1)
        + counted(len(each))
        + each
        + tags
        for number, each in enumerate(records)
    )
    topics = b"".join(
        counted(len(name), ">h") + name + counted(len(records)) + partitions + tags for name in (b"one", b"another")
    )
    return struct.pack(">i", 5) + tags + struct.pack(">ihi", 0, 0, 0) + counted(2) + topics + tags


def _varint(number: int) -> bytes:
    return fetches._varint(number)


@pytest.mark.parametrize("version", fetches.VERSIONS)
def test_each_partition_keeps_whole_batches_and_the_first_in_any_case(
    version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = struct.pack(">qi", 0, 5000) + bytes(5000)
    whole = answer(version, [BATCH * 200, b"", BATCH * 3, large, BATCH + BATCH[:40]])
    monkeypatch.setattr(fetches, "FRAME_BYTES_MAX", 10 * 250)
    monkeypatch.setattr(fetches, "PARTITION_BYTES_MIN", 1)
    kept = [BATCH * 2, b"", BATCH * 2, large, BATCH]
    assert fetches.cut(whole, version) == answer(version, kept)


def test_what_is_small_enough_and_what_other_versions_say_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = answer(12, [BATCH * 200])
    assert fetches.cut(whole, 12) == whole
    monkeypatch.setattr(fetches, "FRAME_BYTES_MAX", 100)
    assert fetches.cut(whole, 13) == whole
