import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from streams.services.display.contact_sheet import (
    ContactCell,
    ContactEntry,
    contact_sheet_html,
    contact_sheet_png,
    thumbnail,
)

RED, CLEAR = (220, 20, 20), (0, 0, 0, 0)


def file(colour: tuple[int, ...], size: tuple[int, int] = (900, 600), format_: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGBA" if len(colour) == 4 else "RGB", size, colour).save(buffer, format_, **options)
    return buffer.getvalue()


def entry(*cells: ContactCell, sku: str = "mug-1", source: bytes | None = None) -> ContactEntry:
    return ContactEntry(sku, "A mug", source, list(cells))


PUBLISHED = ContactCell("amazon-1", "published", "", file(RED))
REVIEWED = ContactCell("web-1", "review", "fill .71, at least .85", file(CLEAR))
FAILED = ContactCell("zalando-1", "failed", "no subject", None)


class Page(HTMLParser):
    """The texts of a page, and the attributes of its elements by tag."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())

    def pictures(self) -> list[Image.Image]:
        sources = [attributes["src"] or "" for tag, attributes in self.elements if tag == "img"]
        return [Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))) for source in sources]


def test_the_page_names_products_assets_states_and_reasons() -> None:
    texts = Page(contact_sheet_html([entry(PUBLISHED, REVIEWED, FAILED)])).texts
    assert {"A mug", "mug-1", "amazon-1", "web-1", "zalando-1", "fill .71, at least .85", "no subject"} <= set(texts)
    assert texts.count("in review") == 2  # the legend's and the asset's own
    assert "1 product, 3 assets" in texts


def test_the_page_needs_nothing_but_itself() -> None:
    html = contact_sheet_html([entry(PUBLISHED, REVIEWED, source=file(RED, format_="JPEG"))])
    assert "http" not in html
    assert "@import" not in html
    assert not re.search(r"url\((?!data:)", html)
    assert all((attributes["src"] or "").startswith("data:") for tag, attributes in Page(html).elements if tag == "img")


def test_its_pictures_are_small_and_keep_their_transparency() -> None:
    source, published, reviewed = Page(
        contact_sheet_html([entry(PUBLISHED, REVIEWED, source=file(RED, (4000, 3000)))])
    ).pictures()
    assert source.size == (320, 240)
    assert (published.format, published.size) == ("JPEG", (320, 213))
    assert (reviewed.format, reviewed.mode) == ("WEBP", "RGBA")


def test_what_people_wrote_is_text_and_not_html() -> None:
    hostile = "<script>alert(1)</script>\"'"
    cell = ContactCell(hostile, hostile, hostile, file(RED))
    page = Page(contact_sheet_html([ContactEntry(hostile, hostile, file(RED), [cell])]))
    assert "script" not in {tag for tag, _ in page.elements}
    assert page.texts.count(hostile) >= 4


@pytest.mark.parametrize("broken", [b"", b"not a picture", file(RED)[:200]])
def test_a_picture_that_cannot_be_read_is_said_to_be_so(broken: bytes) -> None:
    assert "not readable" in Page(contact_sheet_html([entry(PUBLISHED, source=broken)])).texts
    assert thumbnail(broken) is None


def test_a_missing_picture_is_said_to_be_missing() -> None:
    assert "no picture" in Page(contact_sheet_html([entry(FAILED, source=file(RED))])).texts


def test_a_huge_picture_is_not_decoded() -> None:
    bomb = file(RED, (100, 100), "GIF")
    bomb = bomb[:6] + (60000).to_bytes(2, "little") * 2 + bomb[10:]
    assert thumbnail(bomb) is None


def test_a_photograph_stands_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = thumbnail(file(RED, (400, 200), "JPEG", exif=exif))
    assert picture is not None
    assert picture.size == (160, 320)


def test_a_cmyk_photograph_is_shown() -> None:
    buffer = io.BytesIO()
    Image.new("CMYK", (50, 50), (0, 255, 255, 0)).save(buffer, "JPEG")
    picture = thumbnail(buffer.getvalue())
    assert picture is not None
    red, green, blue = picture.convert("RGB").tobytes()[:3]
    assert red > 200 > 100 > max(green, blue)


def test_the_picture_grows_with_rows_and_columns() -> None:
    def size(*entries: ContactEntry) -> tuple[int, int]:
        return Image.open(io.BytesIO(contact_sheet_png(entries))).size

    width, height = size(entry(PUBLISHED))
    assert size(entry(PUBLISHED, REVIEWED)) > (width, height)
    assert size(entry(PUBLISHED), entry(FAILED))[1] > height
    assert size(entry(*[PUBLISHED] * 9))[1] > height  # nine wrap after eight


def test_the_picture_shows_the_products_and_a_checkerboard_behind_what_is_clear() -> None:
    sheet = np.asarray(Image.open(io.BytesIO(contact_sheet_png([entry(PUBLISHED, REVIEWED, source=file(RED))]))))
    red = (sheet == np.array(RED)).all(axis=2)
    assert red.sum() > 2 * 100 * 100
    checks = (sheet == np.array((236, 238, 242))).all(axis=2)
    assert checks.sum() > 5000


def test_an_empty_sheet_is_a_sheet() -> None:
    assert "0 products, 0 assets" in Page(contact_sheet_html([])).texts
    assert Image.open(io.BytesIO(contact_sheet_png([]))).width > 100


def test_the_same_entries_give_the_same_sheets() -> None:
    entries = [entry(PUBLISHED, REVIEWED, FAILED, source=file(RED))]
    assert contact_sheet_html(entries) == contact_sheet_html(entries)
    assert contact_sheet_png(entries) == contact_sheet_png(entries)
