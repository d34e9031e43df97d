"""Records to bytes and back: Avro behind the registry frame (one zero byte, a 4-byte schema id, the Avro body).

The schema id is taken from the schema's own content, so that two machines agree on it without asking anybody; with a
registry it is the registry's. Records are read by the schema that they were written with, as today's schema has them.

    WireError                bytes that are no event of ours
    ├── TooLarge             more bytes than any record has
    ├── NotFramed            shorter than a frame, or another first byte
    ├── UnknownSchema        a frame whose schema id we do not know
    ├── WrongTopic           a record of ours that does not belong where it was found; its body is not read
    ├── MalformedAvro        a body that does not follow its schema
    └── InvalidRecord        well-formed Avro with a value outside its rules, or nested too deeply; names the field

What is written is held against the same rules. An array or a map takes at most a hundred times the memory of its bytes,
for none of its items is without bytes; so the bound on the size of a record is one on the memory that it takes, too.
"""

import io
import struct
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol, cast

import fastavro
import msgspec
from fastavro.read import SchemaResolutionError

from schemas import history, topics
from schemas.errors import InputError
from schemas.history import fingerprint, schema_of
from schemas.nesting import TooDeep, bounded, has_values_of_no_bytes
from schemas.records import EVENTS, Event
from schemas.text import explained

SIZE_MAX_BYTES = topics.WRITTEN_BY_US_BYTES
_FRAME = struct.Struct(">bI")
_READ_ERRORS = (
    EOFError,
    ValueError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    struct.error,
    SchemaResolutionError,
)


class WireError(InputError):
    """Bytes that are no event of ours. `code` is stable; `field` names the field at fault, or is empty."""

    code = "wire_error"

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class TooLarge(WireError):
    code = "too_large"


class NotFramed(WireError):
    code = "not_framed"


class UnknownSchema(WireError):
    code = "unknown_schema"


class WrongTopic(WireError):
    code = "wrong_topic"


class MalformedAvro(WireError):
    code = "malformed_avro"


class InvalidRecord(WireError):
    code = "invalid_record"


class SchemaRegistry(Protocol):
    """Gives schemas the ids that frames carry. Both methods may raise streams.runtime.errors.Unavailable."""

    def id_of(self, record: type[Event], topic: str) -> int:
        """The id of the schema that `record` is written with on `topic`."""

    def schema(self, schema_id: int) -> Any | None:
        """The parsed schema with this id, or None."""


@cache
def schema_id(record: type[Event]) -> int:
    """The id of a record's schema where there is no registry."""
    return fingerprint(schema_of(record))


@dataclass(frozen=True)
class Codec:
    """Events to bytes and back, with the ids of a registry or, without one, with hashes. Thread-safe.

    With a registry both methods may raise streams.runtime.errors.Unavailable.
    """

    registry: SchemaRegistry | None = None
    _others: dict[int, "_Written"] = field(default_factory=dict, init=False, repr=False, compare=False)
    """What was written with other schemas than today's, by schema id."""

    def encode(self, event: Event) -> bytes:
        """`event` as framed Avro. Raises InvalidRecord for one that nobody could read."""
        record = type(event)
        body = io.BytesIO()
        body.write(_FRAME.pack(0, self._id_of(event)))
        try:
            fields = msgspec.to_builtins(event)
            msgspec.convert(fields, record)  # who makes a record is asked nothing
            fastavro.schemaless_writer(body, _bounded_schema_of(record), fields)
        except (msgspec.ValidationError, TooDeep, RecursionError, UnicodeError) as error:
            raise _invalid(record, error) from error
        return body.getvalue()

    def decode(self, data: bytes, allowed: Collection[type[Event]] = EVENTS) -> Event:
        """The event in `data`, written with whatever schema it ever had; of another record than those `allowed` only
        that is read which it is.

        Raises a WireError that says what is wrong and, where it is one, with which field.
        """
        record, writer = self._written_with(data)
        if record not in allowed:
            expected = ", ".join(each.__name__ for each in allowed)
            raise WrongTopic(f"a {record.__name__} does not belong here: {expected or 'no record'} does")
        try:
            return msgspec.convert(_read_body(data, record, writer), record)
        except (msgspec.ValidationError, TooDeep, RecursionError) as error:
            raise _invalid(record, error) from error

    def _id_of(self, event: Event) -> int:
        if self.registry is None:
            return schema_id(type(event))
        return self.registry.id_of(type(event), topics.topic_of(event).name)

    def _written_with(self, data: bytes) -> "_Written":
        identity = _id_in(data)
        known = _today().get(identity) or self._others.get(identity)
        if known is not None:
            return known
        ours = history.by_id().get(identity)
        found = self._registered(identity) if ours is None else (ours[0], bounded(ours[1]))
        if found is None:
            raise UnknownSchema(f"no schema has the id {identity}")
        return self._others.setdefault(identity, found)

    def _registered(self, identity: int) -> "_Written | None":
        """What a registry knows: anybody may have put it there, so it is not to cost more than its bytes."""
        found = None if self.registry is None else _of_ours(self.registry.schema(identity))
        if found is None:
            return None
        try:
            if has_values_of_no_bytes(found[1]):
                raise UnknownSchema(f"schema {identity} has values that take no bytes, and so any number of them")
            return found[0], bounded(found[1])
        except RecursionError as error:
            raise UnknownSchema(f"schema {identity} is nested too deeply") from error


_Written = tuple[type[Event], Any]
"""A record, and the schema that it was written with."""


def _invalid(record: type[Event], error: Exception) -> InvalidRecord:
    if isinstance(error, msgspec.ValidationError):
        return InvalidRecord(f"{record.__name__}: {explained(str(error))}", field=field_in(error))
    return InvalidRecord(f"{record.__name__}: {error}", field=getattr(error, "field", ""))


def field_in(error: msgspec.ValidationError) -> str:
    """The path of the field that a validation error speaks of: what stands in its backticks, without the `$.`."""
    parts = str(error).split("`")
    paths = [part for part in parts[1::2] if part.startswith("$.")]
    named = paths or [part for part in parts[1::2] if part.isidentifier() and part not in _TYPE_NAMES]
    return named[-1].removeprefix("$.") if named else ""


_TYPE_NAMES = frozenset({"str", "int", "float", "bool", "array", "object", "null"})


@cache
def _bounded_schema_of(record: type[Event]) -> Any:
    return bounded(schema_of(record))


def _id_in(data: bytes) -> int:
    """The schema id in a frame."""
    if len(data) > SIZE_MAX_BYTES:
        raise TooLarge(f"{len(data):,} bytes; a record has {SIZE_MAX_BYTES:,} at most")
    if len(data) < _FRAME.size or data[0] != 0:
        raise NotFramed(f"not a framed record: {data[:8]!r} of {len(data)} bytes")
    identity: int = _FRAME.unpack_from(data)[1]
    return identity


@cache
def _today() -> dict[int, _Written]:
    return {schema_id(record): (record, _bounded_schema_of(record)) for record in EVENTS}


def _of_ours(schema: Any | None) -> _Written | None:
    """The record that a schema of a registry is of; None for others' schemas, be they records or not."""
    if not isinstance(schema, dict) or schema.get("type") != "record":
        return None
    named = {f"packshot.{record.__name__}": record for record in EVENTS}
    record = named.get(schema["name"])
    return None if record is None else (record, schema)


def _read_body(data: bytes, record: type[Event], writer: Any) -> dict[str, Any]:
    body = io.BytesIO(data[_FRAME.size :])
    reader = _bounded_schema_of(record)
    try:
        fields = fastavro.schemaless_reader(body, writer, None if writer is reader else reader)
    except _READ_ERRORS as error:
        raise MalformedAvro(f"{record.__name__}: the body does not follow its schema: {error}") from error
    if body.read(1):
        raise MalformedAvro(f"{record.__name__}: bytes are left after the record")
    return cast(dict[str, Any], {**fields, "type": record.__name__})


HASHED = Codec()
encode, decode = HASHED.encode, HASHED.decode  # for who has no registry to ask
