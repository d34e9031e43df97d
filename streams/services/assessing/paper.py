"""An assessment on paper: a PDF of A4 sheets, drawn by Pillow, which is there anyway.

Its words are drawn, so that they cannot be selected: the page and the JSON have them as text. A letter that Pillow's
own face lacks is a box.
"""

import io
from collections.abc import Callable, Sequence

from PIL import Image, ImageDraw, ImageFont

from streams.services.assessing.assess import Assessment, Mended, Shown
from streams.services.assessing.estimate import Range
from streams.services.assessing.faults import KINDS, against
from streams.services.display.contact_sheet import thumbnail

DPI = 150
_WIDTH, _HEIGHT, _ROOM = 1240, 1754, 90  # A4, in px at DPI
_INK, _SOFT, _LINE, _RED = "#17181c", "#5f636d", "#d8dbe0", "#bb2f37"
_TEXT, _SMALL = 24, 19
_ACROSS, _GAP = 4, 20
_WORST_MAX = 24
_OUTCOMES = {"pass": "goes live", "review": "a person looks", "fail": "would not go live", "none": "cannot be made"}
Loader = Callable[[str], bytes | None]


class Paper:
    """Sheets that are written from above to below; a new one begins where there is no room left."""

    def __init__(self) -> None:
        self.sheets: list[Image.Image] = []
        self._down = _HEIGHT
        self.room(1)

    def room(self, height_px: int) -> int:
        """Where the next thing of this height begins, in px from above."""
        if self._down + height_px > _HEIGHT - _ROOM:
            self.sheets.append(Image.new("RGB", (_WIDTH, _HEIGHT), "white"))
            self._draw = ImageDraw.Draw(self.sheets[-1])
            self._down = _ROOM
        at, self._down = self._down, self._down + height_px
        return at

    def words(self, text: str, size_px: int = _TEXT, colour: str = _INK) -> None:
        """A line, cut off where the sheet ends."""
        self._put(_ROOM, self.room(round(size_px * 1.5)), text, _WIDTH - 2 * _ROOM, size_px, colour)

    def row(self, cells: Sequence[str], widths: Sequence[float], colour: str = _INK) -> None:
        """A line of a table; `widths` are shares of the sheet's."""
        height = round(_TEXT * 1.7)
        down, left, whole = self.room(height), _ROOM, _WIDTH - 2 * _ROOM
        for text, width in zip(cells, widths, strict=True):
            self._put(left, down, text, round(width * whole) - 12, _TEXT, colour)
            left += round(width * whole)
        self._draw.line((_ROOM, down + height - 8, _WIDTH - _ROOM, down + height - 8), _LINE)

    def pictures(self, row: Sequence[tuple[bytes | None, Sequence[str]]]) -> None:
        """Up to `_ACROSS` pictures beside each other, each with some lines below it."""
        side = (_WIDTH - 2 * _ROOM - (_ACROSS - 1) * _GAP) // _ACROSS
        most = max(len(lines) for _, lines in row)
        down = self.room(side + round(most * _SMALL * 1.4) + _GAP)
        for place, (file, lines) in enumerate(row):
            left = _ROOM + place * (side + _GAP)
            self._draw.rectangle((left, down, left + side, down + side), outline=_LINE)
            self._picture(file, left, down, side)
            for number, text in enumerate(lines):
                at = down + side + 6 + round(number * _SMALL * 1.4)
                self._put(left, at, text, side, _SMALL, _SOFT if number else _INK)

    def pdf(self) -> bytes:
        """The file."""
        file = io.BytesIO()
        self.sheets[0].save(
            file, "PDF", save_all=True, append_images=self.sheets[1:], resolution=DPI, quality=88, title="Assessment"
        )
        return file.getvalue()

    def _picture(self, file: bytes | None, left: int, down: int, side: int) -> None:
        shrunk = thumbnail(file, side - 2)
        if shrunk is None:
            self._put(left + 10, down + 10, "no picture", side - 20, _SMALL, _SOFT)
            return
        at = (left + (side - shrunk.width) // 2, down + (side - shrunk.height) // 2)
        self.sheets[-1].paste(shrunk, at, shrunk if shrunk.mode == "RGBA" else None)

    def _put(self, left: int, down: int, text: str, width: int, size_px: int, colour: str) -> None:
        font = ImageFont.load_default(size_px)
        line = "".join(each if each.isprintable() else " " for each in text[:300])
        while line and font.getlength(line) > width:
            line = f"{line[: -max(2, len(line) // 20)]}…" if len(line) > 2 else ""
        self._draw.text((left, down), line, colour, font)


def pdf(found: Assessment, load: Loader) -> bytes:
    """The assessment's file. `load` gives the file of a picture by its address, or None."""
    paper = Paper()
    paper.words("What is wrong with the pictures", 44)
    paper.words(found.source, _TEXT, _SOFT)
    paper.room(20)
    _numbers(paper, found)
    _table(paper, found)
    _money(paper, found)
    _mended(paper, found.mended)
    _worst(paper, found.shown, load)
    return paper.pdf()


def _numbers(paper: Paper, found: Assessment) -> None:
    share = f" ({found.wrong / found.pictures:.0%})" if found.pictures else ""
    paper.words(f"{found.products:,} products, {found.pictures:,} pictures looked at")
    paper.words(f"{found.wrong:,} have a fault{share}", colour=_RED)
    paper.words(f"{found.mendable:,} of them can be mended from the photograph that is there")


def _table(paper: Paper, found: Assessment) -> None:
    if not found.rows:
        return
    paper.room(24)
    widths = (0.12, 0.4, 0.2, 0.1, 0.07, 0.11)
    paper.row(("channel", "what is wrong", "typically (wanted)", "pictures", "share", "mended"), widths, _SOFT)
    for row in found.rows:
        kind = KINDS[row.kind]
        mended = "yes" if kind.is_mended else "no"
        typical = against(row.median, row.limit).replace("≥", "min").replace("≤", "max")  # signs that the font lacks
        paper.row((row.channel, kind.text, typical, f"{row.pictures:,}", f"{row.share:.0%}", mended), widths)


def _money(paper: Paper, found: Assessment) -> None:
    estimate = found.estimate
    paper.room(24)
    paper.words("What it takes", 32)
    for name, text in (
        ("pictures", f"{estimate.pictures:,}"),
        ("hours by hand", _range(estimate.hours_by_hand)),
        ("hours here, of people who look", _range(estimate.hours_here)),
        (f"cost by hand, {estimate.currency}", _range(estimate.cost_by_hand)),
        (f"cost here, {estimate.currency}", _range(estimate.cost_here)),
        ("live with nobody's look", f"{estimate.passing.least:.0%} to {estimate.passing.most:.0%}"),
    ):
        paper.row((name, text), (0.5, 0.5))


def _range(its: Range) -> str:
    least, most = f"{its.least:,.1f}", f"{its.most:,.1f}"
    return least if least == most else f"{least} to {most}"


def _mended(paper: Paper, mended: Sequence[Mended]) -> None:
    if not mended:
        return
    passed = sum(each.outcome == "pass" for each in mended)
    paper.room(24)
    paper.words(f"{len(mended)} of them, really made: {passed} would go live with nobody's look", 32)
    for first in range(0, len(mended), 2):
        row: list[tuple[bytes | None, Sequence[str]]] = []
        for each in mended[first : first + 2]:
            said = f"{each.channel}: {_OUTCOMES[each.outcome]}"
            row += [(each.before, (each.sku, "before")), (each.after, (said, each.why))]
        paper.pictures(row)


def _worst(paper: Paper, shown: Sequence[Shown], load: Loader) -> None:
    wrong = [each for each in shown if each.has_a_place and any(each.faults.values())]
    wrong.sort(key=lambda each: (-sum(map(len, each.faults.values())), each.sku, each.place))
    if not wrong:
        return
    paper.room(24)
    paper.words(f"The worst {min(len(wrong), _WORST_MAX)} of {len(wrong):,}", 32)
    for first in range(0, min(len(wrong), _WORST_MAX), _ACROSS):
        few = wrong[first : min(first + _ACROSS, _WORST_MAX)]
        paper.pictures([(load(each.uri) if each.seen is not None else None, _said(each)) for each in few])


def _said(shown: Shown) -> list[str]:
    kinds = dict.fromkeys(fault.kind for faults in shown.faults.values() for fault in faults)
    return [f"{shown.sku} {shown.place + 1}", *(KINDS[kind].text for kind in list(kinds)[:4])]
