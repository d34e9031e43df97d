"""Records that hold records of their own kind, only so deep: whatever reads or writes them works by recursion.

The schema of such a record is written out level by level, and what the last level would hold cannot be read or written.
So the depth is bounded by the decoder itself, as it goes, and nothing of the bytes is read twice.
"""

from typing import Any

from fastavro import read, write
from fastavro.schema import parse_schema

DEPTH_MAX = 24  # levels; the recipes that ship have three, and a decoder's stack is good for hundreds
_PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
_BEYOND = "packshot-beyond"  # a logical type of ours


class TooDeep(Exception):
    """A record is nested too deeply; `field` is the one that holds the records of its own kind."""

    def __init__(self, field: str) -> None:
        super().__init__(f"`{field}` is nested more than {DEPTH_MAX} levels deep")
        self.field = field


def bounded(schema: Any) -> Any:
    """A parsed schema that reads and writes the same bytes as `schema` does, up to DEPTH_MAX levels. See TooDeep."""
    plain = {name: value for name, value in schema.items() if not name.startswith("__")}
    return parse_schema(_Unrolling().of(plain, (), ""))


def has_values_of_no_bytes(schema: Any, *, in_union: bool = False) -> bool:
    """Whether a parsed schema has values that take no bytes: nulls, but for those of a union, and what is empty.

    The decoder would count them one by one, 2^60 in an array that says so, while no other thread has its turn.
    """
    if isinstance(schema, list):
        return any(has_values_of_no_bytes(branch, in_union=True) for branch in schema)
    if isinstance(schema, str):
        return schema == "null" and not in_union
    match schema["type"]:
        case "record" | "error":
            return not schema["fields"] or any(has_values_of_no_bytes(field["type"]) for field in schema["fields"])
        case "fixed":
            return not schema["size"]
        case "array":
            return has_values_of_no_bytes(schema["items"])
        case "map":
            return has_values_of_no_bytes(schema["values"])
        case inner:
            return bool(inner != "enum" and has_values_of_no_bytes(inner, in_union=in_union))


class _Unrolling:
    def __init__(self) -> None:
        self._definitions: dict[str, Any] = {}
        self._written: set[str] = set()

    def of(self, schema: Any, inside: tuple[str, ...], field: str) -> Any:
        """`schema` written out; `inside` are the records that hold it, `field` the one of the innermost."""
        if isinstance(schema, list):
            return [self.of(branch, inside, field) for branch in schema]
        if isinstance(schema, str):
            return schema if schema in _PRIMITIVES else self._named(self._definitions[schema], inside, field)
        if "name" in schema:
            self._definitions[schema["name"]] = schema
            return self._named(schema, inside, field)
        inner = {name: self.of(schema[name], inside, field) for name in ("items", "values") if name in schema}
        return {**schema, **inner}

    def _named(self, schema: Any, inside: tuple[str, ...], field: str) -> Any:
        level = inside.count(schema["name"])
        name = f"{schema['name']}{level or ''}"
        if level == DEPTH_MAX:
            return {"type": "null", "logicalType": _BEYOND, "field": field}
        if name in self._written:
            return name
        self._written.add(name)
        if schema["type"] not in ("record", "error"):
            return {**schema, "name": name}
        deeper = (*inside, schema["name"])
        fields = [{**each, "type": self.of(each["type"], deeper, each["name"])} for each in schema["fields"]]
        return {**schema, "name": name, "fields": fields}


def _beyond(_data: Any, schema: Any, *_: Any) -> Any:
    raise TooDeep(schema["field"])


read.LOGICAL_READERS[f"null-{_BEYOND}"] = _beyond
write.LOGICAL_WRITERS[f"null-{_BEYOND}"] = _beyond
