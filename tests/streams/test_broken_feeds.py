"""Feeds that mean harm, or are broken in ways of their own: each is told with its file, in bounded time and memory."""

import io
import zipfile
from pathlib import Path

import openpyxl
import pytest

from streams.connectors import feed_files
from streams.connectors.http import Client
from streams.connectors.kinds.feed import Feed
from streams.facts import Connector
from streams.runtime.errors import Refused

HEAD = '<row r="1"><c r="A1" t="inlineStr"><is><t>id</t></is></c></row>'
SHEET = "xl/worksheets/sheet1.xml"


def workbook(rows: str, dimension: str = "A1:A2") -> bytes:
    """A workbook whose first sheet says just this, whatever is in it."""
    whole, made = io.BytesIO(), io.BytesIO()
    openpyxl.Workbook().save(whole)
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    sheet = f'<worksheet xmlns="{space}"><dimension ref="{dimension}"/><sheetData>{rows}</sheetData></worksheet>'
    with zipfile.ZipFile(whole) as before, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as after:
        for name in before.namelist():
            after.writestr(name, sheet if name == SHEET else before.read(name))
    return made.getvalue()


def cell(value: str, kind: str = "n", at: str = "A2") -> str:
    return f'{HEAD}<row r="2"><c r="{at}" t="{kind}"><v>{value}</v></c></row>'


@pytest.mark.parametrize(
    "rows",
    [
        cell("9" * 5000),
        cell("no number"),
        cell("99", "s"),
        cell("x", "b"),
        cell("2026-99-99", "d"),
        cell("1", at="ZZZZZZ2"),
        f'{HEAD}<row r="x"><c r="A2"><v>1</v></c></row>',
        f'{HEAD}<row r="99999999999"><c r="A3"><v>1</v></c></row>',
        f'{HEAD}<row r="2"><c r="A2"><v>1',
    ],
)
def test_a_workbook_that_breaks_its_reader_is_reported_with_its_file(rows: str) -> None:
    with pytest.raises(Refused, match=r"a\.xlsx, line \d+: (no workbook|more than)") as refusal:
        list(feed_files.rows("a.xlsx", workbook(rows)))
    assert (refusal.value.code, refusal.value.field) == ("bad_feed", "a.xlsx")


def test_rows_are_no_wider_than_the_first_whatever_a_sheet_says_of_itself() -> None:
    far = "".join(f'<row r="{n}"><c r="A{n}"><v>{n}</v></c><c r="XFD{n}"><v>1</v></c></row>' for n in range(2, 2000))
    found = list(feed_files.rows("a.xlsx", workbook(HEAD + far, "A1:XFD1048576")))
    assert found[:2] == [(2, {"id": "2"}), (3, {"id": "3"})]
    assert len(found) == 1998


def test_a_workbook_of_too_many_columns_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_files, "COLUMNS_MAX", 1)
    with pytest.raises(Refused, match="more than 1 columns"):
        list(feed_files.rows("a.xlsx", workbook(HEAD.replace("</row>", '<c r="B1"><v>1</v></c></row>'))))


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a.xml", b"<a>" + b"<item/>" * 9 + b"</a>", "more than 8 products"),
        ("a.csv", b"id\n" + b"A\n" * 9, "more than 8 rows"),
        ("a.xml", b"<a><item>" + b"<additional_image_link>x</additional_image_link>" * 70_000, "131072 characters"),
    ],
)
def test_what_is_too_much_is_refused_while_it_is_read(
    name: str, data: bytes, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_files, "ROWS_MAX", 8)
    with pytest.raises(Refused, match=says):
        list(feed_files.rows(name, data))


def shelf(folder: Path) -> Feed:
    return Feed(Connector("shelf", "feed", "demo", folder.as_uri(), ("web",)), Client())


def test_files_that_are_too_large_are_refused_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_files, "FEEDS_BYTES_MAX", 100)
    (tmp_path / "a.csv").write_bytes(b"id\n" + b"A" * 60)
    assert next(shelf(tmp_path).pages(None)).total == 1
    (tmp_path / "b.csv").write_bytes(b"id\n" + b"B" * 90)
    with pytest.raises(Refused, match=r"156 bytes of feeds, of 100 at most") as refusal:
        list(shelf(tmp_path).pages(None))
    assert refusal.value.field == "b.csv"


def test_a_shop_has_so_many_products_in_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_files, "ROWS_MAX", 8)
    for name in "ab":
        (tmp_path / f"{name}.csv").write_text("id\n" + "".join(f"{name}{number}\n" for number in range(5)))
    with pytest.raises(Refused, match="more than 8 products in all"):
        list(shelf(tmp_path).pages(None))


def test_a_picture_beside_a_feed_that_is_too_large_hinders_its_product_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.connectors.kinds.feed.PICTURE_BYTES_MAX", 100)
    (tmp_path / "a.csv").write_text("id,image_link\nA,a.jpg\nB,b.jpg\n")
    (tmp_path / "a.jpg").write_bytes(b"a" * 90)
    (tmp_path / "b.jpg").write_bytes(b"b" * 110)
    [page] = shelf(tmp_path).pages(None)
    assert [each.sku for each in page.products] == ["A"]
    assert page.unread == {"B": "a.csv, line 3: 'b.jpg' has 110 bytes"}
