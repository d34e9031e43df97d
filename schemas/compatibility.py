"""Whether a record written with one Avro schema can be read with another, by Avro's rules of schema resolution."""

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Any
PROMOTIONS: Mapping[str, frozenset[str]] = {
    "int": frozenset({"long", "float", "double"}),
    "long": frozenset({"float", "double"}),
    "float": frozenset({"double"}),
    "string": frozenset({"bytes"}),
    "bytes": frozenset({"string"}),
}


def problems(reader: Schema, writer: Schema) -> list[str]:
    """Why `reader` cannot read everything that `writer` writes, by the path of the field; empty when it can."""
    return list(_Resolution(named_types(reader), named_types(writer)).of(reader, writer, "$"))


class _Resolution:
    def __init__(self, reader_names: Mapping[str, Schema], writer_names: Mapping[str, Schema]) -> None:
        self._reader_names = reader_names
        self._writer_names = writer_names
        self._begun: set[tuple[str, str]] = set()

    def of(self, reader: Schema, writer: Schema, path: str) -> Iterator[str]:
        reader, writer = _definition(reader, self._reader_names), _definition(writer, self._writer_names)
        if isinstance(writer, list):
            for branch in writer:
                yield from self.of(reader, branch, path)
        elif isinstance(reader, list):
            if not any(self._fits(branch, writer, path) for branch in reader):
                yield f"{path}: no branch of the reader's union takes {_kind(writer)}"
        else:
            yield from self._one(reader, writer, path)

    def _fits(self, reader: Schema, writer: Schema, path: str) -> bool:
        begun = set(self._begun)
        fits = not list(self.of(reader, writer, path))
        self._begun = begun
        return fits

    def _one(self, reader: Schema, writer: Schema, path: str) -> Iterator[str]:
        theirs, ours = _kind(writer), _kind(reader)
        if ours != theirs:
            if ours not in PROMOTIONS.get(theirs, ()):
                yield f"{path}: {theirs} cannot be read as {ours}"
        elif ours in ("record", "enum", "fixed"):
            yield from self._named_type(ours, reader, writer, path)
        elif ours in ("array", "map"):
            inner = "items" if ours == "array" else "values"
            yield from self.of(reader[inner], writer[inner], f"{path}[]")

    def _named_type(self, kind: str, reader: Schema, writer: Schema, path: str) -> Iterator[str]:
        if _short(writer) not in {_short(reader), *(alias.rpartition(".")[2] for alias in reader.get("aliases", ()))}:
            yield f"{path}: {_short(writer)} is not {_short(reader)}"
        elif kind == "record":
            yield from self._record(reader, writer, path)
        elif kind == "enum":
            unknown = [symbol for symbol in writer["symbols"] if symbol not in reader["symbols"]]
            if unknown and "default" not in reader:
                yield f"{path}: the reader knows no {', '.join(unknown)}"
        elif reader["size"] != writer["size"]:
            yield f"{path}: {writer['size']} bytes cannot be read as {reader['size']}"

    def _record(self, reader: Schema, writer: Schema, path: str) -> Iterator[str]:
        pair = reader["name"], writer["name"]
        if pair in self._begun:
            return
        self._begun.add(pair)
        written = {field["name"]: field for field in writer["fields"]}
        for field in reader["fields"]:
            names = [field["name"], *field.get("aliases", ())]
            found = next((written[name] for name in names if name in written), None)
            if found is not None:
                yield from self.of(field["type"], found["type"], f"{path}.{field['name']}")
            elif "default" not in field:
                yield f"{path}.{field['name']}: not written, and without a default"


def _definition(schema: Schema, names: Mapping[str, Schema]) -> Schema:
    return names.get(schema, schema) if isinstance(schema, str) else schema


def _kind(schema: Schema) -> str:
    return str(schema["type"] if isinstance(schema, dict) else schema)


def _short(schema: Schema) -> str:
    return str(schema["name"]).rpartition(".")[2]


def named_types(schema: Schema) -> dict[str, Schema]:
    """Every named type that is defined in a schema."""
    found: dict[str, Schema] = {}
    for part in _parts(schema):
        if isinstance(part, dict) and "name" in part and part["type"] in ("record", "enum", "fixed"):
            found[part["name"]] = part
    return found


def _parts(schema: Schema) -> Iterator[Schema]:
    yield schema
    if isinstance(schema, list):
        inner = schema
    elif isinstance(schema, dict):
        inner = [schema[name] for name in ("items", "values") if name in schema]
        inner += [field["type"] for field in schema.get("fields", ())]
    else:
        inner = []
    for part in inner:
        yield from _parts(part)
