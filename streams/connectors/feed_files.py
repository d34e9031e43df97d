"""Rows of product feeds: CSV, TSV, XLSX, and Google Merchant's XML (RSS 2.0 or Atom with `g:` names).

A row is what stands in it, by column in lower case. What cannot be read at all is refused as a whole: of half a feed
nobody could tell which products are gone.
"""

import codecs
import csv
import io
import zipfile
from collections.abc import Iterator
from typing import Any
from xml.parsers import expat

from streams.runtime.errors import Refused

ENDINGS = (".csv", ".tsv", ".txt", ".xlsx", ".xml")
UNPACKED_BYTES_MAX = 512 * 1024 * 1024  # of a workbook; it may say anything of what is packed in it
ROWS_MAX = 500_000  # of a shop: each takes about 1 KB while it is compared
FEEDS_BYTES_MAX = 256 * 1024 * 1024  # of a shop, all its files together
COLUMNS_MAX = 1000  # of a workbook; it may say that each of its rows has 18,278
VALUE_MAX = csv.field_size_limit()  # characters of one value, 131,072
GOOGLE = "http://base.google.com/ns/1.0"
ITEMS = frozenset({"item", "entry"})
SEVERAL = frozenset({"additional_image_link", "additional_image_links"})
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
Row = dict[str, str]


def is_feed(name: str) -> bool:
    """Whether a file is one that holds products, by its ending."""
    return name.lower().endswith(ENDINGS)


def rows(name: str, data: bytes) -> Iterator[tuple[int, Row]]:
    """The rows of a feed, each with its line or number. Raises Refused for what is no feed."""
    ending = name.lower().rpartition(".")[2]
    read = {"xlsx": _workbook, "xml": _xml}.get(ending, _text)
    for number, (line, row) in enumerate(read(name, data)):
        if number >= ROWS_MAX:
            raise _bad(name, line, f"more than {ROWS_MAX} rows")
        if any(row.values()):
            yield line, row


def _text(name: str, data: bytes) -> Iterator[tuple[int, Row]]:
    text = _decoded(name, data)
    head = text.partition("\n")[0]
    delimiter = max("\t,;|", key=head.count)
    is_plain = delimiter == "\t" and not _is_quoted(text)  # Google's own files: a quote in a title is one
    read = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter,
        quoting=csv.QUOTE_NONE if is_plain else csv.QUOTE_MINIMAL,
        strict=True,
    )
    try:
        columns = [_column(cell) for cell in next(read, [])]
        _check_columns(name, columns)
        for cells in read:
            if len(cells) > len(columns) and any(cells[len(columns) :]):
                raise _bad(name, read.line_num, f"{len(cells)} values, and {len(columns)} columns")
            yield read.line_num, _row(columns, cells)
    except csv.Error as error:
        raise _bad(name, read.line_num, str(error)) from error


def _is_quoted(text: str) -> bool:
    """Whether a tab-separated file puts values in quotes."""
    return text.startswith('"') or '\t"' in text or '\n"' in text


def _workbook(name: str, data: bytes) -> Iterator[tuple[int, Row]]:
    line, columns = 0, list[str]()
    try:
        for line, values in enumerate(_sheet(name, data), start=1):
            cells = [_cell(value) for value in values]
            if line > 1:
                yield line, _row(columns, cells)
                continue
            columns = [_column(cell) for cell in cells]
            if any(columns[COLUMNS_MAX:]):
                raise _bad(name, 1, f"more than {COLUMNS_MAX} columns")
            _check_columns(name, columns)
    except Refused:
        raise
    except Exception as error:  # a workbook that is none breaks its reader in more ways than that tells of
        raise _bad(name, line + 1, f"no workbook: {type(error).__name__}: {error}") from error
    if not line:
        _check_columns(name, [])


def _sheet(name: str, data: bytes) -> Iterator[tuple[object, ...]]:
    """The rows of the first sheet; each as wide as the first, or as COLUMNS_MAX and one more."""
    import openpyxl

    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        if sum(each.file_size for each in packed.infolist()) > UNPACKED_BYTES_MAX:
            raise _bad(name, 0, "too large once it is unpacked")
    sheet: Any = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True).worksheets[0]
    sheet.reset_dimensions()  # what it says of them may be anything
    width = COLUMNS_MAX + 1
    for values in sheet.iter_rows(values_only=True, max_col=width):
        if width > COLUMNS_MAX:
            width = max((number for number, each in enumerate(values, start=1) if each is not None), default=0)
        yield values[:width]


def _cell(value: object) -> str:
    """A cell as people see it: a number that a spreadsheet keeps as 1234.0 is 1234."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value).strip()


def _xml(name: str, data: bytes) -> Iterator[tuple[int, Row]]:
    items = _Items(name)
    try:
        items.parser.Parse(data, True)
    except expat.ExpatError as error:
        raise _bad(name, error.lineno, expat.ErrorString(error.code)) from error
    if not items.found:
        raise _bad(name, 0, "there is no <item> or <entry> in it")
    return iter(items.found)


class _Items:
    """Gathers the items of a feed. A document type is refused: it could have a text stand for a million others."""

    def __init__(self, name: str) -> None:
        self.found: list[tuple[int, Row]] = []
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = self._doctype
        self._name = name
        self._row: Row | None = None
        self._path: list[str] = []
        self._text_parts: list[str] = []

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        local = _column(tag.rpartition(" ")[2])
        if self._row is None and local in ITEMS:
            self._row, self._path = {}, []
            self._at = self.parser.CurrentLineNumber
        elif self._row is not None:
            self._path.append(local)
            self._text_parts = [attributes["href"]] if local == "link" and "href" in attributes else []

    def _end(self, tag: str) -> None:
        local = _column(tag.rpartition(" ")[2])
        if self._row is None:
            return
        if not self._path and local in ITEMS:
            if len(self.found) == ROWS_MAX:
                raise _bad(self._name, self.parser.CurrentLineNumber, f"more than {ROWS_MAX} products")
            self.found.append((self._at, self._row))
            self._row = None
            return
        column, text = self._path.pop(), "".join(self._text_parts).strip()
        if len(text) + len(self._row.get(column, "")) > VALUE_MAX:
            raise _bad(self._name, self.parser.CurrentLineNumber, f"more than {VALUE_MAX} characters of {column[:64]}")
        if not self._path and text:
            is_more = column in SEVERAL and column in self._row
            if is_more:
                self._row[column] += f",{text}"
            elif column not in self._row or tag.startswith(GOOGLE):  # g:title is what Google goes by, not the page's
                self._row[column] = text
        self._text_parts = []

    def _text(self, text: str) -> None:
        self._text_parts.append(text)

    def _doctype(self, *_: object) -> None:
        raise _bad(self._name, self.parser.CurrentLineNumber, "a feed has no document type")


def _row(columns: list[str], cells: list[str]) -> Row:
    return {column: cell.strip() for column, cell in zip(columns, cells, strict=False) if column and cell.strip()}


def _column(text: str) -> str:
    """`Image Link`, `image link` and `g:image_link` are `image_link`."""
    return text.strip().lower().removeprefix("g:").replace(" ", "_")


def _check_columns(name: str, columns: list[str]) -> None:
    if not {"id", "sku"} & set(columns):
        raise _bad(name, 1, "the first line names no column id or sku")


def _decoded(name: str, data: bytes) -> str:
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _bad(name, line, "no UTF-8; save it as `CSV UTF-8`") from error


def _bad(name: str, line: int, why: str) -> Refused:
    return Refused("bad_feed", f"{name}, line {line}: {why}" if line else f"{name}: {why}", field=name)
