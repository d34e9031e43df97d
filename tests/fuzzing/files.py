"""Files as people may give them to `submit`: JSON of any shape, CSV and TSV, with marks and mistakes."""

import codecs
import csv
import io
import json
from collections.abc import Sequence
from random import Random
from typing import Any

import msgspec

from schemas.records import CampaignCancelled, CampaignRequested, CatalogChanged
from tests.fuzzing.values import HOSTILE_FLOATS, HOSTILE_NUMBERS, HOSTILE_TEXTS, Values

KINDS = (CatalogChanged, CatalogChanged, CampaignRequested, CampaignCancelled)
ENCODINGS = (
    (b"", "utf-8"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
COLUMNS = ("type", "tenant", "sku", "version", "title", "sources", "channels", "attributes.height_cm", "attributes.")
JUNK = (
    "",
    "{",
    "[",
    "]",
    "null",
    "1e999",
    "NaN",
    "[" * 5000,
    '{"a":' * 5000,
    '"x"',
    "{} {}",
    "\x00",
    "9" * 5000,
    "-",
    "'",
)


def file_of_events(rng: Random) -> tuple[bytes, set[int]]:
    """A file, and lines of which it is certain that an event begins there."""
    rows = [_row(rng, Values(rng)) for _ in range(rng.randint(0, 6))]
    text, lines = rng.choice((_lines, _lines, _array, _pretty, _table))(rng, rows)
    mark, encoding = rng.choice(ENCODINGS)
    data = mark + text.encode(encoding, "surrogatepass")
    if rng.random() < 0.25 and data:
        at = rng.randrange(len(data))
        return rng.choice([data[:at], data[:at] + b"\xff" + data[at:], data + data[at:], rng.randbytes(50)]), set()
    return data, lines


def _row(rng: Random, values: Values) -> Any:
    row = msgspec.to_builtins(values.record(rng.choice(KINDS)))
    if rng.random() < 0.4:
        name = rng.choice([*row, "unknown", rng.choice(HOSTILE_TEXTS)])
        row[name] = _value(rng)
    if rng.random() < 0.1:
        row.pop(rng.choice(list(row)))
    return row if rng.random() < 0.95 else _value(rng)


def _value(rng: Random) -> Any:
    plain: Sequence[Any] = (
        *HOSTILE_NUMBERS,
        *HOSTILE_FLOATS,
        None,
        True,
        [],
        {},
        [[]],
        2**64,
        10**400,
        {"uri": 1},
        ["a", 1],
    )
    return rng.choice([rng.choice(plain), rng.choice(HOSTILE_TEXTS)])


def _lines(rng: Random, rows: Sequence[Any]) -> tuple[str, set[int]]:
    """A row each; what is none of them stands between, and then no line is certain."""
    texts = [json.dumps(row, ensure_ascii=rng.random() < 0.5) for row in rows]
    if rng.random() < 0.3:
        texts.insert(rng.randint(0, len(texts)), rng.choice(JUNK))
        return "\n".join(texts), set()
    certain = all(isinstance(row, dict) for row in rows)
    return "\n".join(texts), set(range(1, len(rows) + 1)) if certain else set()


def _array(rng: Random, rows: Sequence[Any]) -> tuple[str, set[int]]:
    return json.dumps(rows) + rng.choice(["", "\n", ",", "]"]), _first(rows)


def _pretty(rng: Random, rows: Sequence[Any]) -> tuple[str, set[int]]:
    return rng.choice(["\n", ",\n", "\r\n"]).join(json.dumps(row, indent=1) for row in rows), _first(rows)


def _first(rows: Sequence[Any]) -> set[int]:
    return {1} if rows and isinstance(rows[0], dict) else set()


def _table(rng: Random, rows: Sequence[Any]) -> tuple[str, set[int]]:
    columns = rng.sample(COLUMNS, rng.randint(1, len(COLUMNS)))
    if rng.random() < 0.2:
        columns.append(rng.choice(HOSTILE_TEXTS[:30]))
    file = io.StringIO()
    writer = csv.writer(file, delimiter=rng.choice(",;\t"), lineterminator=rng.choice(["\n", "\r\n"]), escapechar="\\")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(rng, row, column) for column in columns])
    return file.getvalue(), set()


def _cell(rng: Random, row: Any, column: str) -> str:
    if rng.random() < 0.1:
        return rng.choice(HOSTILE_TEXTS[:30])
    value = row.get(column, "") if isinstance(row, dict) else row
    return "|".join(map(str, value)) if isinstance(value, list) else str(value)
