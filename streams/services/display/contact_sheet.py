"""The contact sheet: each product of a run, its photograph and all that was made of it, as a page and as a picture."""

import base64
import html
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont, ImageOps

from schemas.text import printable

THUMBNAIL_PX = 320
PIXELS_MAX = 120_000_000
TEXT_MAX = 10_000  # characters of one text in a page


@dataclass(frozen=True)
class ContactCell:
    """One asset: its name, where it stands, what there is to say of that, and its picture as a file."""

    asset: str
    state: str
    note: str
    picture: bytes | None


@dataclass(frozen=True)
class ContactEntry:
    """One product: its photograph as a file, and its assets."""

    sku: str
    title: str
    source: bytes | None
    cells: list[ContactCell]


# what each state looks like: its hue in the page, its colour in the picture
_HUES = {"published": "good", "review": "wait", "failed": "bad", "rejected": "bad"}
_COLOURS = {"good": "#1a7f4b", "wait": "#b26a00", "bad": "#c0343a", "calm": "#7b7f8c"}
_WORDS = {"review": "in review", "planned": "waiting", "leaving": "retracting"}


def contact_sheet_html(entries: Sequence[ContactEntry]) -> str:
    """A page that needs nothing but itself, light or dark as its reader prefers."""
    cells = [cell for entry in entries for cell in entry.cells]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Contact sheet</title><style>{_STYLE}</style></head><body>"
        f"<header><h1>Contact sheet</h1><p>{_count(entries, cells)}</p>"
        f'<ul class="legend">{"".join(_legend_item(state, n) for state, n in _tally(cells))}</ul></header>'
        f"<main>{''.join(_row(entry) for entry in entries)}</main></body></html>\n"
    )


def _count(entries: Sequence[ContactEntry], cells: Sequence[ContactCell]) -> str:
    return f"{_plural(len(entries), 'product')}, {_plural(len(cells), 'asset')}"


def _plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _tally(cells: Iterable[ContactCell]) -> list[tuple[str, int]]:
    return Counter(cell.state for cell in cells).most_common()


def _word(state: str) -> str:
    return _WORDS.get(state, state)


def _hue(state: str) -> str:
    return _HUES.get(state, "calm")


def _legend_item(state: str, number: int) -> str:
    return f'<li class="{_hue(state)}"><b>{number:,}</b> {escape(_word(state))}</li>'


def _row(entry: ContactEntry) -> str:
    source = _image(entry.source, f"Photograph of {entry.title or entry.sku}")
    return (
        f'<section><div class="source">{source}<h2>{escape(entry.title or entry.sku)}</h2>'
        f"<code>{escape(entry.sku)}</code></div>"
        f'<div class="assets">{"".join(_figure(cell) for cell in entry.cells)}</div></section>'
    )


def _figure(cell: ContactCell) -> str:
    note = f'<p title="{escape(cell.note)}">{escape(cell.note)}</p>' if cell.note else ""
    return (
        f"<figure>{_image(cell.picture, cell.asset)}<figcaption><strong>{escape(cell.asset)}</strong>"
        f'<span class="{_hue(cell.state)}">{escape(_word(cell.state))}</span>{note}</figcaption></figure>'
    )


def _image(file: bytes | None, text: str) -> str:
    picture = thumbnail(file)
    if picture is None:
        return f'<div class="frame none">{"no picture" if file is None else "not readable"}</div>'
    kind, options = ("WEBP", {"quality": 82}) if picture.mode == "RGBA" else ("JPEG", {"quality": 84})
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    data = base64.b64encode(buffer.getvalue()).decode()
    clear = " clear" if picture.mode == "RGBA" else ""
    size = f'width="{picture.width}" height="{picture.height}"'
    source = f"data:image/{kind.lower()};base64,{data}"
    return f'<div class="frame{clear}"><img alt="{escape(text)}" {size} src="{source}"></div>'


def escape(text: str) -> str:
    """A text from anywhere, as it may stand in a page."""
    return html.escape(printable(text, TEXT_MAX))


def thumbnail(file: bytes | None, size_px: int = THUMBNAIL_PX) -> Image.Image | None:
    """The picture in `file`, upright, no side longer than `size_px`, RGB or RGBA; None when there is none in it."""
    if file is None:
        return None
    try:
        with Image.open(io.BytesIO(file)) as opened:
            if opened.width * opened.height > PIXELS_MAX:
                return None
            opened.draft("RGB", (2 * size_px, 2 * size_px))
            upright = ImageOps.exif_transpose(opened)
            picture = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
    picture.thumbnail((size_px, size_px), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return picture


_STYLE = """
:root { color-scheme: light dark; --ink: #16181d; --soft: #656a76; --line: #e4e5ea; --page: #f6f6f8; --card: #fff;
  --good: #1a7f4b; --wait: #a86200; --bad: #c0343a; --calm: #6b7080; --check: #eceef2; }
@media (prefers-color-scheme: dark) { :root { --ink: #edeef2; --soft: #9a9fac; --line: #2a2d35; --page: #111318;
  --card: #191c22; --good: #5fcf95; --wait: #f0b35a; --bad: #ff8a8a; --calm: #a3a8b5; --check: #262a32; } }
* { box-sizing: border-box; margin: 0; }
body { font: 14px/1.45 Inter, "Segoe UI", system-ui, -apple-system, sans-serif; color: var(--ink);
  background: var(--page); padding: clamp(1.25rem, 4vw, 4rem); max-width: 1720px; margin: auto;
  -webkit-font-smoothing: antialiased; }
header { display: flex; flex-wrap: wrap; align-items: baseline; gap: .4rem 1.25rem; margin-bottom: 2.25rem; }
h1 { font-size: 1.75rem; font-weight: 650; letter-spacing: -.025em; }
header p { color: var(--soft); }
.legend { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .5rem 1.25rem; margin-left: auto; }
.legend li::before, figcaption span::before { content: ""; display: inline-block; width: .5rem; height: .5rem;
  border-radius: 50%; background: currentColor; margin-right: .45rem; }
.legend b { font-weight: 650; font-variant-numeric: tabular-nums; }
.good { color: var(--good); } .wait { color: var(--wait); } .bad { color: var(--bad); } .calm { color: var(--calm); }
section { display: grid; grid-template-columns: 200px 1fr; gap: 2rem; padding: 1.75rem 0;
  border-top: 1px solid var(--line); }
.source { position: sticky; top: 1.5rem; align-self: start; }
.source h2 { font-size: .95rem; font-weight: 600; margin-top: .7rem; letter-spacing: -.005em; }
.source code { font: .78rem/1.5 ui-monospace, Menlo, monospace; color: var(--soft); overflow-wrap: anywhere; }
.assets { display: grid; grid-template-columns: repeat(auto-fill, minmax(156px, 1fr)); gap: 1.5rem 1.25rem; }
figure { min-width: 0; }
.frame { position: relative; aspect-ratio: 1; display: grid; place-items: center; overflow: hidden;
  background: var(--card); border-radius: 12px; box-shadow: 0 0 0 1px var(--line);
  color: var(--soft); font-size: .8rem; }
.frame img { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; }
.source img { object-fit: cover; }
.frame.clear { background: repeating-conic-gradient(var(--check) 0 25%, var(--card) 0 50%) 0 0 / 20px 20px; }
.frame.none { background: none; box-shadow: inset 0 0 0 1px var(--line); }
figcaption { padding: .55rem .1rem 0; font-size: .82rem; }
figcaption strong { display: block; font-weight: 600; overflow-wrap: anywhere; }
figcaption p { color: var(--soft); font-size: .78rem; margin-top: .2rem; display: -webkit-box; overflow: hidden;
  -webkit-box-orient: vertical; -webkit-line-clamp: 3; overflow-wrap: anywhere; }
@media (max-width: 640px) { section { grid-template-columns: 1fr; gap: 1.25rem; } .source { position: static; }
  .source .frame { max-width: 200px; } .legend { margin-left: 0; } .assets { gap: 1.25rem .9rem;
  grid-template-columns: repeat(auto-fill, minmax(132px, 1fr)); } }
@media print { body { background: none; padding: 0; } section { break-inside: avoid; } .source { position: static; } }
"""


# the picture: one fixed light scheme, sizes in px

_MARGIN, _GAP, _CELL, _HEAD, _CAPTION, _ROW_GAP, _COLUMNS_MAX = 64, 24, 208, 140, 94, 40, 8
_INK, _SOFT, _LINE, _PAGE, _CARD, _CHECK = "#16181d", "#656a76", "#e4e5ea", "#f6f6f8", "#ffffff", "#eceef2"


def contact_sheet_png(entries: Sequence[ContactEntry]) -> bytes:
    """The sheet as one PNG, for a README or a chat."""
    columns = max(1, min(_COLUMNS_MAX, max((len(entry.cells) for entry in entries), default=1)))
    width = 2 * _MARGIN + _CELL + columns * (_GAP + _CELL)
    heights = [_row_height(entry, columns) for entry in entries]
    sheet = Image.new("RGB", (width, _HEAD + sum(heights) + _MARGIN), _PAGE)
    _draw_head(sheet, entries)
    top = _HEAD
    for entry, height in zip(entries, heights, strict=True):
        _draw_row(sheet, entry, top, columns)
        top += height
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _row_height(entry: ContactEntry, columns: int) -> int:
    lines = max(1, -(-len(entry.cells) // columns))
    return lines * (_CELL + _CAPTION) + _ROW_GAP


def _draw_head(sheet: Image.Image, entries: Sequence[ContactEntry]) -> None:
    draw = ImageDraw.Draw(sheet)
    cells = [cell for entry in entries for cell in entry.cells]
    draw.text((_MARGIN, 56), "Contact sheet", _INK, _font(40), anchor="ls")
    draw.text((_MARGIN, 92), _count(entries, cells), _SOFT, _font(18), anchor="ls")
    right = sheet.width - _MARGIN
    for state, number in reversed(_tally(cells)):
        text = f"{number:,} {_word(state)}"
        right -= round(draw.textlength(text, _font(18)))
        draw.text((right, 92), text, _colour(state), _font(18), anchor="ls")
        _dot(sheet, right - 18, 80, 10, _colour(state))
        right -= 46


def _draw_row(sheet: Image.Image, entry: ContactEntry, top: int, columns: int) -> None:
    draw = ImageDraw.Draw(sheet)
    draw.line((_MARGIN, top, sheet.width - _MARGIN, top), _LINE, 1)
    top += _ROW_GAP // 2 + 4
    _draw_frame(sheet, entry.source, _MARGIN, top)
    draw.text((_MARGIN, top + _CELL + 25), _fitted(entry.title or entry.sku, 18), _INK, _font(18), anchor="ls")
    draw.text((_MARGIN, top + _CELL + 47), _fitted(entry.sku, 14), _SOFT, _font(14), anchor="ls")
    for number, cell in enumerate(entry.cells):
        line, column = divmod(number, columns)
        left = _MARGIN + (column + 1) * (_GAP + _CELL)
        _draw_cell(sheet, cell, left, top + line * (_CELL + _CAPTION))


def _draw_cell(sheet: Image.Image, cell: ContactCell, left: int, top: int) -> None:
    draw = ImageDraw.Draw(sheet)
    _draw_frame(sheet, cell.picture, left, top)
    draw.text((left, top + _CELL + 24), _fitted(cell.asset, 17), _INK, _font(17), anchor="ls")
    _dot(sheet, left, top + _CELL + 35, 9, _colour(cell.state))
    draw.text((left + 17, top + _CELL + 45), _word(cell.state), _colour(cell.state), _font(15), anchor="ls")
    for number, line in enumerate(_two_lines(_drawable(cell.note), 14)):
        draw.text((left, top + _CELL + 65 + 18 * number), line, _SOFT, _font(14), anchor="ls")


def _draw_frame(sheet: Image.Image, file: bytes | None, left: int, top: int) -> None:
    picture = thumbnail(file, _CELL)
    if picture is None:
        card = Image.new("RGB", (_CELL, _CELL), _PAGE)
        text = "no picture" if file is None else "not readable"
        ImageDraw.Draw(card).text((_CELL // 2, _CELL // 2), text, _SOFT, _font(15), anchor="mm")
    else:
        clear = picture.mode == "RGBA"
        card = _checkerboard() if clear else Image.new("RGB", (_CELL, _CELL), _CARD)
        place = ((_CELL - picture.width) // 2, (_CELL - picture.height) // 2)
        card.paste(picture, place, picture if clear else None)
    sheet.paste(_LINE, (left - 1, top - 1), _rounded(_CELL + 2, 15))
    sheet.paste(card, (left, top), _rounded(_CELL, 14))


def _checkerboard() -> Image.Image:
    card = Image.new("RGB", (_CELL, _CELL), _CARD)
    draw = ImageDraw.Draw(card)
    for top in range(0, _CELL, 13):
        for left in range(top % 26, _CELL, 26):
            draw.rectangle((left, top, left + 12, top + 12), _CHECK)
    return card


def _rounded(size: int, radius: int) -> Image.Image:
    large = Image.new("L", (size * 4, size * 4))
    ImageDraw.Draw(large).rounded_rectangle((0, 0, size * 4 - 1, size * 4 - 1), radius * 4, 255)
    return large.resize((size, size), Image.Resampling.LANCZOS)


def _dot(sheet: Image.Image, left: int, top: int, size: int, colour: str) -> None:
    sheet.paste(colour, (left, top), _rounded(size, size // 2))


def _colour(state: str) -> str:
    return _COLOURS[_hue(state)]


def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size_px)


def _fitted(text: str, size_px: int) -> str:
    """As much of `text` as fits under a picture, with an ellipsis where it was cut."""
    font = _font(size_px)
    if font.getlength(text) <= _CELL:
        return text
    while text and font.getlength(text + "…") > _CELL:
        text = text[:-1]
    return text.rstrip() + "…"


def _drawable(text: str) -> str:
    """The font has no signs for these."""
    return text.replace("≤", "<=").replace("≥", ">=")


def _two_lines(text: str, size_px: int) -> list[str]:
    """`text` on up to two lines, broken between words."""
    words, first = text.split(), ""
    while words and _font(size_px).getlength(f"{first} {words[0]}") <= _CELL:
        first = f"{first} {words.pop(0)}".strip()
    return [line for line in (first, _fitted(" ".join(words), size_px)) if line]
