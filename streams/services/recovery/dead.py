"""The dead letters: which are open, sent back to where they came from, or discarded.

A letter is open until a LetterResolved names its position. What goes back and the record that it went are one Kafka
transaction, under a name that has one holder at a time: however often it is asked for, a letter is replayed once.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import structlog
from confluent_kafka import KafkaException, Producer

from schemas import topics
from schemas.codec import HASHED, Codec
from schemas.envelope import as_mapping
from schemas.records import LetterResolved, Resolution
from schemas.text import MESSAGE_MAX
from streams.blobs import Blobs, open_store
from streams.consumer import letters as header
from streams.consumer.clients import is_too_large, producer_config
from streams.consumer.letters import Delivery, Outgoing, event_in, outgoing, replayed
from streams.consumer.reading import at, read
from streams.consumer.registry import codec_of
from streams.runtime.errors import Refused, Unavailable
from streams.runtime.observability import span
from streams.runtime.settings import Settings

WRITER = "packshot.dead-letters"
TRANSACTION_MAX = 500  # letters
TRANSACTION_BYTES = 16 * topics.MIB  # of letters; one that is larger goes alone
# What is held of a letter that is found among many: of most headers enough for the longest name of ours (256 characters
# of 4 bytes each), of the message enough for the longest.
HELD = 2048
HELD_BYTES = {
    **dict.fromkeys([*header.LETTER_HEADERS - {header.HISTORY, header.REPLAYED}, *header.ORIGINAL_HEADERS], HELD),
    **dict.fromkeys(["ce_id", "ce_source", "traceparent", "tracestate"], HELD),
    header.ERROR_MESSAGE: 4 * MESSAGE_MAX,
}
OPEN_MS = 15_000  # for so long the transaction of a killed command holds up readers
CALL_S = 30.0
GONE = "its record was removed from the topic meanwhile"

log = structlog.get_logger()


@dataclass(frozen=True)
class DeadLetter:
    """A record that died, and what a person did about it; `codec` reads the event in it.

    `size_bytes` is that of the record as it was written, where this one has less of it.
    """

    record: Delivery
    resolved: LetterResolved | None = None
    codec: Codec = HASHED
    size_bytes: int = 0

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
        return self.record.origin_position

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

    @property
    def whole_bytes(self) -> int:
        """How much memory it takes with its original."""
        return self.size_bytes + (header.whole_number(self.header(header.ORIGINAL_BYTES)) or 0)

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


@dataclass(frozen=True)
class Replayed:
    """What a replay did: the letters that it sent back, and those that cannot go back, each with the reason."""

    sent: Sequence[DeadLetter]
    left: Sequence[tuple[DeadLetter, Refused]]


def find(settings: Settings, wanted: Wanted, *, whole: bool = False) -> list[DeadLetter]:
    """The letters that are meant, resolved ones too, as their records were first seen. Raises Unavailable.

    Without their records' values, and with no more of their headers than tells of them, unless `whole`: all that ever
    died together may be more than fits into memory.
    """
    found = (each if whole else _bare(each) for each in every(settings) if wanted.fits(each))
    return sorted(found, key=lambda letter: letter.order)


def every(settings: Settings) -> Iterator[DeadLetter]:
    """All letters as they were written, whole, one at a time. Raises Unavailable."""
    codec, resolved = codec_of(settings), dict[tuple[str, str], LetterResolved]()
    for record in read(settings, [topics.LETTERS.name]):
        if (event := _resolution_in(record, codec)) is not None:
            resolved[event.letter, event.event_id] = event
    seen = set[bytes]()
    for record in read(settings, [topics.DEAD.name]):
        letter = DeadLetter(record, resolved.get((record.position, record.event_id)), codec)
        if _is_new(letter, seen):
            yield letter


def _bare(letter: DeadLetter) -> DeadLetter:
    """A letter with what tells of it, and no more."""
    record = letter.record
    headers = [(name, held[: HELD_BYTES[name]]) for name, held in record.headers if name in HELD_BYTES]
    bare = replace(record, key=record.key and record.key[:HELD], value=b"", headers=headers)
    return replace(letter, record=bare, size_bytes=topics.size_bytes(record.key, record.value, record.headers))


def _is_new(letter: DeadLetter, seen: set[bytes]) -> bool:
    """Whether a letter is no repeat: whoever is killed behind a letter and before the commit writes it once more."""
    death = letter.origin_position if letter.origin else letter.record.position
    known_by = hashlib.blake2b(f"{death}\0{letter.record.event_id}".encode(), digest_size=16).digest()
    is_new = known_by not in seen
    seen.add(known_by)
    return is_new


def _resolution_in(record: Delivery, codec: Codec) -> LetterResolved | None:
    try:
        event = event_in(record, codec)
    except Refused as refusal:
        log.warning("no resolution", position=record.position, code=refusal.code, reason=refusal.message)
        return None
    assert isinstance(event, LetterResolved)
    return event


def replay(settings: Settings, wanted: Wanted, by: str) -> Replayed:
    """Sends the open ones among the letters back, and records that.

    One that came from nowhere, whose original is lost, or that its topic has no room for, stays open; the others go.
    Raises Unavailable.
    """
    originals = Blobs(open_store(settings.blobs, s3_endpoint=settings.s3_endpoint))
    origins = {topic.name for topic in topics.every(settings.retry_delays)} - {topics.DEAD.name, topics.LETTERS.name}

    def records(letter: DeadLetter) -> list[Outgoing]:
        if letter.origin not in origins:
            raise Refused("no_origin", f"letter {letter.name} came from no topic of ours: {letter.origin[:HELD]!r}")
        return [replayed(letter.record, originals), _resolution(letter, "replayed", "", by)]

    def whole(part: Sequence[DeadLetter]) -> Iterator[DeadLetter]:
        return _whole(settings, part)

    return _resolve(settings, wanted, whole, records)


def discard(settings: Settings, wanted: Wanted, by: str, reason: str) -> Sequence[DeadLetter]:
    """Records that the open ones among the letters are of no use any more. Raises Unavailable."""
    return _resolve(settings, wanted, iter, lambda letter: [_resolution(letter, "discarded", reason, by)]).sent


def _resolve(
    settings: Settings,
    wanted: Wanted,
    whole: Callable[[Sequence[DeadLetter]], Iterable[DeadLetter]],
    records: Callable[[DeadLetter], list[Outgoing]],
) -> Replayed:
    sent: list[DeadLetter] = []
    left: list[tuple[DeadLetter, Refused]] = []
    with _only_writer(settings) as producer:  # first, so that nobody resolves what is about to be read as open
        for part in _parts([letter for letter in find(settings, wanted) if letter.state == "open"]):
            known = {letter.name: letter for letter in part}
            going: list[tuple[DeadLetter, list[Outgoing]]] = []
            for letter in whole(part):
                try:
                    going.append((known[letter.name], records(letter)))
                except Refused as why:
                    left.append((known[letter.name], why))
            gone = known.keys() - {each.name for each, _ in (*going, *left)}
            left += [(known[name], Refused("letter_gone", GONE)) for name in sorted(gone)]
            _send(producer, going, sent, left)
    return Replayed(sent, left)


def _parts(letters: Sequence[DeadLetter]) -> Iterator[list[DeadLetter]]:
    """What goes in one transaction, in order: so many letters, and so much of them, as memory is sure to hold."""
    part: list[DeadLetter] = []
    size_bytes = 0
    for letter in letters:
        if part and (len(part) == TRANSACTION_MAX or size_bytes + letter.whole_bytes > TRANSACTION_BYTES):
            yield part
            part, size_bytes = [], 0
        part.append(letter)
        size_bytes += letter.whole_bytes
    if part:
        yield part


def _whole(settings: Settings, part: Sequence[DeadLetter]) -> Iterator[DeadLetter]:
    """The letters as they were written, in the same order."""
    wanted: dict[tuple[str, int], set[int]] = {}
    for letter in part:
        wanted.setdefault(letter.record.place, set()).add(letter.record.offset)
    records = {record.position: record for record in at(settings, wanted)}
    for letter in part:
        if (record := records.get(letter.record.position)) is not None:
            yield replace(letter, record=record)


def _send(
    producer: Producer,
    going: Sequence[tuple[DeadLetter, list[Outgoing]]],
    sent: list[DeadLetter],
    left: list[tuple[DeadLetter, Refused]],
) -> None:
    """Sends what goes in one transaction; where one is too large for its topic, each in its own."""
    try:
        _write(producer, [record for _, records in going for record in records])
        sent += [letter for letter, _ in going]
    except KafkaException as error:
        if not is_too_large(error.args[0]):
            raise
        producer.abort_transaction(CALL_S)
        if len(going) > 1:
            for each in going:
                _send(producer, [each], sent, left)
        else:
            why = Refused("record_too_large", "the letter's original is larger than its topic takes")
            left.append((going[0][0], why))


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
        raise Unavailable(f"not everything was resolved; list what is open: {error.args[0].str()}") from error


def _write(producer: Producer, records: Sequence[Outgoing]) -> None:
    if not records:
        return
    producer.begin_transaction()
    for record in records:
        producer.produce(record.topic, record.value, record.key, headers=list(record.headers))
    producer.commit_transaction(CALL_S)
