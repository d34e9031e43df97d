"""Whether a picture says of its product what the photograph said: the same words and codes, as legible as they were.

Where a product lies is known, so that nothing is looked for: the recogniser reads those crops alone. What it reads
otherwise than in the photograph is read once more there, as small as in the picture: what a small size alone makes
unreadable was not changed. Where a line is still read otherwise and each of its letters looks the same, it was misread.

| measure | says |
|---|---|
| `text_edit_distance` | the most characters by which a line differs |
| `text_lost` | lines of which nothing, or hardly half, is the same |
| `text_compared` | lines that were large enough to be compared |
| `text_x_height_px` | the x-height of the largest line; not there where the product has none |
| `text_contrast`, `text_contrast_kept` | the least contrast of a line, by WCAG 2.2, and that to what it was |
| `codes_lost` | codes that are not read the same, and could be at that size |
| `text_overlay_share` | of a picture with a ground of its own, how much of it is text beside the product |
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.linear_light import to_linear
from gpu_workers.imaging.types import LUMINANCE, Code, Mask, Plane
from gpu_workers.imaging.writing import Code as Printed
from gpu_workers.imaging.writing import Line, Points, Writing, at, corners
from gpu_workers.reading.codes import read_codes
from gpu_workers.reading.finding import line_size
from gpu_workers.reading.photograph import INSIDE, OUTSIDE, SURE, share_on
from gpu_workers.reading.reader import Reader
from gpu_workers.reading.recognising import WIDTHS_PX, cut_line, read_width

X_HEIGHT_PX_MIN = 8.0  # of a line that is compared: the recogniser reads smaller ones by guessing
_WIDTH_PX_MAX = 4 * WIDTHS_PX[0]  # of the lines that are compared, as they are read: .2 CPU-s
ALIKE_MIN = 0.975  # of the correlation, by a drawn label: JPEG 85 leaves .979 at least, an O made Q .969 at most
_PLAIN_MAX = 4.0  # of 255, the spread of a window in which nothing is written
_LOST_SHARE = 0.5  # of a line's characters
_OVERLAYS_MAX = 4  # boxes beside the product that are read
_CODE_ROOM = 0.15  # of a code's sides, which it needs about it to be read


@dataclass(frozen=True)
class Shown:
    """A picture of a product: its pixels as the file has them (h, w, 3), where its product is (h, w), and the
    (3, 3) matrix that takes points of the picture that it was made of there."""

    rgb: Code
    mask: Mask
    transform: NDArray[np.float64]


def compared(writing: Writing, source: Code, shown: Shown, reader: Reader) -> dict[str, float]:
    """What became of the `writing` of a `source` (h, w, 3; uint8 RGB) in a picture. Raises EngineError."""
    lines = [each for each in writing.lines if each.confidence >= SURE and each.inside >= INSIDE]
    scale = float(np.sqrt(abs(np.linalg.det(shown.transform[:2, :2]))))
    found = [_line(each, source, shown, reader) for each in _legible(lines, shown, scale)]
    measures = {
        "text_edit_distance": float(max((distance for distance, *_ in found), default=0)),
        "text_lost": float(sum(is_lost for _, is_lost, *_ in found)),
        "text_compared": float(len(found)),
        "codes_lost": float(sum(_is_lost(each, source, shown) for each in writing.codes)),
    }
    if lines:
        measures["text_x_height_px"] = max(each.x_height_px for each in lines) * scale
    if found:
        measures["text_contrast"] = min(contrast for *_, contrast, _ in found)
        measures["text_contrast_kept"] = min(kept for *_, kept in found)
    return measures


def overlaid(shown: Shown, reader: Reader) -> dict[str, float]:
    """How much of a picture is text beside its product. Raises EngineError."""
    beside = [box for box in reader.find(shown.rgb) if share_on(shown.mask, box) <= OUTSIDE]
    sure = [box for box in beside[:_OVERLAYS_MAX] if reader.recognise(cut_line(shown.rgb, box)).confidence >= SURE]
    return {"text_overlay_share": sum(_area(box) for box in sure) / shown.mask.size}


def edit_distance(one: str, other: str) -> int:
    """How many characters must be added, taken away or replaced (V. Levenshtein, 1966)."""
    row = list(range(len(other) + 1))
    for number, left in enumerate(one, 1):
        before, row[0] = row[0], number
        for column, right in enumerate(other, 1):
            before, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, before + (left != right))
    return row[-1]


def likeness(one: Code, other: Code) -> float:
    """How alike two lines (h, w, 3) are where they are the least so: the correlation, -1..1, of their lightness in
    windows as wide as the line is high; 1 where both are plain."""
    planes = [cv2.cvtColor(each, cv2.COLOR_RGB2GRAY).astype(np.float32) for each in (one, other)]
    side = planes[0].shape[0]

    def mean(plane: Plane) -> Plane:
        return np.asarray(cv2.blur(plane, (side, side), borderType=cv2.BORDER_REFLECT)[side // 2], np.float32)

    means = [mean(plane) for plane in planes]
    spreads = [np.sqrt(np.maximum(mean(plane * plane) - of * of, 0)) for plane, of in zip(planes, means, strict=True)]
    shared = mean(planes[0] * planes[1]) - means[0] * means[1]
    written = np.maximum(*spreads) > _PLAIN_MAX
    if not written.any():
        return 1.0
    return float((shared / np.maximum(spreads[0] * spreads[1], _PLAIN_MAX))[written].min())


def contrast(line: Code) -> float:
    """The contrast ratio, 1..21 by WCAG 2.2, of the darker and the lighter part of a line (h, w, 3)."""
    grey = cv2.cvtColor(line, cv2.COLOR_RGB2GRAY)
    threshold, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    light = to_linear(line) @ LUMINANCE
    dark, bright = light[grey <= threshold], light[grey > threshold]
    if not len(dark) or not len(bright):
        return 1.0
    return float((np.median(bright) + 0.05) / (np.median(dark) + 0.05))


def _legible(lines: list[Line], shown: Shown, scale: float) -> Iterator[Line]:
    """Those that are large enough and wholly to be seen, the largest first, as many as may be read."""
    left_px = _WIDTH_PX_MAX
    for line in sorted(lines, key=lambda each: -each.x_height_px):
        box = at(line.quad, shown.transform)
        if line.x_height_px * scale < X_HEIGHT_PX_MIN or share_on(shown.mask, box) < INSIDE:
            continue
        if read_width(box) <= left_px:
            left_px -= read_width(box)
            yield line


def _line(line: Line, source: Code, shown: Shown, reader: Reader) -> tuple[int, bool, float, float]:
    """By how many characters a line differs, whether it is lost, its contrast, and that to what it was."""
    there = cut_line(shown.rgb, at(line.quad, shown.transform))
    before = _resized(cut_line(source, corners(line.quad)), there.shape)
    text = _plain(line.text)
    recognised = reader.recognise(there)
    distance = edit_distance(text, _plain(recognised.text))
    if distance:  # is it the size alone, or the reading?
        text = _plain(reader.recognise(before).text)
        distance = min(distance, edit_distance(text, _plain(recognised.text)))
        distance = 0 if likeness(there, before) >= ALIKE_MIN else distance
    now, was = contrast(there), contrast(before)
    return distance, distance > _LOST_SHARE * max(1, len(text)), now, now / was


def _is_lost(code: Printed, source: Code, shown: Shown) -> bool:
    """Whether a code on the product is not read in the picture, and is in its source at the same size."""
    box = at(code.quad, shown.transform)
    if code.inside < INSIDE or share_on(shown.mask, box) < INSIDE:
        return False
    there = cut_line(shown.rgb, _roomy(box))
    if code.text in {text for text, *_ in read_codes(there)}:
        return False
    before = _resized(cut_line(source, _roomy(corners(code.quad))), there.shape)
    return code.text in {text for text, *_ in read_codes(before)}


def _resized(picture: Code, shape: tuple[int, ...]) -> Code:
    kind = cv2.INTER_AREA if picture.shape[0] > shape[0] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (shape[1], shape[0]), interpolation=kind))


def _roomy(box: Points) -> Points:
    middle = box.mean(axis=0)
    return np.asarray(middle + (box - middle) * (1 + 2 * _CODE_ROOM))


def _plain(text: str) -> str:
    """Without spaces, which the recogniser is not sure of."""
    return "".join(text.split())


def _area(box: Points) -> float:
    width, height = line_size(box)
    return width * height
