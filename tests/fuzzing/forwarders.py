"""The roles that pass records on: publisher and retrier, on brokers and stores in memory."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, cast
from unittest.mock import patch

from confluent_kafka import TopicPartition

from loadtest.benchmarks.message import Message
from schemas import topics
from streams.blobs import Blobs
from streams.consumer import retrier as retrying
from streams.consumer.clients import TooLarge, delivery
from streams.consumer.isolation import Isolation, MemoryTrials
from streams.consumer.letters import Delivery, Outgoing, RetryPolicy
from streams.consumer.retrier import Retrier
from streams.facts import ProductState
from streams.publishing import publisher as publishing
from streams.publishing.publication import Publication
from streams.publishing.publisher import Publisher
from streams.runtime.errors import Refused
from tests.fuzzing.oracle import Broken, answered, nothing_unforeseen, sound
from tests.fuzzing.records import Records
from tests.fuzzing.roles import pools_of, refusing
from tests.memory_store import MemoryStore
from tests.simulation.clock import VirtualClock
from tests.simulation.storage import Store

DELAYS_MS = (1000,)
PUBLISHED, RETRIED = 40, 60
CREATE_TIME = 1
TURNS_MAX = 400


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

    def state_of(self, _tenant: str, _sku: str) -> ProductState | None:
        """See streams.publishing.publication.ProductFacts."""
        if self._rng.random() < 0.1:
            return None
        states = [name for name in ("amazon-1", "web-1", "web-1.lifestyle") if self._rng.random() < 0.8]
        version = self._rng.choice([1, 2, 3, 2**63 - 1])
        return ProductState(version, self._rng.random() < 0.1, dict.fromkeys(states, "publishing"))


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
        records = Records(rng, pools_of(Path(name), blobs))
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
    return Message(**about, headers=list(read.headers), timestamp=(CREATE_TIME, read.timestamp_ms))
