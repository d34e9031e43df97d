"""Every schema that a record was ever written with: avro/history/<record>/<n>.avsc, self-contained, the newest last.

A schema that changes gets a further file, by `make schemas`; those that are there never change. It
writes the JSON Schema of submissions, too.
"""

import hashlib
import json
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
from fastavro.schema import load_schema, parse_schema, to_parsing_canonical_form

from schemas.records import EVENTS, Event, Submission
from schemas.text import portable

FOLDER = Path(str(resources.files("schemas"))) / "avro" / "history"
SUBMISSIONS = Path(str(resources.files("schemas"))) / "json" / "submission.schema.json"


@cache
def schema_of(record: type[Event]) -> Any:
    """The schema that `record` is written with today: parsed, and self-contained."""
    folder = resources.files("schemas") / "avro"
    with resources.as_file(folder / f"packshot.{record.__name__}.avsc") as path:
        return load_schema(str(path))


def fingerprint(schema: Any) -> int:
    """A positive 31-bit id: the head of the SHA-256 of the schema's canonical form."""
    canonical = to_parsing_canonical_form(schema)
    return int.from_bytes(hashlib.sha256(canonical.encode()).digest()[:4], "big") & 0x7FFFFFFF


@cache
def versions(record: type[Event]) -> tuple[Any, ...]:
    """The schemas of `record`, oldest first, parsed."""
    files = sorted((FOLDER / record.__name__).glob("*.avsc"), key=lambda file: int(file.stem))
    return tuple(parse_schema(json.loads(file.read_text())) for file in files)


@cache
def by_id() -> dict[int, tuple[type[Event], Any]]:
    """The record and the schema that each schema id stands for."""
    return {fingerprint(schema): (record, schema) for record in EVENTS for schema in versions(record)}


def written(schema: Any) -> dict[str, Any]:
    """A parsed schema as it is written to its file."""
    return {name: value for name, value in schema.items() if not name.startswith("__")}


def add_changed() -> list[Path]:
    """Writes the schemas that differ from the newest of their history, and returns their files."""
    added = []
    for record in EVENTS:
        known = versions(record)
        current = written(schema_of(record))
        if not known or written(known[-1]) != current:
            file = FOLDER / record.__name__ / f"{len(known) + 1}.avsc"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(current, indent=2) + "\n")
            added.append(file)
    return added


def submissions() -> Any:
    """The JSON Schema of what `packshot submit` takes."""
    return _portable(msgspec.json.schema(Submission))


def _portable(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_portable(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {name: portable(each) if name == "pattern" else _portable(each) for name, each in schema.items()}


if __name__ == "__main__":
    for path in add_changed():
        print(path)
    SUBMISSIONS.write_text(json.dumps(submissions(), indent=2) + "\n")
