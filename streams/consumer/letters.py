"""Deliveries, what is sent on, and the letters of what failed: to be retried, or dead.

A letter is the original record, byte for byte, with its story in headers: the last failure in headers of their own, and
all of them in `packshot-history`, oldest first. The story is bounded, and so is a letter: an original that is too large
for its topic is kept elsewhere as a whole, and the letter says where (`packshot-original`, its SHA-256).
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Annotated, Protocol

import msgspec
from msgspec import Meta

from schemas import topics
from schemas.codec import HASHED, Codec, InvalidRecord, WireError
from schemas.decoding import prepare
from schemas.envelope import Headers, as_mapping, cloud_event
from schemas.identity import content_id
from schemas.records import Event, Milliseconds, Task
from schemas.text import CODE_MAX, FIELD_MAX, ID_MAX, KEY_MAX, printable
from streams.runtime.errors import Refused
from streams.runtime.observability import trace_headers

ORIGIN_TOPIC = "packshot-origin-topic"
ORIGIN_PARTITION = "packshot-origin-partition"
ORIGIN_OFFSET = "packshot-origin-offset"
ATTEMPT = "packshot-attempt"
FIRST_SEEN = "packshot-first-seen-ms"
NOT_BEFORE = "packshot-not-before-ms"
FAILED_AT = "packshot-failed-at-ms"
ERROR_KIND = "packshot-error-kind"
ERROR_CODE = "packshot-error-code"
ERROR_FIELD = "packshot-error-field"
ERROR_MESSAGE = "packshot-error-message"
DEADLINE = "packshot-deadline-ms"
HISTORY = "packshot-history"
REPLAYED = "packshot-replayed-letter"
ORIGINAL = "packshot-original"
ORIGINAL_BYTES = "packshot-original-bytes"
ORIGINAL_AT = "packshot-original-at"
ORIGINAL_HEADERS = frozenset({ORIGINAL, ORIGINAL_BYTES, ORIGINAL_AT})
LETTER_HEADERS = frozenset({
    ORIGIN_TOPIC, ORIGIN_PARTITION, ORIGIN_OFFSET, ATTEMPT, FIRST_SEEN, NOT_BEFORE, FAILED_AT, ERROR_KIND, ERROR_CODE,
    ERROR_FIELD, ERROR_MESSAGE, HISTORY, REPLAYED,
})  # fmt: skip
HISTORY_MAX = 20
HISTORY_BYTES_MAX = 24 * 1024
HISTORY_MESSAGE_MAX = 200
# What a letter keeps at hand of an original that lies elsewhere.
KEY_KEPT_BYTES = 1024
HEADER_KEPT_BYTES = 1024
HEADERS_KEPT = 32
JITTER_SHARE = 0.2
CLOCKS_APART_MAX_MS = 60_000


class Failure(msgspec.Struct, frozen=True):
    """One failed try of a record, in the history that its letters carry on."""

    at_ms: Milliseconds
    position: Annotated[str, Meta(max_length=ID_MAX)]
    attempt: Annotated[int, Meta(ge=0)]
    kind: Annotated[str, Meta(max_length=CODE_MAX)]
    code: Annotated[str, Meta(max_length=CODE_MAX)]
    field: Annotated[str, Meta(max_length=FIELD_MAX)]
    message: Annotated[str, Meta(max_length=HISTORY_MESSAGE_MAX)]


@dataclass(frozen=True)
class Delivery:
    """One record as it was read."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes
    headers: Headers = field(default_factory=list)
    timestamp_ms: int = 0

    @property
    def position(self) -> str:
        """Where the record stands: topic/partition/offset."""
        return f"{self.topic}/{self.partition}/{self.offset}"

    @property
    def place(self) -> tuple[str, int]:
        """Topic and partition."""
        return self.topic, self.partition

    @property
    def attempt(self) -> int:
        """How many tries this record has behind it."""
        return whole_number(as_mapping(self.headers).get(ATTEMPT)) or 0

    @property
    def origin_position(self) -> str:
        """Where the try stood that this is a letter of, or written again after: topic/partition/offset."""
        known = as_mapping(self.headers)
        return "/".join(known.get(name, "") for name in (ORIGIN_TOPIC, ORIGIN_PARTITION, ORIGIN_OFFSET))

    @property
    def deadline_ms(self) -> int | None:
        """Until when the work on this record is wanted, in Unix time; None for ever."""
        return whole_number(as_mapping(self.headers).get(DEADLINE))

    @property
    def not_before_ms(self) -> int:
        """Until when a retry letter has to wait, in Unix time."""
        return whole_number(as_mapping(self.headers).get(NOT_BEFORE)) or 0

    @property
    def tenant(self) -> str:
        """Whose record it is, after its key; empty where the key does not say."""
        return (self.key or b"").partition(b"|")[0].decode(errors="backslashreplace")

    @property
    def event_id(self) -> str:
        """The CloudEvents id, as far as it is fit to be noted, or the position of a record that has none."""
        return printable(as_mapping(self.headers).get("ce_id", ""), ID_MAX) or self.position

    @property
    def source(self) -> str:
        """The CloudEvents source, as far as it is fit to be noted; empty where there is none."""
        return printable(as_mapping(self.headers).get("ce_source", ""), ID_MAX)

    @property
    def subject(self) -> str:
        """The key as text that is fit to be noted; empty when there is none."""
        return printable((self.key or b"").decode(errors="backslashreplace"), KEY_MAX)

    @property
    def history(self) -> list[Failure]:
        """The tries that failed, oldest first; none when the header is not one of ours."""
        try:
            return msgspec.json.decode(as_mapping(self.headers).get(HISTORY, "[]"), type=list[Failure])
        except (msgspec.DecodeError, RecursionError, UnicodeError):
            return []


@dataclass(frozen=True)
class Outgoing:
    """One record to write; to `partition`, or to that which its key is for."""

    topic: str
    key: bytes | None
    value: bytes
    headers: Headers
    partition: int | None = None

    @property
    def size_bytes(self) -> int:
        """No less than what the broker counts."""
        return topics.size_bytes(self.key, self.value, self.headers)


class Originals(Protocol):
    """Where originals lie that are too large for a letter, by the SHA-256 of their bytes; see streams.blobs.Blobs.

    Each method raises Unavailable while the store is away; `get` LookupError or ValueError for what is not there.
    """

    def put(self, data: bytes) -> str: ...
    def get(self, digest: str) -> bytes: ...
    def address(self, digest: str) -> str: ...


class _Original(msgspec.Struct, frozen=True, array_like=True):
    """A record as it was read, as it is kept."""

    key: bytes | None
    value: bytes
    headers: list[tuple[str, bytes]]


def written_at_ms(stated_ms: int | None) -> int:
    """When a record was written, Unix time in ms: what it says of that, or now where that cannot be.

    A topic that has its time from the sender may say that there is none (-1), or years to come; nothing may be counted
    or expire by that. Brokers' clocks may be a little ahead of ours.
    """
    now_ms = time.time_ns() // 1_000_000
    return stated_ms if stated_ms is not None and 0 <= stated_ms <= now_ms + CLOCKS_APART_MAX_MS else now_ms


def event_in(delivery: Delivery, codec: Codec = HASHED) -> Event:
    """The event in a delivery, of a record that belongs on its topic. Raises Refused.

    Its key must be its own, for it says which events stay in order: with another one, or with none, a record would
    overtake those of its product, or be overtaken.
    """
    try:
        event = codec.decode(delivery.value, topics.records_on(delivery.topic))
    except WireError as error:
        raise Refused.because(error) from error
    if not topics.belongs(event, delivery.topic):
        raise Refused("wrong_topic", f"this {type(event).__name__} does not belong on {delivery.topic}")
    if delivery.key != topics.key_of(event):
        found = repr(delivery.subject) if delivery.key else "none"
        raise Refused("wrong_key", f"the key is to be {topics.key_of(event).decode()!r}, not {found}", field="key")
    return event


def outgoing(event: Event, source: str, event_id: str = "", codec: Codec = HASHED) -> Outgoing:
    """`event` as a record for its topic, continuing the current trace; its id is the hash of its content by default.

    Raises Refused for an event that nobody could read, a task that no pool works on (`unknown_operation`), and one that
    its topic has no room for, with the story of a letter besides (`record_too_large`).
    """
    try:
        value = codec.encode(event)
    except InvalidRecord as error:
        raise Refused.because(error) from error
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    identity = event_id or content_id(type(event).__name__, value.hex())
    headers = cloud_event(event, source=source, time=now, trace=trace_headers(), event_id=identity)
    if isinstance(event, Task) and event.deadline_ms is not None:
        headers.append((DEADLINE, str(event.deadline_ms).encode()))
    topic = _topic_of(event)
    record = Outgoing(topic.name, topics.key_of(event), value, headers)
    if record.size_bytes > topic.max_bytes - topics.STORY_BYTES:
        message = f"a {type(event).__name__} of {record.size_bytes} bytes; {topic.name} has room for"
        raise Refused("record_too_large", f"{message} {topic.max_bytes - topics.STORY_BYTES}")
    return record


def _topic_of(event: Event) -> topics.Topic:
    try:
        return topics.topic_of(event)
    except KeyError as error:
        raise Refused("unknown_operation", f"no pool does {error}", field="step.operation") from error


@dataclass(frozen=True)
class RetryPolicy:
    """How long each further try waits. `random_share` gives numbers from 0 to 1, for the jitter.

    `originals` keeps what is too large for a letter; without it such a record has no letter.
    """

    delays_ms: Sequence[int]
    random_share: Callable[[], float] = random.random
    originals: Originals | None = None

    def letter(self, delivery: Delivery, refusal: Refused, now_ms: int) -> Outgoing:
        """The letter that a refused delivery becomes: a retry while tries are left, else a dead one.

        It always fits its topic. Raises Unavailable while an original has to be kept and its store is away.
        """
        if not refusal.transient or self.is_last_try(delivery):
            return self._fitting(_letter(delivery, refusal, now_ms, topics.DEAD.name, {}), topics.DEAD, delivery)
        delay_ms = self.delays_ms[delivery.attempt]
        not_before_ms = now_ms + round(delay_ms * (1 + JITTER_SHARE * self.random_share()))
        letter_headers = {ATTEMPT: delivery.attempt + 1, NOT_BEFORE: not_before_ms}
        topic = topics.retry(delay_ms)
        return self._fitting(_letter(delivery, refusal, now_ms, topic.name, letter_headers), topic, delivery)

    def instead(self, record: Outgoing, number: int, why: Refused, now_ms: int) -> Outgoing:
        """The dead letter of a record of ours that its topic will not take, `number` telling it from others.

        Its original is kept elsewhere; what is a letter already stays it, with its story. Raises Refused where its
        original is elsewhere already, Unavailable while the store of originals is away.
        """
        if ORIGINAL in as_mapping(record.headers) or self.originals is None:
            raise Refused(why.code, f"{why}: not even a letter without its original", field=why.field)
        # Nowhere does it stand: a partition that there is would have the letter be about another record.
        read = Delivery(record.topic, -1, number, record.key, record.value, list(record.headers), now_ms)
        is_letter = record.topic == topics.DEAD.name or record.topic.startswith(topics.RETRY_PREFIX)
        letter = record if is_letter else _letter(read, why, now_ms, topics.DEAD.name, {})
        return _without_original(letter, read, self.originals)

    def is_last_try(self, delivery: Delivery) -> bool:
        """Whether nothing is left after the try in hand."""
        return delivery.attempt >= len(self.delays_ms)

    def _fitting(self, letter: Outgoing, topic: topics.Topic, delivery: Delivery) -> Outgoing:
        if letter.size_bytes <= topic.max_bytes - topics.TRACE_BYTES:
            return letter
        if self.originals is None:
            raise ValueError(f"{delivery.position} is too large for a letter, and there is no place for originals")
        return _without_original(letter, delivery, self.originals)


def returned(delivery: Delivery, originals: Originals | None = None) -> Outgoing:
    """A retry letter on its way back to where it came from, with its story kept as far as there is room for it.

    Raises Refused when no origin is told or its original is lost, Unavailable while the store of originals is away.
    """
    origin = as_mapping(delivery.headers).get(ORIGIN_TOPIC, "")
    topic = topics.find(origin)
    if topic is None or origin.startswith(topics.RETRY_PREFIX):
        origin_shown = origin[:HISTORY_MESSAGE_MAX]
        raise Refused("no_origin", f"no topic to give it back to: {origin_shown!r}", field=ORIGIN_TOPIC)
    return _back(delivery, topic, originals)


def replayed(letter: Delivery, originals: Originals | None = None) -> Outgoing:
    """A dead letter on its way back to where it came from: its tries start anew, its story stays as far as there is
    room for it. Raises as `returned` does."""
    origin = as_mapping(letter.headers).get(ORIGIN_TOPIC, "")
    topic = topics.find(origin) or topics.Topic(origin, ())
    record = _back(letter, topic, originals)
    kept = [(name, value) for name, value in record.headers if name not in (ATTEMPT, NOT_BEFORE, REPLAYED)]
    return replace(record, headers=[*kept, (REPLAYED, letter.position.encode())])


def _back(letter: Delivery, topic: topics.Topic, originals: Originals | None) -> Outgoing:
    whole = _restored(letter, originals)
    record = Outgoing(topic.name, whole.key, whole.value, whole.headers)
    if record.size_bytes <= topic.max_bytes:
        return record
    # At its topic's limit there is only room for what keeps it from being tried for ever.
    return replace(
        record, headers=[each for each in record.headers if each[0] not in LETTER_HEADERS or each[0] == ATTEMPT]
    )


def _without_original(letter: Outgoing, delivery: Delivery, originals: Originals) -> Outgoing:
    """`letter` with its original in the store: key and headers shortened, no value."""
    data = msgspec.msgpack.encode(_Original(delivery.key, delivery.value, delivery.headers))
    digest = originals.put(data)
    kept_at = {ORIGINAL: digest, ORIGINAL_BYTES: str(len(data)), ORIGINAL_AT: originals.address(digest)}
    letter_headers = [header for header in letter.headers if header[0] in LETTER_HEADERS]
    short = [
        (name, value)
        for name, value in letter.headers
        if name not in LETTER_HEADERS and len(name.encode()) + len(value) <= HEADER_KEPT_BYTES
    ]
    headers = [*short[:HEADERS_KEPT], *letter_headers, *((name, value.encode()) for name, value in kept_at.items())]
    return Outgoing(letter.topic, letter.key and letter.key[:KEY_KEPT_BYTES], b"", headers)


def _restored(letter: Delivery, originals: Originals | None) -> Delivery:
    """A letter with its original in it again. Raises Refused when that is lost."""
    digest = as_mapping(letter.headers).get(ORIGINAL)
    if digest is None:
        return letter
    try:
        if originals is None:
            raise LookupError("there is no place for originals here")
        original = msgspec.msgpack.decode(originals.get(digest), type=_Original)
    except (LookupError, ValueError) as error:
        raise Refused("original_lost", f"{digest[:64]!r}: {error}", field=ORIGINAL) from error
    kept = [header for header in original.headers if header[0] not in LETTER_HEADERS]
    letter_headers = [header for header in letter.headers if header[0] in LETTER_HEADERS]
    return replace(letter, key=original.key, value=original.value, headers=[*kept, *letter_headers])


def _letter(
    delivery: Delivery, refusal: Refused, now_ms: int, topic: str, letter_headers: Mapping[str, object]
) -> Outgoing:
    known = as_mapping(delivery.headers)
    error = {
        ORIGIN_TOPIC: delivery.topic,
        ORIGIN_PARTITION: delivery.partition,
        ORIGIN_OFFSET: delivery.offset,
        FIRST_SEEN: whole_number(known.get(FIRST_SEEN)) or delivery.timestamp_ms or now_ms,
        FAILED_AT: now_ms,
        ERROR_KIND: refusal.kind,
        ERROR_CODE: refusal.code,
        ERROR_FIELD: refusal.field,
        ERROR_MESSAGE: refusal.message,
        HISTORY: _longer_history(delivery, refusal, now_ms),
        **letter_headers,
    }
    # Only a letter of ours says truly where its original is.
    dropped = {*error} if delivery.topic.startswith(topics.RETRY_PREFIX) else {*error, *ORIGINAL_HEADERS}
    kept = [(name, value) for name, value in delivery.headers if name not in dropped]
    return Outgoing(topic, delivery.key, delivery.value, kept + [(n, _bytes(v)) for n, v in error.items()])


def _bytes(value: object) -> bytes:
    return str(value).encode(errors="backslashreplace")


def _longer_history(delivery: Delivery, refusal: Refused, now_ms: int) -> str:
    """All failures as JSON; where there are too many the first stays, which says where a record stood before all."""
    message = printable(refusal.message, HISTORY_MESSAGE_MAX)
    code, field = refusal.code, refusal.field
    last = Failure(now_ms, delivery.position, delivery.attempt, refusal.kind, code, field, message)
    every = [*delivery.history, last]
    failures = [msgspec.json.encode(each) for each in [*every[:1], *every[1:][1 - HISTORY_MAX :]]]
    while sum(map(len, failures)) > HISTORY_BYTES_MAX and len(failures) > 2:
        del failures[1]
    return f"[{b','.join(failures).decode()}]"


def whole_number(text: str | None) -> int | None:
    """A number in a header; one that others wrote may hold anything, and then says nothing."""
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 19 else None


prepare(Failure)
prepare(_Original)
