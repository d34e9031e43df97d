"""Records as a broker may hand them over: good ones, nearly good ones, and what was never one of ours."""

import io
import struct
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from importlib import resources
from random import Random
from typing import Any

import fastavro
import msgspec

from schemas import codec, history, topics
from schemas.records import (
    EVENTS,
    Event,
    PublicationFailed,
    PublishRequested,
    ReviewDecided,
    ReviewRequested,
    Task,
    TaskCompleted,
    TaskFailed,
)
from streams.consumer import letters
from streams.consumer.clients import HEADERS_LOST
from streams.consumer.letters import Delivery, outgoing
from tests.fuzzing.values import HOSTILE_FLOATS, HOSTILE_NUMBERS, HOSTILE_TEXTS, Values
from tests.streams.flow import published

FRAME = struct.Struct(">bI")
HEADERS = (
    "ce_id", "ce_time", "ce_type", "ce_source", "traceparent", "tracestate", "content-type", "", "x" * 3000, "ключ",
    HEADERS_LOST, letters.DEADLINE, *sorted(letters.LETTER_HEADERS | letters.ORIGINAL_HEADERS),
)  # fmt: skip
HEADER_VALUES = (
    b"", b"\xff\xfe", b"-1", b"0", b"1", b"9" * 18, b"9" * 5000, b"x" * 60_000, b"imagery.dead", b"imagery.catalog",
    b"imagery.retry.1000ms", b"imagery.retry.xms", b"imagery.tasks.cutout.bulk", b"imagery.published", b"another",
    b"[]", b"[" * 20_000, b'{"a":' * 20_000, b'[{"at_ms":1}]', b"null", b"NaN", "²".encode(), b"1e5", b"\x00",
    b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-01",
    b'[{"at_ms":1,"position":"imagery.campaigns/0/99999999999999999999","attempt":0,"kind":"","code":"","field":"",'
    b'"message":""}]',
)  # fmt: skip
TIMES_MS = (-1, 0, 1, 1_780_000_000_000, 2**62)
TRUE_SHARE = 0.85  # of keys, topics and values that are as they should be


class Records:
    """Draws deliveries; what it has drawn, and what roles have sent, comes back in another form later."""

    def __init__(self, rng: Random, pools: dict[str, tuple[Any, ...]] | None = None) -> None:
        self._rng = rng
        documents = {"text": _yaml("schemas.recipes"), "manifest": _yaml("gpu_workers.models", "manifests")}
        self._values = Values(rng, documents | (pools or {}))
        self._events: list[Event] = []
        self._deliveries: list[Delivery] = []

    def announced(self, events: Sequence[Event]) -> None:
        """What a role has sent, that others may answer."""
        self._events = [*self._events, *events][-50:]

    def delivery(self, names: Sequence[str], offset: int) -> Delivery:
        """A record on one of these topics. Its time is what the sender says: a client is to look at that first."""
        rng = self._rng
        if self._deliveries and rng.random() < 0.1:  # once more
            again = rng.choice(self._deliveries)
            return replace(again, offset=offset)
        event = self.event([record for name in names for record in topics.records_on(name)])
        value, name = self.value(event), _topic_of(event)
        key: bytes | None = topics.key_of(event)
        if name not in names or rng.random() > 0.97:
            name = rng.choice(names)
        if rng.random() > TRUE_SHARE + 0.1:
            key = rng.choice(
                [None, b"", b"\xff\xfe|\x00", b"acme|" + b"k" * 5000, b"|", self.text().encode(errors="ignore")]
            )
        headers = self.headers(event)
        drawn = Delivery(name, 0, offset, key, value, headers, rng.choice(TIMES_MS))
        self._deliveries = [*self._deliveries, drawn][-20:]
        return drawn

    def event(self, kinds: Sequence[type[Event]]) -> Event:
        """A well-formed event, one of these kinds if there are any."""
        rng = self._rng
        answers = [answer for event in self._events[-10:] for answer in self._answers(event) if type(answer) in kinds]
        if answers and rng.random() < 0.5:
            return rng.choice(answers)
        return self._values.record(rng.choice(kinds if kinds and rng.random() < 0.95 else EVENTS))

    def value(self, event: Event) -> bytes:
        """An event's bytes, or what is nearly that, or not at all."""
        rng = self._rng
        try:
            data = codec.encode(event)
        except codec.InvalidRecord:  # too deep, or a character that UTF-8 has not
            data = b"\x00" + rng.randbytes(40)
        if rng.random() < TRUE_SHARE - 0.25:
            return data
        return rng.choice(_SPOILERS)(self, event, data)

    def headers(self, event: Event) -> list[tuple[str, bytes]]:
        """Those that a record of ours has, and whatever others may add."""
        rng = self._rng
        try:
            own = outgoing(event, "fuzz").headers if rng.random() < 0.5 else []
        except Exception:
            own = []
        if rng.random() < 0.5:
            return own
        return [*own, *((self._header_name(), self._header_value()) for _ in range(rng.randint(1, 5)))]

    def text(self) -> str:
        """One that nobody should be moved by."""
        return self._rng.choice(HOSTILE_TEXTS)

    def damaged(self, data: bytes) -> bytes:
        """Bytes flipped, cut, doubled or lengthened."""
        return self._rng.choice(_DAMAGES)(self, data) if data else data

    def _header_name(self) -> str:
        return self._rng.choice(HEADERS)

    def _header_value(self) -> bytes:
        rng = self._rng
        return rng.choice([rng.choice(HEADER_VALUES), rng.randbytes(9), self.text().encode(errors="surrogatepass")])

    def _answers(self, event: Event) -> list[Event]:
        rng, values = self._rng, self._values
        match event:
            case Task():
                drawn = values.record(TaskCompleted)
                failed = values.record(TaskFailed)
                return [msgspec.structs.replace(drawn, task=event), msgspec.structs.replace(failed, task=event)]
            case PublishRequested():
                drawn_failure = values.record(PublicationFailed)
                about = {"tenant": event.tenant, "sku": event.sku, "version": event.version, "asset": event.asset}
                return [published(event), msgspec.structs.replace(drawn_failure, **about)]
            case ReviewRequested():
                task = event.completed.task
                decided = values.record(ReviewDecided)
                about = {"review_id": event.review_id, "tenant": task.tenant, "sku": task.sku}
                return [msgspec.structs.replace(decided, **about)] if rng.random() < 0.9 else [decided]
        return []

    # what is wrong with a value

    def _spoilt(self, event: Event, data: bytes) -> bytes:
        """Well-formed Avro in which one value breaks the record's rules."""
        fields = msgspec.to_builtins(event)
        self._spoil(fields)
        return _written(fields, history.schema_of(type(event))) or data

    def _spoil(self, fields: Any) -> None:
        keys = [key for key in (fields if isinstance(fields, dict) else range(len(fields))) if key != "type"]
        if not keys:
            return
        rng, at = self._rng, self._rng.choice(keys)
        match fields[at]:
            case dict() | list() as inner if inner and rng.random() < 0.6:
                self._spoil(inner)
            case str():
                fields[at] = self.text()
            case float():
                fields[at] = rng.choice(HOSTILE_FLOATS)
            case bool():
                fields[at] = not fields[at]
            case int():
                fields[at] = rng.choice(HOSTILE_NUMBERS)
            case list() as items:
                fields[at] = items * rng.choice([0, 2, 40, 2000])
            case dict() as items:
                fields[at] = {**items, self.text(): next(iter(items.values()), "x")}
            case None:
                fields[at] = self.text()

    def _of_another_time(self, event: Event, data: bytes) -> bytes:
        """Written with another schema of the record's history."""
        schemas = history.versions(type(event))
        return _written(msgspec.to_builtins(event), self._rng.choice(schemas)) or data

    def _nested(self, _event: Event, _data: bytes) -> bytes:
        """A slip of many levels."""
        return nested(self._rng.choice([5, 23, 24, 25, 200, 3000, 30_000]))

    def _flipped(self, data: bytes) -> bytes:
        mutable = bytearray(data)
        for _ in range(self._rng.choice([1, 1, 2, 8])):
            mutable[self._rng.randrange(len(mutable))] = self._rng.choice(
                [0, 1, 2, 127, 128, 255, self._rng.randrange(256)]
            )
        return bytes(mutable)

    def _cut(self, data: bytes) -> bytes:
        return data[: self._rng.randrange(len(data))]

    def _doubled(self, data: bytes) -> bytes:
        at = self._rng.randrange(len(data))
        return data[:at] + data[at:] * 2

    def _lengthened(self, data: bytes) -> bytes:
        """With a length of nearly 2**63, or of less than nothing, in it."""
        at = self._rng.randrange(min(5, len(data)), len(data) + 1)
        return data[:at] + self._rng.choice([b"\xfe" + b"\xff" * 8 + b"\x01", b"\x01", b"\xff" * 12]) + data[at:]

    def _damaged(self, _event: Event, data: bytes) -> bytes:
        return self.damaged(data)

    def _framed(self, event: Event, _data: bytes) -> bytes:
        return FRAME.pack(0, codec.schema_id(type(event))) + self._rng.randbytes(self._rng.choice([0, 1, 40, 300]))

    def _other(self, _event: Event, data: bytes) -> bytes:
        """What is not framed, of a schema that nobody knows, JSON, YAML, a great deal, or a tombstone."""
        rng = self._rng
        large = data + b"\x00" * codec.SIZE_MAX_BYTES if rng.random() < 0.02 else b"\x00"
        strange = [
            b"",
            b"",
            b"\x00",
            b"\x01" + data,
            FRAME.pack(0, rng.randrange(2**32)) + data[5:],
            b'{"type": "Task"}',
        ]
        return rng.choice([*strange, b"a: &a [*a]", rng.randbytes(rng.choice([4, 5, 100, 20_000])), large])


_DAMAGES: tuple[Callable[[Records, bytes], bytes], ...] = (
    Records._flipped,
    Records._flipped,
    Records._cut,
    Records._doubled,
    Records._lengthened,
)
_SPOILERS: tuple[Callable[[Records, Event, bytes], bytes], ...] = (
    Records._spoilt,
    Records._spoilt,
    Records._of_another_time,
    Records._nested,
    Records._damaged,
    Records._damaged,
    Records._damaged,
    Records._framed,
    Records._other,
)


def nested(levels: int) -> bytes:
    """A task whose step has so many levels, built of its bytes: no encoder would."""
    task = msgspec.convert(
        {"type": "Task", "task_id": "0" * 64, "tenant": "acme", "sku": "A", "version": 1, "lane": "bulk",
         "step": {"operation": "zqzq"}}, Task,
    )  # fmt: skip
    before, step, behind = codec.encode(task).partition(b"\x08zqzq")
    return before + (step + b"\x00\x00\x00\x02") * levels + step + behind + b"\x00" * levels


def _written(fields: Any, schema: Any) -> bytes | None:
    """What Avro makes of fields that no record takes; None where that has no way to write them."""
    body = io.BytesIO()
    body.write(FRAME.pack(0, history.fingerprint(schema)))
    try:
        fastavro.schemaless_writer(body, schema, fields)
    except (ValueError, TypeError, struct.error, OverflowError, KeyError, AttributeError, RecursionError):
        return None
    return body.getvalue()


def _topic_of(event: Event) -> str:
    try:
        return topics.topic_of(event).name
    except KeyError:  # a task for an operation that no pool has
        return topics.CATALOG.name


ODD_YAML = (
    "tenant: acme\nversion: 1\ndefaults: {}\n", "a: &a [*a]", "x: " + "[" * 500, "- " * 500, "? " * 500, "{", "\ta: b",
    "!!python/object:os.system {}", "name: 2026-99-99", "a: 0x_", "a: 1__1:60", "a: !!binary x", "a: !!timestamp 1",
    "? [a]\n: b", "<<: 1", "a: 1e999", "%YAML 9.9\n---\na", "--- a\n--- b", "name: ours\nversion: 1\nsteps: null",
    "name: ours\nversion: 1\nsteps: [[[]]]", "name: ours\nversion: " + "9" * 5000,
    "name: ours\nversion: 1\nsteps: [{operation: cutout, next: [{operation: cutout}]}]",
)  # fmt: skip


@cache
def _yaml(package: str, folder: str = "") -> tuple[str, ...]:
    """Files that ship, and what a person or an enemy might make of them."""
    files = sorted((f for f in (resources.files(package) / folder).iterdir() if f.name.endswith(".yaml")), key=str)
    texts = [file.read_text() for file in files]
    versions = [
        text.replace("version: 1", f"version: {announced}")
        for text in texts
        for announced in ("2", "2026-11-29", "!!x 1")
    ]
    return (*texts, *versions, texts[0].replace("name: campaign", "name: ours"), *ODD_YAML)
