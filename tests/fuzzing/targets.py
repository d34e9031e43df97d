"""What is fuzzed: whatever reads records, or files, that others have written. A target raises when it is broken."""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from schemas import codec, topics
from schemas.envelope import as_mapping
from schemas.records import CatalogChanged, Source, Task
from streams.audit import audit
from streams.catalogue import Catalogue
from streams.consumer.letters import Delivery, Outgoing, RetryPolicy, outgoing, replayed, returned
from streams.dead import DeadLetter, Wanted
from streams.errors import Refused
from streams.processing import CONSUMED, Processing


class Target(Protocol):
    """Something that reads what others have written."""

    def feed(self, delivery: Delivery) -> None:
        """Works on one record. Raises when anything but a proper end comes of it."""


class Decoder:
    """The codec: an event comes out, or a WireError; and what came out goes in again."""

    def feed(self, delivery: Delivery) -> None:
        try:
            event = codec.decode(delivery.value)
        except codec.WireError as error:
            assert str(error).isprintable(), error
            return
        assert codec.decode(codec.encode(event)) == event


class Letters:
    """What the headers say, the letters that are made of them, and their ways back."""

    def __init__(self) -> None:
        self._policies = (RetryPolicy((1000,)), RetryPolicy(()))

    def feed(self, delivery: Delivery) -> None:
        for policy in self._policies:
            for refusal in (Refused("bad", "no", transient=True), Refused("unexpected", "\x00\x1b[31m", poison=True)):
                letter = policy.letter(delivery, refusal, 1_780_000_000_000)
                self._read(Delivery(letter.topic, 1, 7, letter.key, letter.value, letter.headers, -1), delivery)

    def _read(self, letter: Delivery, original: Delivery) -> None:
        assert letter.value == original.value
        assert letter.attempt >= 0
        assert letter.not_before_ms >= 0
        assert len(letter.history) >= 1
        assert DeadLetter(letter).name == "1/7"
        assert Wanted(code="bad").fits(DeadLetter(letter)) in (True, False)
        assert DeadLetter(letter).order
        assert replayed(letter).value == original.value
        try:
            assert returned(letter).value == original.value
        except Refused as refusal:
            assert refusal.code == "no_origin"


class Streams:
    """The processors on a database of their own. Behind every record a good one is answered."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._sent: list[Outgoing] = []
        self._processing = Processing(catalogue, self, RetryPolicy((1000,)))
        self._offset = 0

    def send(self, records: Sequence[Outgoing]) -> None:
        """See streams.processing.Sender."""
        for record in records:
            assert record.topic.startswith(topics.PREFIX)
            as_mapping(record.headers)
        self._sent += records

    def feed(self, delivery: Delivery) -> None:
        own = delivery.topic in {topic.name for topic in CONSUMED}
        self._work(delivery, delivery.topic if own else topics.CATALOG.name)
        self._sent.clear()
        good = outgoing(_good(self._offset), "fuzz")
        self._work(Delivery(good.topic, 0, 0, good.key, good.value, good.headers, 1), good.topic)
        assert any(isinstance(codec.decode(record.value), Task) for record in self._sent), "a good record has no answer"

    def _work(self, its: Delivery, topic: str) -> None:
        self._offset += 1
        self._processing.run(
            [Delivery(topic, 0, self._offset, its.key, its.value, its.headers, its.timestamp_ms)]
        )


class Audited:
    """The audit's reading of every topic."""

    def feed(self, delivery: Delivery) -> None:
        log = audit._Log({}, 0)
        log._note(delivery)
        log.tasks.written(delivery)
        assert list(log.foreign()) is not None
        assert log.counts()


def _good(number: int) -> CatalogChanged:
    source = Source(uri="https://images.example/a.jpg")
    return CatalogChanged(tenant="fuzz", sku=f"good-{number}", version=1, sources=[source], channels=["amazon"])


@contextmanager
def _decoder(_folder: Path) -> Iterator[Target]:
    yield Decoder()


@contextmanager
def _letters(_folder: Path) -> Iterator[Target]:
    yield Letters()


@contextmanager
def _audited(_folder: Path) -> Iterator[Target]:
    yield Audited()


@contextmanager
def _streams(folder: Path) -> Iterator[Target]:
    catalogue = Catalogue(f"sqlite:///{folder / 'facts.db'}")
    catalogue.create_tables()
    yield Streams(catalogue)
    catalogue.close()


TARGETS: Mapping[str, Callable[[Path], AbstractContextManager[Target]]] = {
    "audit": _audited,
    "decoder": _decoder,
    "letters": _letters,
    "streams": _streams,
}
