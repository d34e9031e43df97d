"""Every schema reads what every other of its history wrote, older or newer; and changes that break that are caught."""

import io
import json
from copy import deepcopy
from random import Random
from typing import Any

import fastavro
import pytest
from fastavro.schema import parse_schema

from schemas import codec, history
from schemas.compatibility import named_types, problems
from schemas.records import EVENTS, Event, Lane, Source, Step, Task

TASK = history.written(history.schema_of(Task))


def name(record: type[Event]) -> str:
    return record.__name__


@pytest.mark.parametrize("record", EVENTS, ids=name)
def test_the_newest_of_the_history_is_the_schema_of_today(record: type[Event]) -> None:
    newest = history.written(history.versions(record)[-1])
    assert newest == history.written(history.schema_of(record)), "a schema changed: `make schemas` adds it"


@pytest.mark.parametrize("record", EVENTS, ids=name)
def test_every_version_reads_every_other(record: type[Event]) -> None:
    for reader in history.versions(record):
        for writer in history.versions(record):
            assert problems(reader, writer) == []


@pytest.mark.parametrize("record", EVENTS, ids=name)
def test_what_any_version_writes_is_read_by_any_other(record: type[Event]) -> None:
    """The same by the library's own resolution, on records that are made up."""
    random = Random(1)
    for writer in history.versions(record):
        for written in [made_up(writer, random, named_types(writer)) for _ in range(10)]:
            body = io.BytesIO()
            fastavro.schemaless_writer(body, writer, written)
            for reader in history.versions(record):
                body.seek(0)
                read: Any = fastavro.schemaless_reader(body, writer, reader)
                expected = {field["name"]: field.get("default") for field in reader["fields"]}
                fields = {name: value for name, value in written.items() if name in expected}
                if reader is writer:
                    assert read == written
                assert {name: read[name] for name in scalars(fields)} == scalars(fields)
                assert read.keys() == expected.keys()


def scalars(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if not isinstance(value, dict | list)}


def made_up(schema: Any, random: Random, names: dict[str, Any], depth: int = 0) -> Any:
    """A value that a schema allows; what may be empty is so from the fourth level on."""
    schema = names.get(schema, schema) if isinstance(schema, str) else schema
    if isinstance(schema, list):
        return made_up(random.choice(schema), random, names, depth)
    kind = schema if isinstance(schema, str) else schema["type"]
    count = random.randint(0, 2) if depth < 4 else 0
    match kind:
        case "record":
            return {each["name"]: made_up(each["type"], random, names, depth + 1) for each in schema["fields"]}
        case "enum":
            return random.choice(schema["symbols"])
        case "array":
            return [made_up(schema["items"], random, names, depth + 1) for _ in range(count)]
        case "map":
            return {f"k{n}": made_up(schema["values"], random, names, depth + 1) for n in range(count)}
    values = {"null": None, "boolean": True, "long": random.randint(0, 2**40), "double": 0.5, "string": "é" * count}
    return values[kind]


@pytest.mark.parametrize("record", EVENTS, ids=name)
def test_a_history_has_no_gap_and_no_double(record: type[Event]) -> None:
    files = sorted(int(file.stem) for file in (history.FOLDER / record.__name__).iterdir())
    assert files == list(range(1, len(files) + 1))
    written = [json.dumps(history.written(schema)) for schema in history.versions(record)]
    assert len(set(written)) == len(written)


def test_there_is_no_history_of_a_record_that_is_gone() -> None:
    assert {folder.name for folder in history.FOLDER.iterdir()} == {record.__name__ for record in EVENTS}


# what the checker must catch


def changed(**fields: Any) -> dict[str, Any]:
    """The schema of tasks with some fields replaced: None drops one, a name that is new is added."""
    schema = deepcopy(TASK)
    for field, definition in fields.items():
        kept = [each for each in schema["fields"] if each["name"] != field]
        schema["fields"] = kept + ([{"name": field, **definition}] if definition is not None else [])
    return schema


LANE = {"type": "enum", "name": "packshot.Lane", "symbols": ["urgent", "standard", "bulk", "later"]}
STEP_WITHOUT_DEFAULT = deepcopy(next(each for each in TASK["fields"] if each["name"] == "step")["type"])
STEP_WITHOUT_DEFAULT["fields"].append({"name": "weight", "type": "long"})
CAUGHT = {
    "a new field without a default": (changed(weight={"type": "long"}), "$.weight"),
    "a field without a default that goes": (changed(tenant=None), "$.tenant"),
    "another type": (changed(version={"type": "string"}), "$.version"),
    "a wider type, which the old one cannot read": (changed(version={"type": "double"}), "$.version"),
    "a field that may be null now": (changed(sku={"type": ["null", "string"], "default": None}), "$.sku"),
    "a further branch of a union": (changed(deadline_ms={"type": ["null", "long", "string"]}), "$.deadline_ms"),
    "a further symbol": (changed(lane={"type": LANE}), "$.lane"),
    "another name of a record": ({**changed(), "name": "packshot.Job"}, "$"),
    "other items": (changed(models={"type": {"type": "array", "items": "long"}}), "$.models[]"),
    "other values": (changed(measures={"type": {"type": "map", "values": "string"}}), "$.measures[]"),
    "a nested field without a default": (changed(step={"type": STEP_WITHOUT_DEFAULT}), "$.step.weight"),
}


@pytest.mark.parametrize("change", CAUGHT)
def test_an_incompatible_change_is_caught_by_its_field(change: str) -> None:
    schema, path = CAUGHT[change]
    parsed = parse_schema(deepcopy(schema))
    found = problems(parsed, TASK) + problems(TASK, parsed)
    assert found
    assert {line.partition(":")[0] for line in found} == {path}


HARMLESS = {
    "a new field with a default": changed(note={"type": ["null", "string"], "default": None}),
    "a field with a default that goes": changed(category=None),
    "another documentation": {**changed(), "doc": "other words"},
    "another order": {**changed(), "fields": TASK["fields"][::-1]},
}


@pytest.mark.parametrize("change", HARMLESS)
def test_a_compatible_change_passes(change: str) -> None:
    assert problems(HARMLESS[change], TASK) == problems(TASK, HARMLESS[change]) == []


# old and new, on the wire


def test_an_old_producers_record_is_read_with_todays_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    old = parse_schema(changed(category=None, campaign=None))
    known = {**history.by_id(), history.fingerprint(old): (Task, old)}
    monkeypatch.setattr(history, "by_id", lambda: known)
    lane: Lane = "urgent"
    task = Task(
        task_id="0" * 64, tenant="demo", sku="A", version=1, lane=lane, step=Step(operation="cutout"),
        source=Source(uri="a.jpg"),
    )  # fmt: skip
    data = codec.encode(task)
    body = io.BytesIO()
    body.write(b"\x00" + history.fingerprint(old).to_bytes(4, "big"))
    fastavro.schemaless_writer(
        body, old, fastavro.schemaless_reader(io.BytesIO(data[5:]), history.schema_of(Task), None)
    )
    assert codec.decode(body.getvalue()) == task


@pytest.mark.parametrize("record", EVENTS, ids=name)
def test_every_schema_of_the_history_is_decoded_by_its_id(record: type[Event]) -> None:
    for schema in history.versions(record):
        known, writer = history.by_id()[history.fingerprint(schema)]
        assert known is record
        assert problems(history.schema_of(record), writer) == []
