"""Records of every size on real brokers: what may be written is read, what may not is an answer, letters always fit."""

import asyncio
import os
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer
from confluent_kafka import Consumer, KafkaError, Producer

from schemas import topics
from schemas.topics import Topic
from streams.blobs import Blobs, open_store
from streams.consumer.clients import AcknowledgedProducer, TooLarge, consumer_config, make_topics, member_config
from streams.consumer.letters import Outgoing, RetryPolicy, returned
from streams.consumer.reading import read
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services.recovery import dead
from streams.services.recovery.dead import Wanted

NAMES = ("CATALOG", "COMPLETED", "DEAD", "LETTERS")


@pytest.fixture(params=["memory", "kafka"])
def settings(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    """Settings for a broker with topics that no other test writes to."""
    for name in NAMES:
        topic: Topic = getattr(topics, name)
        mine = replace(topic, name=f"{topic.name}-{uuid4().hex[:8]}")
        monkeypatch.setattr(topics, name, mine)
        monkeypatch.setattr(topics, "_TOPIC_OF", topics._TOPIC_OF | dict.fromkeys(topic.records, mine))
        monkeypatch.setattr(topics, "_RECORDS_ON", topics._RECORDS_ON | {mine.name: mine.records})
    made = Settings(kafka_bootstrap_servers=request.getfixturevalue(f"{request.param}_bootstrap"), data_folder=tmp_path)
    make_topics(made)
    return made


def noise(size_bytes: int) -> bytes:
    """Bytes that do not get smaller."""
    return os.urandom(size_bytes)


def largest(topic: Topic) -> Outgoing:
    return Outgoing(topic.name, b"k", noise(topic.max_bytes - topics.size_bytes(b"k", b"", [])), [])


def write_as_others_do(settings: Settings, record: Outgoing) -> None:
    assert answers_to_others(settings, record) == [None]


def answers_to_others(settings: Settings, record: Outgoing) -> list[KafkaError | None]:
    """What the broker says to a record without our own limits: it alone decides."""
    errors: list[KafkaError | None] = []
    config = {"bootstrap.servers": settings.bootstrap_servers, "message.max.bytes": 200_000_000}
    producer = Producer(config | {"compression.type": "lz4"})
    noted = lambda error, _message: errors.append(error)  # noqa: E731
    producer.produce(record.topic, record.value, record.key, headers=list(record.headers), on_delivery=noted)
    producer.flush(60)
    return errors


@pytest.mark.parametrize("name", ["CATALOG", "COMPLETED", "DEAD"])
def test_what_a_topic_takes_is_written_among_others_and_read_by_every_client(settings: Settings, name: str) -> None:
    topic: Topic = getattr(topics, name)
    small = [Outgoing(topic.name, b"k", b"small", [])] * 50
    producer = AcknowledgedProducer(settings)
    producer.send([*small, largest(topic), *small])
    producer.close()
    wanted = len(largest(topic).value)
    for config in (member_config, consumer_config):
        consumer = Consumer(config(settings, f"sizes-{uuid4().hex}"))
        consumer.subscribe([topic.name])
        sizes: list[int] = []
        while len(sizes) < 101:
            for message in consumer.consume(101 - len(sizes), 5.0):
                assert message.error() is None
                sizes.append(len(message.value() or b""))
        consumer.close()
        assert max(sizes) == wanted
    assert max(asyncio.run(_read_by_aiokafka(settings, topic.name, 101))) == wanted


async def _read_by_aiokafka(settings: Settings, topic: str, count: int) -> list[int]:
    """With the sizes that Faust's client asks for."""
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=settings.bootstrap_servers, auto_offset_reset="earliest", group_id=uuid4().hex
    )
    await consumer.start()
    try:
        return [len((await consumer.getone()).value) for _ in range(count)]
    finally:
        await consumer.stop()


@pytest.mark.parametrize("more_bytes", [topics.BATCH_OVERHEAD_BYTES * 2, 2 * topics.MIB, 64 * topics.MIB])
def test_a_record_that_is_too_large_is_named_and_all_others_are_written(settings: Settings, more_bytes: int) -> None:
    fits = [Outgoing(topics.DEAD.name, b"k", b"%d" % number, []) for number in range(40)]
    large = Outgoing(topics.DEAD.name, b"k", noise(topics.DEAD.max_bytes + more_bytes), [])
    producer = AcknowledgedProducer(settings)
    with pytest.raises(TooLarge) as too_large:
        producer.send([*fits[:20], large, *fits[20:]])
    assert too_large.value.record is large
    producer.send(fits[:1])
    producer.close()
    assert [record.value for record in read(settings, [topics.DEAD.name])] == [r.value for r in [*fits, fits[0]]]


def originals() -> dict[str, Outgoing]:
    """What others may write, at the most that the broker takes; where only we write, it counts compressed bytes."""
    topic = topics.CATALOG
    room = topic.max_bytes - topics.size_bytes(b"k", b"", []) - topics.HEADER_OVERHEAD_BYTES - 1
    return {
        "garbage": Outgoing(topic.name, b"k", noise(999_500), []),
        "limit": largest(topic),
        "key": Outgoing(topic.name, noise(room), b"v", []),
        "header": Outgoing(topic.name, b"k", b"v", [("h", noise(room))]),
        "zeros": Outgoing(topics.COMPLETED.name, b"k", bytes(12_000_000), [("ce_id", b"zeros")]),
    }


@pytest.mark.parametrize("settings", ["memory", pytest.param("kafka", marks=pytest.mark.long)], indirect=True)
@pytest.mark.parametrize("kind", originals())
def test_whatever_others_write_becomes_a_letter_and_comes_back_byte_for_byte(settings: Settings, kind: str) -> None:
    original = originals()[kind]
    write_as_others_do(settings, original)
    (delivery,) = read(settings, [original.topic])
    blobs = Blobs(open_store(settings.blobs))
    policy = RetryPolicy((), originals=blobs)
    producer = AcknowledgedProducer(settings)
    producer.send([policy.letter(delivery, Refused("bad", "no good"), 1000)])
    (letter,) = dead.find(settings, Wanted(), whole=True)
    back = returned(letter.record, blobs)
    assert (back.key, back.value) == (original.key, original.value)
    producer.close()
    dead.replay(settings, Wanted(), by="test")
    again = list(read(settings, [original.topic]))[1]
    assert (again.key, again.value) == (original.key, original.value)


def test_an_original_that_only_its_sender_could_squeeze_in_is_kept_and_replay_says_so(settings: Settings) -> None:
    original = Outgoing(topics.COMPLETED.name, b"k", bytes(90_000_000), [])
    write_as_others_do(settings, original)
    (delivery,) = read(settings, [topics.COMPLETED.name])
    blobs = Blobs(open_store(settings.blobs))
    producer = AcknowledgedProducer(settings)
    producer.send([RetryPolicy((), originals=blobs).letter(delivery, Refused("bad", "no good"), 1000)])
    producer.close()
    ((_, why),) = dead.replay(settings, Wanted(), by="test").left
    assert why.code == "record_too_large"
    (letter,) = dead.find(settings, Wanted())
    assert letter.state == "open"
    assert returned(letter.record, blobs).value == original.value


@pytest.mark.parametrize("settings", ["kafka"], indirect=True)
@pytest.mark.parametrize("size_bytes", [2 * topics.MIB, 20_000_000])
def test_a_record_that_is_small_only_as_it_is_packed_is_refused_where_others_write(
    settings: Settings, size_bytes: int
) -> None:
    """Packed, 30 KB may be 1 GB: that takes its readers' memory, or stands before those that unpack but 100 MB."""
    record = Outgoing(topics.CATALOG.name, b"k", bytes(size_bytes), [])
    (answer,) = answers_to_others(settings, record)
    assert answer is not None
    write_as_others_do(settings, Outgoing(topics.CATALOG.name, b"k", bytes(900_000), []))
    assert [len(each.value) for each in read(settings, [topics.CATALOG.name])] == [900_000]
