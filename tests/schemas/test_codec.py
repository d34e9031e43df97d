"""Records to bytes and back, and bytes that are no records."""

import struct
from contextlib import suppress

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import codec, history
from schemas.records import CatalogChanged, Source, Step, Task

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
def test_bytes_that_are_no_event_are_told_apart(data: bytes, error: type[codec.WireError]) -> None:
    with pytest.raises(error) as caught:
        codec.decode(data)
    assert caught.value.code == error.code


def test_a_value_outside_its_rules_names_the_field() -> None:
    import io

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
