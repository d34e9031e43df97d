"""The dead letters: which are open, sent back to where they came from, or discarded.

A letter is open until a LetterResolved names its position. What goes back and the record that it went are one Kafka
transaction, under a name that has one holder at a time: however often it is asked for, a letter is replayed once.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import structlog
from confluent_kafka import KafkaException, Producer

from schemas import topics
from schemas.codec import HASHED, Codec
from schemas.envelope import as_mapping
from schemas.records import LetterResolved, Resolution
from streams.blobs import Blobs, open_store
from streams.consumer import letters as header
from streams.consumer.clients import is_too_large, producer_config
from streams.consumer.letters import Delivery, Outgoing, event_in, outgoing, replayed
from streams.consumer.reading import read
from streams.consumer.registry import codec_of
from streams.runtime.errors import Refused, Unavailable
from streams.runtime.observability import span
from streams.runtime.settings import Settings

WRITER = "packshot.dead-letters"
TRANSACTION_MAX = 500  # letters
OPEN_MS = 15_000  # for so long the transaction of a killed command holds up readers
CALL_S = 30.0

log = structlog.get_logger()


@dataclass(frozen=True)
class DeadLetter:
    """A record that died, and what a person did about it; `codec` reads the event in it."""

    record: Delivery
    resolved: LetterResolved | None = None
    codec: Codec = HASHED

    @property
    def name(self) -> str:
        """What people call it: partition/offset on the topic of dead letters."""
        return f"{self.record.partition}/{self.record.offset}"

    @property
    def state(self) -> str:
        """open, replayed or discarded."""
        return self.resolved.resolution if self.resolved else "open"

    @property
    def origin(self) -> str:
        """The topic that it was read from; empty when somebody else wrote it here."""
        return self.header(header.ORIGIN_TOPIC)

    @property
    def origin_position(self) -> str:
        """Where its last try stood: topic/partition/offset."""
        return f"{self.origin}/{self.header(header.ORIGIN_PARTITION)}/{self.header(header.ORIGIN_OFFSET)}"

    @property
    def product(self) -> tuple[str, str]:
        """Tenant and SKU, or campaign, in its key."""
        return topics.product_of(self.record.key)

    @property
    def failed_at_ms(self) -> int:
        """When it died, Unix time in ms."""
        return self._number(header.FAILED_AT)

    @property
    def order(self) -> tuple[int, int, int]:
        """Sorts letters as their records were first seen."""
        return self._number(header.FIRST_SEEN), self.record.partition, self.record.offset

    def header(self, name: str) -> str:
        """A header as text; empty when there is none."""
        return as_mapping(self.record.headers).get(name, "")

    def _number(self, name: str) -> int:
        number = header.whole_number(self.header(name))
        return self.record.timestamp_ms if number is None else number


@dataclass(frozen=True)
class Wanted:
    """Which letters are meant: those that fit everything given. Times are Unix times in ms, `until_ms` exclusive."""

    names: frozenset[str] = frozenset()
    topic: str | None = None
    code: str | None = None
    tenant: str | None = None
    sku: str | None = None
    event_id: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None

    def fits(self, letter: DeadLetter) -> bool:
        """Whether a letter is meant."""
        tenant, sku = letter.product
        topic = letter.origin.removeprefix(topics.PREFIX)
        return (
            (not self.names or letter.name in self.names)
            and (self.topic is None or topic == self.topic.removeprefix(topics.PREFIX))
            and self.code in (None, letter.header(header.ERROR_CODE))
            and self.tenant in (None, tenant)
            and self.sku in (None, sku)
            and self.event_id in (None, letter.record.event_id)
            and (self.since_ms is None or letter.failed_at_ms >= self.since_ms)
            and (self.until_ms is None or letter.failed_at_ms < self.until_ms)
        )


def find(settings: Settings, wanted: Wanted, *, whole: bool = False) -> list[DeadLetter]:
    """The letters that are meant, resolved ones too, as their records were first seen. Raises Unavailable.

    Without their records' values unless `whole`: all that ever died together may be more than fits into memory.
    """
    dead: list[DeadLetter] = []
    resolved: dict[tuple[str, str], LetterResolved] = {}
    codec, seen = codec_of(settings), set[tuple[str, str]]()
    for record in read(settings, [topics.DEAD.name, topics.LETTERS.name]):
        if record.topic == topics.LETTERS.name:
            if (event := _resolution_in(record, codec)) is not None:
                resolved[event.letter, event.event_id] = event
            continue
        letter = DeadLetter(record if whole else replace(record, value=b""), None, codec)
        if _is_new(letter, seen) and wanted.fits(letter):
            dead.append(letter)
    told = [replace(each, resolved=resolved.get((each.record.position, each.record.event_id))) for each in dead]
    return sorted(told, key=lambda letter: letter.order)


def _is_new(letter: DeadLetter, seen: set[tuple[str, str]]) -> bool:
    """Whether a letter is no repeat: whoever is killed behind a letter and before the commit writes it once more."""
    death = letter.origin_position if letter.origin else letter.record.position, letter.record.event_id
    is_new = death not in seen
    seen.add(death)
    return is_new


def _resolution_in(record: Delivery, codec: Codec) -> LetterResolved | None:
    try:
        event = event_in(record, codec)
    except Refused as refusal:
        log.warning("no resolution", position=record.position, code=refusal.code, reason=refusal.message)
        return None
    assert isinstance(event, LetterResolved)
    return event


def replay(settings: Settings, wanted: Wanted, by: str) -> list[DeadLetter]:
    """Sends the open ones among the letters back, and records that.

    Raises Refused for one that came from nowhere, or whose original is lost.
    """
    origins = {topic.name for topic in topics.every(settings.retry_delays)} - {topics.DEAD.name, topics.LETTERS.name}
    originals = Blobs(open_store(settings.blobs, s3_endpoint=settings.s3_endpoint))

    def records(letter: DeadLetter) -> list[Outgoing]:
        if letter.origin not in origins:
            raise Refused("no_origin", f"letter {letter.name} came from no topic of ours: {letter.origin!r}")
        return [replayed(letter.record, originals), _resolution(letter, "replayed", "", by)]

    return _resolve(settings, wanted, records)


def discard(settings: Settings, wanted: Wanted, by: str, reason: str) -> list[DeadLetter]:
    """Records that the open ones among the letters are of no use any more."""
    return _resolve(settings, wanted, lambda letter: [_resolution(letter, "discarded", reason, by)])


def _resolve(settings: Settings, wanted: Wanted, records: Callable[[DeadLetter], list[Outgoing]]) -> list[DeadLetter]:
    with _only_writer(settings) as producer:  # first, so that nobody resolves what is about to be read as open
        chosen = [letter for letter in find(settings, wanted) if letter.state == "open"]
        for start in range(0, len(chosen), TRANSACTION_MAX):
            named = Wanted(frozenset(letter.name for letter in chosen[start : start + TRANSACTION_MAX]))
            _write(producer, [record for each in find(settings, named, whole=True) for record in records(each)])
    return chosen


def _resolution(letter: DeadLetter, resolution: Resolution, reason: str, by: str) -> Outgoing:
    event = LetterResolved(
        letter=letter.record.position,
        event_id=letter.record.event_id,
        resolution=resolution,
        reason=reason,
        resolved_by=by,
        resolved_at_ms=time.time_ns() // 1_000_000,
    )
    with span(f"letter {resolution}", as_mapping(letter.record.headers), {"packshot.position": event.letter}):
        return outgoing(event, "packshot/dead", codec=letter.codec)


@contextmanager
def _only_writer(settings: Settings) -> Iterator[Producer]:
    """A writer that has locked out every other; what another had not committed is undone."""
    config = {"transactional.id": WRITER, "transaction.timeout.ms": OPEN_MS}
    producer = Producer(producer_config(settings) | config)
    try:
        producer.init_transactions(CALL_S)
        yield producer
    except KafkaException as error:
        if is_too_large(error.args[0]):
            raise Refused("record_too_large", "a letter's original is larger than its topic takes") from error
        raise Unavailable(f"not everything was resolved; list what is open: {error.args[0].str()}") from error


def _write(producer: Producer, records: Sequence[Outgoing]) -> None:
    producer.begin_transaction()
    for record in records:
        producer.produce(record.topic, record.value, record.key, headers=list(record.headers))
    producer.commit_transaction(CALL_S)
