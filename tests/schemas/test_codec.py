"""Records to bytes and back, and bytes that are no records."""

import io
import struct
import tracemalloc
from contextlib import suppress
from random import Random

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas import codec, history
from schemas.compatibility import named_types
from schemas.nesting import DEPTH_MAX
from schemas.records import CatalogChanged, Event, ReviewRequested, Source, Step, Task, TaskCompleted, TaskFailed
from tests.schemas.test_compatibility import made_up

EVENT = CatalogChanged(tenant="demo", sku="A 1", version=3, sources=[Source(uri="http://x/y.jpg")], channels=["amazon"])


def test_an_event_comes_back_equal() -> None:
    assert codec.decode(codec.encode(EVENT)) == EVENT


def test_a_slip_of_any_depth_comes_back_equal() -> None:
    step = Step(operation="packshot", asset="amazon-1", channel="amazon", parameters={"padding": "0.1"})
    for _ in range(5):
        step = Step(operation="cutout", next=[step, step])
    task = Task(task_id="0" * 64, tenant="demo", sku="A", version=1, lane="bulk", step=step)
    assert codec.decode(codec.encode(task)) == task


def test_the_frame_is_the_registrys() -> None:
    zero, schema_id = struct.unpack(">bI", codec.encode(EVENT)[:5])
    assert (zero, schema_id) == (0, codec.schema_id(CatalogChanged))


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", codec.NotFramed),
        (b'{"sku": "A"}', codec.NotFramed),
        (b"\x00\x00\x00\x00\x01rest", codec.UnknownSchema),
        (codec.encode(EVENT)[:-1], codec.MalformedAvro),
        (codec.encode(EVENT) + b"x", codec.MalformedAvro),
        (codec.encode(EVENT)[:5] + b"\xff" * 20, codec.MalformedAvro),
    ],
)
def test_bytes_that_are_no_event_are_distinguished(data: bytes, error: type[codec.WireError]) -> None:
    with pytest.raises(error) as caught:
        codec.decode(data)
    assert caught.value.code == error.code


def test_a_value_outside_its_rules_names_the_field() -> None:
    body = io.BytesIO(codec.encode(EVENT)[:5])
    body.seek(5)
    wrong = {"tenant": "demo", "sku": "A", "version": -1, "sources": [{"uri": "a"}], "channels": ["amazon"]}
    fastavro.schemaless_writer(body, history.schema_of(CatalogChanged), wrong)
    with pytest.raises(codec.InvalidRecord) as caught:
        codec.decode(body.getvalue())
    assert caught.value.field == "version"


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60))
def test_no_bytes_crash_the_decoder(noise: bytes) -> None:
    with suppress(codec.WireError):
        assert isinstance(codec.decode(codec.encode(EVENT)[:5] + noise), CatalogChanged)


# bounds of what is read, and of what is written


def nested(levels: int) -> Task:
    step = Step(operation="cutout")
    for _ in range(levels - 1):
        step = Step(operation="cutout", next=[step])
    return Task(task_id="0" * 64, tenant="demo", sku="A", version=1, lane="bulk", step=step)


LEVEL = b"\x0ccutout\x00\x00\x00\x02"
"""A step with one step in it, as Avro."""


def deep(levels: int) -> bytes:
    """A task of which nobody closed a level."""
    return codec.encode(nested(2)).partition(LEVEL)[0] + LEVEL * levels


def test_a_slip_is_read_and_written_down_to_its_last_level() -> None:
    assert codec.decode(codec.encode(nested(DEPTH_MAX))) == nested(DEPTH_MAX)


@pytest.mark.parametrize("levels", [DEPTH_MAX + 1, 600, 12_000, 150_000])
def test_a_slip_beyond_the_last_level_is_refused_before_it_is_read(levels: int) -> None:
    with pytest.raises(codec.InvalidRecord, match="levels deep") as caught:
        codec.decode(deep(levels))
    assert caught.value.field == "next"


@pytest.mark.parametrize("record", [TaskCompleted, TaskFailed, ReviewRequested])
@pytest.mark.parametrize("version", range(5))
def test_no_version_of_a_record_with_a_slip_takes_a_deeper_one(record: type[Event], version: int) -> None:
    schemas = history.versions(record)
    schema = schemas[min(version, len(schemas) - 1)]
    found: list[int] = []
    body = io.BytesIO()
    fastavro.schemaless_writer(body, schema, made_up(schema, Random(1), named_types(schema)))
    frame = b"\x00" + history.fingerprint(schema).to_bytes(4, "big")
    for start in range(0, len(body.getvalue()), 7):
        with suppress(codec.WireError):
            codec.decode(frame + body.getvalue()[:start] + LEVEL * 20_000)
        found.append(start)
    assert found


@pytest.mark.parametrize("levels", [DEPTH_MAX + 1, 500])
def test_a_slip_beyond_the_last_level_is_not_written(levels: int) -> None:
    with pytest.raises(codec.InvalidRecord) as caught:
        codec.encode(nested(levels))
    assert levels == 500 or caught.value.field == "next"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"sku": "A\n"}, "sku"),
        ({"tenant": "acme\n"}, "tenant"),
        ({"title": "x" * 1025}, "title"),
        ({"sources": [Source(uri="http://x/\ud800")]}, "sources[0].uri"),
        ({"attributes": {"a": "\u202e"}}, "attributes[...]"),
    ],
)
def test_what_nobody_could_read_is_not_written(change: dict[str, object], field: str) -> None:
    with pytest.raises(codec.InvalidRecord) as caught:
        codec.encode(replace(EVENT, **change))
    assert caught.value.field == field


def test_what_is_wrong_with_a_text_is_reported_in_words() -> None:
    with pytest.raises(codec.InvalidRecord) as caught:
        codec.encode(replace(EVENT, title="\x00"))
    assert str(caught.value) == (
        "CatalogChanged: Expected text without control, invisible or unpaired characters - at `$.title`"
    )


def test_a_measure_that_is_no_number_is_not_written() -> None:
    task = nested(1)
    with pytest.raises(codec.InvalidRecord, match="a number") as caught:
        codec.encode(TaskCompleted(task=task, outcome="done", measures={"fill": float("nan")}))
    assert caught.value.field == "measures[...]"


def test_a_record_of_another_topic_is_not_read() -> None:
    with pytest.raises(codec.WrongTopic, match="a CatalogChanged does not belong here: Task does") as caught:
        codec.decode(codec.encode(EVENT)[:5] + b"\xff" * 100, (Task,))
    assert caught.value.code == "wrong_topic"


def long(number: int) -> bytes:
    """A length as Avro writes it."""
    left, written = (number << 1) ^ (number >> 63), bytearray()
    while left > 0x7F:
        written.append(left & 0x7F | 0x80)
        left >>= 7
    return bytes([*written, left])


@pytest.mark.parametrize("length", [2**31, 2**62, -1, -(2**62)])
@pytest.mark.parametrize("field", ["tenant", "sources"])
def test_a_length_that_cannot_be_takes_no_memory(length: int, field: str) -> None:
    whole = codec.encode(EVENT)
    at = whole.index(b"\x08demo") if field == "tenant" else whole.index(b"\x02\x1chttp://x/y.jpg")
    tracemalloc.start()
    with pytest.raises(codec.MalformedAvro):
        codec.decode(whole[:at] + long(length & (2**64 - 1) if length < 0 else length) + whole[at + 1 :])
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_many_small_items_take_a_bounded_amount_of_memory() -> None:
    whole, count = codec.encode(EVENT), 1_000_000
    at = whole.index(b"\x02\x1chttp://x/y.jpg")
    tracemalloc.start()
    with pytest.raises(codec.InvalidRecord) as caught:
        codec.decode(whole[:at] + long(count) + b"\x00\x00" * count + whole[at + 17 :])
    assert caught.value.field == "sources"
    assert tracemalloc.get_traced_memory()[1] < 110 * codec.SIZE_MAX_BYTES
    tracemalloc.stop()


def test_more_than_a_record_may_have_is_not_read() -> None:
    with pytest.raises(codec.TooLarge):
        codec.decode(codec.encode(EVENT)[:5] + b"\x00" * codec.SIZE_MAX_BYTES)
