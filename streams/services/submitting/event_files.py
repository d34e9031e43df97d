"""Events in files, as people have them: JSON a line, an array or pretty-printed; CSV or TSV, a product a row.

What is wrong is told by its line, every wrong field of an event at once.
"""

import codecs
import csv
import io
import json
import os
import typing
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import replace

from schemas.records import CampaignCancelled, CampaignRequested, CatalogChanged, Source, Submission
from schemas.text import explained

KINDS: dict[str, type[Submission]] = {
    kind.__name__: kind for kind in (CatalogChanged, CampaignRequested, CampaignCancelled)
}
ATTRIBUTE = "attributes."  # a column of this name and one more holds one attribute
LISTS = frozenset({"channels", "sources"})  # columns with several values, apart by |
COLUMNS = ("type", *(name for name in CatalogChanged.__struct_fields__ if name != "attributes"))
DELIMITERS = ",;\t"
DIGITS_MAX = 20  # more than any number of a record has; Python converts no more than 4,300
MESSAGE_CHARACTERS_MAX = 300
ZIP = "PK\x03\x04"  # how a spreadsheet's file begins
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


@dataclass(frozen=True)
class BadLine:
    """A field of an event that is wrong, or a line that holds no event, and why."""

    line: int
    field: str
    message: str


@dataclass(frozen=True)
class Read:
    """An event, the line that it begins on, and those of its sources that lead to no file on this machine."""

    line: int
    event: Submission
    missing: tuple[str, ...] = ()


def read_events(path: Path) -> tuple[list[Read], list[BadLine]]:
    """The events of a file, relative source paths resolved against its folder, and what is wrong in it."""
    events: list[Read] = []
    bad: list[BadLine] = []
    for line, value in values_in(path.read_bytes()):
        if isinstance(value, BadLine):
            bad.append(value)
            continue
        wrong = problems(value)
        bad += [BadLine(line, field, message) for field, message in wrong]
        if not wrong:
            event = msgspec.convert(value, Submission)
            missing = tuple(_without_file(event, path.parent))
            events.append(Read(line, _resolved(event, path.parent), missing))
    return events, bad


def values_in(data: bytes) -> Iterator[tuple[int, Any]]:
    """What stands in a file, each with its line: objects, or BadLine for what cannot be read."""
    return _values(_text(data))


def values_in_line(data: bytes) -> Iterator[Any]:
    """What stands in one line of NDJSON, which is never a table: at least one object, value or BadLine."""
    found = [value for _, value in _json(_text(data))]
    yield from found or [BadLine(1, "", "no event stands in this line")]


def with_files(events: list[Read]) -> tuple[list[Read], list[BadLine]]:
    """The events whose sources are all there, as far as they are files of this machine; and what the others lack."""
    message = "there is no file {!r} beside the events; a web address begins with https://"
    bad = [BadLine(each.line, "sources", message.format(path)) for each in events for path in each.missing]
    return [each for each in events if not each.missing], bad


def problems(value: object) -> list[tuple[str, str]]:
    """Every field of an event as JSON that is wrong, and why; empty for an event that is one."""
    if not isinstance(value, dict):
        return [("", f"an event is an object, this is {type(value).__name__}")]
    kind = KINDS.get(str(value.get("type")))
    if kind is None:
        return [("type", f"{value.get('type')!r} is none of {', '.join(KINDS)}")]
    types = _types(kind)
    wrong = [(name, _no_such(name, types)) for name in value if name not in types and name != "type"]
    first = list(_wrong(lambda: msgspec.convert(value, kind), ""))
    if not first:
        return wrong
    for name, (of, is_required) in types.items():  # every field that is wrong: the whole tells of its first only
        if name in value:
            wrong += _wrong(lambda name=name, of=of: msgspec.convert(value[name], of), name)
        elif is_required:
            wrong.append((name, "is required"))
    return wrong or first


@cache
def _types(kind: type[msgspec.Struct]) -> dict[str, tuple[Any, bool]]:
    """A record's fields in order, each with its type, and if it is required: to find out takes longer than an event."""
    types = typing.get_type_hints(kind, include_extras=True)
    return {each.name: (types[each.name], each.required) for each in msgspec.structs.fields(kind)}


def _no_such(name: str, fields: Iterable[str]) -> str:
    import difflib  # only who has mistyped one needs it

    near = difflib.get_close_matches(name, fields, 1)
    return f"there is no such field, did you mean {near[0]}?" if near else "there is no such field"


def _wrong(convert: Any, field: str) -> Iterator[tuple[str, str]]:
    try:
        convert()
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$")
        yield field + place.removesuffix("`"), explained(message)[:MESSAGE_CHARACTERS_MAX]
    except UnicodeEncodeError:  # JSON can say half a character, and no text can hold it
        yield field, "half a character (a surrogate without its other) is no text"


def _text(data: bytes) -> str:
    """A file's text; what is no UTF-8 is kept as it is, and is then no text of an event."""
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "backslashreplace")
    return data.decode(errors="surrogateescape")


def _values(text: str) -> Iterator[tuple[int, Any]]:
    """What stands in the text, each with its line: objects, or BadLine for what cannot be read."""
    if text.lstrip()[:1] in ("{", "[", ""):
        return _json(text)
    return _rows(text)


def _json(text: str) -> Iterator[tuple[int, Any]]:
    decoder, at, line, counted = json.JSONDecoder(strict=False), 0, 1, 0
    while (at := _next(text, at)) < len(text):
        line, counted = line + text.count("\n", counted, at), at
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            end = _next_object(text, at)
            yield line, BadLine(line, "", f"{_span(line, text[at:end])}not JSON: {_why(error)}")
            at = end
            continue
        for each in value if isinstance(value, list) else [value]:
            yield line, each


def _next(text: str, at: int) -> int:
    """Where something begins: behind blanks, and behind the commas that people leave between objects."""
    while at < len(text) and (text[at].isspace() or text[at] == ","):
        at += 1
    return at


def _next_object(text: str, at: int) -> int:
    """Where the next line begins that begins an object, behind one that cannot be read."""
    found = text.find("\n{", at)
    return len(text) if found < 0 else found + 1


def _span(line: int, unread: str) -> str:
    last = line + unread.rstrip().count("\n")
    return f"down to line {last}, " if last > line else ""


def _why(error: Exception) -> str:
    return "nested too deep" if isinstance(error, RecursionError) else str(error)


def _rows(text: str) -> Iterator[tuple[int, Any]]:
    head = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=head.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        columns = [name.strip() for name in next(rows)]
    except csv.Error as error:
        yield 1, BadLine(1, "", f"no CSV: {error}")
        return
    if "sku" not in columns:
        yield 1, BadLine(1, "", f"neither JSON nor CSV: {_lacking(text)}")
        return
    unknown = [name for name in columns if name not in COLUMNS and not name.startswith(ATTRIBUTE)]
    if unknown:
        known = f"{', '.join(COLUMNS)}, {ATTRIBUTE}NAME"
        yield 1, BadLine(1, unknown[0], f"no column is called {', '.join(map(repr, unknown))}; there are: {known}")
        return
    yield from _products(rows, columns)


def _lacking(text: str) -> str:
    """What a file lacks to be CSV, and what it may be instead."""
    if text.startswith(ZIP):
        return "if it is an Excel or OpenDocument file, save it as CSV"
    return "it is no text" if "\0" in text else "the first line names no column sku"


def _products(rows: Any, columns: list[str]) -> Iterator[tuple[int, Any]]:
    line = rows.line_num + 1
    try:
        for cells in rows:
            if any(cell.strip() for cell in cells):
                yield line, _product(dict(zip(columns, map(str.strip, cells), strict=False)))
            line = rows.line_num + 1
    except csv.Error as error:
        yield line, BadLine(line, "", f"no CSV: {error}")


def _product(row: dict[str, str]) -> dict[str, Any]:
    value: dict[str, Any] = {"type": "CatalogChanged"}
    for column, cell in row.items():
        if not cell:
            continue
        several = [each.strip() for each in cell.split("|") if each.strip()]
        if column.startswith(ATTRIBUTE):
            value.setdefault("attributes", {})[column.removeprefix(ATTRIBUTE)] = cell
        elif column == "sources":
            value[column] = [{"uri": uri} for uri in several]
        elif column in LISTS:
            value[column] = several
        else:
            is_number = column in ("version", "occurred_at_ms") and cell.isdecimal() and len(cell) <= DIGITS_MAX
            value[column] = int(cell) if is_number else cell
    return value


def _without_file(event: Submission, folder: Path) -> Iterator[str]:
    """The sources that are paths, and lead to no file."""
    for source in event.sources if isinstance(event, CatalogChanged) else ():
        if not _is_address(source.uri) and not os.path.isfile(folder / source.uri):  # pathlib raises for a long name
            yield source.uri


def _is_address(uri: str) -> bool:
    """Whether a source is none of this machine's paths; a malformed address is one, and whoever fetches it says so."""
    try:
        return bool(urlsplit(uri).scheme)
    except ValueError:
        return True


def _resolved(event: Submission, folder: Path) -> Submission:
    if not isinstance(event, CatalogChanged):
        return event
    return replace(event, sources=[_absolute(source, folder) for source in event.sources])


def _absolute(source: Source, folder: Path) -> Source:
    if _is_address(source.uri):
        return source
    return replace(source, uri=Path(os.path.realpath(folder / source.uri)).as_uri())
