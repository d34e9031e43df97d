"""Hostile records: every kind of event with valid, invalid and broken content, keys, headers and time stamps.

The events are found by themselves; their fields are drawn after their own constraints, so that a new record is fuzzed
from its first day.
"""

import io
import struct
from collections.abc import Callable
from typing import Any, TypeVar

import fastavro
import msgspec
from hypothesis import strategies as st
from msgspec import inspect

from schemas import codec, topics
from schemas.history import schema_of
from schemas.records import EVENTS, Event
from streams.consumer import letters
from streams.consumer.letters import Delivery

T = TypeVar("T")

HOSTILE_TEXTS = (
    "",
    "\x00",
    "a\n",
    "a\r\nb",
    "\x1b[2J\x1b]0;title\x07",
    "\x9b31m",
    "\u202egpj.exe",
    "\u2066\u2069",
    "\ufeff",
    "\u2028",
    "|",
    "a|b|c",
    "../../etc/passwd",
    "..",
    "%00",
    "[red]markup[/]",
    "<script>alert(1)</script>",
    "{{7*7}}",
    "é" * 200,
    "𝕏" * 300,
    "x" * 70_000,
    "-1",
    "NaN",
    "1e999",
    "9" * 400,
    "[" * 3000,
    '{"a":' * 3000,
)
NUMBERS = (-1, 0, 1, 2**31, 2**53, 2**63 - 1, -(2**63))
FLOATS = (float("nan"), float("inf"), float("-inf"), -0.0, 1e308, 5e-324)
HEADERS = (
    "ce_id",
    "ce_time",
    "ce_type",
    "traceparent",
    "tracestate",
    letters.ORIGIN_TOPIC,
    letters.ORIGIN_PARTITION,
    letters.ORIGIN_OFFSET,
    letters.ATTEMPT,
    letters.FIRST_SEEN,
    letters.NOT_BEFORE,
    letters.DEADLINE,
    letters.HISTORY,
    letters.REPLAYED,
    letters.ERROR_CODE,
    "",
    "x" * 3000,
)
_FRAME = struct.Struct(">bI")
_DEPTH_MAX = 3


def texts() -> st.SearchStrategy[str]:
    """Text that others may send, surrogates that UTF-8 cannot hold left out."""
    return st.one_of(st.sampled_from(HOSTILE_TEXTS), st.text(st.characters(exclude_categories=["Cs"]), max_size=40))


@st.composite
def deliveries(draw: Callable[[st.SearchStrategy[Any]], Any]) -> Delivery:
    """A record as a broker may hand it over, on any topic of ours."""
    record = draw(st.sampled_from(EVENTS))
    value, key, own_topic = draw(_values(record))
    every = [topic.name for topic in topics.every((1000,))]
    topic = draw(st.one_of(st.just(own_topic), st.sampled_from(every)))
    return Delivery(
        topic,
        0,
        draw(st.integers(0, 2**40)),
        draw(st.one_of(st.just(key), st.none(), texts().map(str.encode), st.binary(max_size=20))),
        value,
        draw(st.lists(_headers(), max_size=4)),
        draw(st.sampled_from([-1, 0, 1_780_000_000_000, 2**62])),
    )


def _headers() -> st.SearchStrategy[tuple[str, bytes]]:
    values = st.one_of(st.binary(max_size=30), texts().map(str.encode), st.sampled_from([b"-1", b"1", b"9" * 30, b"\xff"]))
    names = st.one_of(st.sampled_from(HEADERS), texts())
    return st.tuples(names, values) | st.tuples(st.just(letters.ORIGIN_TOPIC), st.sampled_from(_names()))


def _names() -> list[bytes]:
    return [topic.name.encode() for topic in topics.every((1000,))]


@st.composite
def _values(draw: Callable[[st.SearchStrategy[Any]], Any], record: type[Event]) -> tuple[bytes, bytes, str]:
    """Bytes that are an event, nearly one, or none; with the key and the topic that its kind has."""
    event = draw(events(record))
    key, topic = topics.key_of(event), topics.topic_of(event).name
    kind = draw(st.sampled_from(["valid", "valid", "spoilt", "spoilt", "damaged", "framed", "garbage"]))
    if kind == "valid":
        return codec.encode(event), key, topic
    if kind == "spoilt":
        return draw(_spoilt(event)), key, topic
    if kind == "framed":
        return _FRAME.pack(0, codec.schema_id(record)) + draw(st.binary(max_size=300)), key, topic
    if kind == "damaged":
        return draw(_damaged(codec.encode(event))), key, topic
    return draw(st.binary(max_size=300)), key, topic


@st.composite
def _spoilt(draw: Callable[[st.SearchStrategy[Any]], Any], event: Event) -> bytes:
    """Well-formed Avro in which one value breaks the record's rules."""
    fields = msgspec.to_builtins(event)
    _spoil(draw, fields)
    body = io.BytesIO()
    body.write(_FRAME.pack(0, codec.schema_id(type(event))))
    try:
        fastavro.schemaless_writer(body, schema_of(type(event)), fields)
    except (ValueError, TypeError, struct.error, OverflowError, KeyError):  # what Avro itself cannot hold
        return codec.encode(event)
    return body.getvalue()


def _spoil(draw: Callable[[st.SearchStrategy[Any]], Any], fields: Any) -> None:
    """Replaces one value of the same kind somewhere in nested lists and dictionaries."""
    keys = list(fields) if isinstance(fields, dict) else list(range(len(fields)))
    keys = [key for key in keys if key != "type"]
    if not keys:
        return
    at = draw(st.sampled_from(keys))
    value = fields[at]
    if isinstance(value, dict | list) and value and draw(st.booleans()):
        _spoil(draw, value)
    elif isinstance(value, str):
        fields[at] = draw(texts())
    elif isinstance(value, float):
        fields[at] = draw(st.sampled_from(FLOATS))
    elif isinstance(value, int) and not isinstance(value, bool):
        fields[at] = draw(st.sampled_from(NUMBERS))
    elif isinstance(value, list):
        fields[at] = value * draw(st.sampled_from([0, 2, 40]))
    elif isinstance(value, dict):
        fields[at] = {**value, draw(texts()): next(iter(value.values()), "x")}


@st.composite
def _damaged(draw: Callable[[st.SearchStrategy[Any]], Any], data: bytes) -> bytes:
    """Bytes cut, changed, repeated or added to."""
    at = draw(st.integers(0, max(len(data) - 1, 0)))
    return draw(
        st.sampled_from(
            [
                data[:at],
                data[:at] + bytes([draw(st.integers(0, 255))]) + data[at + 1 :],
                data[:at] + data[at:] * 2,
                data + draw(st.binary(max_size=9)),
                data[:at] + b"\xff" * 9 + b"\x01" + data[at:],  # a length of nearly 2**63
            ]
        )
    )


def events(record: type[Event]) -> st.SearchStrategy[Event]:
    """Valid events of a kind; those whose fields contradict each other are left out."""
    return _struct(inspect.type_info(record), 0).map(lambda fields: _made(record, fields)).filter(lambda e: e is not None)


def _made(record: type[T], fields: dict[str, Any]) -> T | None:
    try:
        return msgspec.convert(fields, record)
    except msgspec.ValidationError:
        return None


def _struct(info: Any, depth: int) -> st.SearchStrategy[dict[str, Any]]:
    required = {each.encode_name: _of(each.type, depth + 1) for each in info.fields if each.required}
    optional = {each.encode_name: _of(each.type, depth + 1) for each in info.fields if not each.required}
    fields = st.fixed_dictionaries(required, optional=optional)
    return fields.map(lambda made: {**made, "type": info.tag}) if info.tag else fields


def _of(info: Any, depth: int) -> st.SearchStrategy[Any]:
    """Values of one type of msgspec's, within its constraints."""
    match info:
        case inspect.StrType():
            return _strings(info)
        case inspect.IntType():
            return st.one_of(st.integers(info.ge or 0, min(info.le or 99, 99)), st.just(info.le or 99))
        case inspect.FloatType():
            return st.floats(info.ge or 0.0, info.le or 1e6)
        case inspect.BoolType():
            return st.booleans()
        case inspect.NoneType():
            return st.none()
        case inspect.LiteralType():
            return st.sampled_from(info.values)
        case inspect.ListType():
            most = 0 if depth > _DEPTH_MAX else min(info.max_length or 3, 3)
            return st.lists(_lazy(info.item_type, depth), min_size=info.min_length or 0, max_size=max(most, info.min_length or 0))
        case inspect.DictType():
            return st.dictionaries(_of(info.key_type, depth), _lazy(info.value_type, depth), max_size=2)
        case inspect.StructType():
            return _lazy_struct(info.cls, depth)
        case inspect.UnionType():
            return st.one_of([_of(each, depth) for each in info.types])
    raise NotImplementedError(f"no values of {info}")


def _lazy(info: Any, depth: int) -> st.SearchStrategy[Any]:
    return st.deferred(lambda: _of(info, depth + 1))


def _lazy_struct(cls: type, depth: int) -> st.SearchStrategy[Any]:
    return st.deferred(lambda: _struct(inspect.type_info(cls), depth))


def _strings(info: Any) -> st.SearchStrategy[str]:
    if info.pattern is None:
        return texts().filter(lambda text: (info.min_length or 0) <= len(text) <= (info.max_length or 100))
    made = st.from_regex(info.pattern, fullmatch=True, alphabet=st.characters(max_codepoint=0x2FF))
    return made.map(lambda text: text[: info.max_length or 100]).filter(lambda text: len(text) >= (info.min_length or 0))
