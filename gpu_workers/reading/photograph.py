"""What is written in a photograph: on the product, beside it, and across it, as what was laid over a picture is.

| measure of a cutout | says |
|---|---|
| `words` | lines on the product that are read for sure: what a picture of it must show the same |
| `codes` | barcodes and the like on it |
| `words_around` | sure lines beside it, on whatever ground |
| `overlay_words` | those of them on a plain ground, or cut out as an island of their own: nobody's room, so laid over |
| `watermark_words` | lines across the product's outline, or three times the same one not only on the product |
| `mark.…` | 1 for each line off the product: its words and its place, as other photographs of a tenant may have them |
"""

import hashlib
from collections import Counter

import cv2
import numpy as np

from gpu_workers.imaging import linear_light
from gpu_workers.imaging.types import HALF, Code, Codes, Mask
from gpu_workers.imaging.writing import Code as Printed
from gpu_workers.imaging.writing import Line, Points, Writing, quad_of
from gpu_workers.reading.codes import read_codes
from gpu_workers.reading.finding import line_size
from gpu_workers.reading.reader import Reader
from gpu_workers.reading.recognising import WIDTHS_PX, cut_line, read_width

SURE = 0.8  # of a line's confidence, from which it is to be the same wherever the product is shown
INSIDE, OUTSIDE = 0.9, 0.1  # how much of a line lies on the product, of one on it at least, of one beside it at most
X_HEIGHT = 0.42  # of a box' height, by lines drawn in fonts of known x-height
_READ = 0.5  # of confidence: less is no text
_ACROSS = (0.15, 0.75)  # a label's own line may reach a little over the outline that was cut out
_LONG = 3  # characters: shorter ones are seen in textures
_REPEATED = 3
_MARKS_MAX, _GRID = 4, 8  # of a photograph; squares of a side: a watermark's place varies by less than half of one
_PART_SHARE = 0.1  # of the largest part's area: a smaller island is not the product
_WIDTH_PX_MAX = 12 * WIDTHS_PX[-1]  # of all lines as they are read, which bounds what a page of small print costs
# A line that is found is 15 px high at least in a picture of this size, and three letters of it have hundreds of pixels
# at edges; at a step of 8 of 255 they are hardly seen.
_LOOKED_AT_PX, _BESIDE_SHARE, _STROKE, _SPECKS_PX = 736, 0.012, 8, 30
_CODES_SIDE_PX = 2000  # at which codes are looked for; a narrower bar than a pixel there is not read anyway


def read_photograph(pixels: Codes, rgba: Codes, reader: Reader) -> Writing:
    """What is written in a photograph (h, w, 3 or 4) whose cutout is `rgba` (h, w, 4). Raises EngineError."""
    rgb = on_white(linear_light.eight_bit(pixels))
    product = _product(linear_light.eight_bit(rgba)[..., 3])
    lines, left_px = [], _WIDTH_PX_MAX
    for box in reader.find(rgb):
        left_px -= read_width(box)
        if left_px < 0:
            break
        found = reader.recognise(cut_line(rgb, box))
        if found.text.strip() and found.confidence >= _READ:
            lines.append(
                Line(
                    text=found.text.strip()[:200],
                    confidence=round(found.confidence, 2),
                    quad=quad_of(box),
                    x_height_px=round(X_HEIGHT * line_size(box)[1], 2),
                    inside=share_on(product, box),
                )
            )
    return Writing(lines=tuple(lines), codes=tuple(_codes(rgb, product)))


def measures_of(writing: Writing, *, plain_ground: bool) -> dict[str, float]:
    """What a cutout says of what is written; `plain_ground` where nothing but the product was photographed."""
    sure = [each for each in writing.lines if each.confidence >= SURE]
    beside = [each for each in sure if each.inside <= OUTSIDE and len(each.text) >= _LONG]
    return {
        "words": float(sum(each.inside >= INSIDE for each in sure)),
        "codes": float(sum(each.inside >= INSIDE for each in writing.codes)),
        "words_around": float(len(beside)),
        "overlay_words": float(len(beside) if plain_ground else 0),
        "watermark_words": float(_watermarks(sure)),
    }


def marks_of(writing: Writing, width_px: int, height_px: int) -> dict[str, float]:
    """The lines of a photograph that are read for sure and not on the product, as names that tell words and place.

    A place has two names, of grids that are half a step apart: what is near the border of a square in one is well
    within a square of the other.
    """
    found = [each for each in writing.lines if each.confidence >= SURE and each.inside < INSIDE]
    words = [(each, "".join(filter(str.isalnum, each.text.casefold()))) for each in found]
    long = sorted((pair for pair in words if len(pair[1]) > _LONG), key=lambda pair: -len(pair[1]))
    names = {}
    for line, text in long[:_MARKS_MAX]:
        x, y = (sum(line.quad[axis::2]) / 4 for axis in (0, 1))
        for shift in (0.0, 0.5):
            place = [int(at / side * _GRID + shift) for at, side in ((x, width_px), (y, height_px))]
            names[f"mark.{hashlib.sha256(f'{text}|{shift}|{place}'.encode()).hexdigest()[:16]}"] = 1.0
    return names


def words_over(rgb: Code, product: Mask, reader: Reader, *, plain_ground: bool) -> int:
    """How many lines are read for sure that do not lie on the `product` (h, w) in uint8 RGB (h, w, 3): beside it on a
    plain ground, or across its outline. What is written in a room was not laid over it. Raises EngineError.

    Nothing is looked for where nothing off the product has an edge, as every letter does: looking takes half a second.
    """
    if _is_bare_beside(rgb, product):
        return 0
    count = 0
    for box in reader.find(rgb):
        share = share_on(product, box)
        if share >= _ACROSS[1] or (share <= OUTSIDE and not plain_ground):
            continue
        found = reader.recognise(cut_line(rgb, box))
        count += found.confidence >= SURE and len(found.text.strip()) >= _LONG
    return count


def _is_bare_beside(rgb: Code, product: Mask) -> bool:
    """Whether off the product there are no more edges than specks have; a shadow is soft."""
    scale = min(1.0, _LOOKED_AT_PX / max(rgb.shape[:2]))
    small, solid = (cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) for part in (rgb, product))
    beside = 2 * round(_BESIDE_SHARE * max(solid.shape)) + 1
    near = cv2.dilate((solid >= HALF).astype(np.uint8), np.ones((beside, beside), np.uint8))
    steps = cv2.morphologyEx(small, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)).max(axis=2)
    return int(((steps > _STROKE) & (near == 0)).sum()) <= _SPECKS_PX


def share_on(mask: Mask, box: Points) -> float:
    """How much of a box (4, 2) lies on what is more than half there in `mask` (h, w), 0..1."""
    left, top = np.floor(box.min(axis=0)).astype(int)
    right, bottom = np.ceil(box.max(axis=0)).astype(int)
    within = np.zeros((max(1, bottom - top), max(1, right - left)), np.uint8)
    cv2.fillPoly(within, [np.rint(box - [left, top]).astype(np.int32)], 1)
    solid = np.zeros_like(within)
    rows, columns = slice(max(top, 0), max(bottom, 0)), slice(max(left, 0), max(right, 0))
    part = mask[rows, columns] >= HALF
    solid[rows.start - top :, columns.start - left :][: part.shape[0], : part.shape[1]] = part
    return round(float((solid & within).sum() / max(1, int(within.sum()))), 2)


def _watermarks(sure: list[Line]) -> int:
    across = [each for each in sure if len(each.text) >= _LONG and _ACROSS[0] < each.inside < _ACROSS[1]]
    times = Counter(each.text.casefold() for each in sure if len(each.text) >= _LONG)
    off = {each.text.casefold() for each in sure if each.inside < INSIDE}
    repeated = sum(count for text, count in times.items() if count >= _REPEATED and text in off)
    return max(len(across), repeated)


def _codes(rgb: Code, product: Mask) -> list[Printed]:
    scale = min(1.0, _CODES_SIDE_PX / max(rgb.shape[:2]))
    small = rgb if scale == 1 else cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    found = read_codes(np.asarray(small, np.uint8))
    return [
        Printed(text=text[:4000], kind=kind[:40], quad=quad_of(box / scale), inside=share_on(product, box / scale))
        for text, kind, box in found
    ]


def _product(alpha: Mask) -> Mask:
    """`alpha` (h, w) without the islands that are too small to be the product, such as words that were cut out."""
    solid = (alpha >= HALF).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(solid, connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA].astype(np.float64)
    areas[0] = 0
    kept = areas >= _PART_SHARE * areas.max() if count > 1 else np.zeros(1, np.bool_)
    return np.asarray(kept[labels] * np.uint8(255), np.uint8)


def on_white(pixels: Code) -> Code:
    """Pixels (h, w, 3 or 4; uint8, straight alpha) over white: (h, w, 3)."""
    if pixels.shape[2] == 3:
        return pixels
    alpha = pixels[..., 3:].astype(np.float32) / 255
    return np.asarray(np.rint(pixels[..., :3] * alpha + 255 * (1 - alpha)), np.uint8)
