"""What a person marked on a photograph: where the product is and where not, as the matting takes it.

A scribble is known for what it says, and the matting solves what is about it, as with any trimap that a person draws
(J. Wang and M. Cohen, Image and Video Matting: A Survey, 2007). A hard brush, a box and a click say it of every pixel
that is theirs. Strokes over what looks alike say it of all that looks like it, see likeness.py. Marks only choose among
the photograph's own pixels; none is painted.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.linear_light import eight_bit
from gpu_workers.imaging.types import Code, Codes, Flags, Plane
from gpu_workers.operations.cutout.likeness import likeness
from gpu_workers.operations.cutout.samples import full
from schemas.retouching import Alike, Box, Brush, Click, Mark, Retouch, Scribble

KEEP, REMOVE = 1, 2
SOLVED_REACH = 2.0  # times a scribble's radius: so far about it nothing is known any more
_HANGS_TOGETHER = 0.1  # what a mask says of a part of which a click may be
_DRAWN_POINTS_MAX = 200  # of a stroke that is drawn point by point; each takes 1 ms where its radius is half of 12 MP
_DRAWN_RADIUS_PX_MAX = 16_000  # OpenCV draws nothing thicker than 32,767 px
_LINE_PIXELS_MAX = 16_000_000  # of a stroke's line and all about it, at 5 bytes each
_CLICK_RADIUS = 0.01  # of the longer side, where a mask says nothing
Shares = tuple[float, float, float, float]
WHOLE: Shares = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True)
class Retouching:
    """A person's marks, and the alpha (h, w) in 0..1 that they begin from in place of a network's."""

    retouch: Retouch
    mask: Plane | None = None

    def seeds(self, rgb: Code, mask: Plane, shares: Shares = WHOLE) -> "Seeds":
        """The marks on the part of the photograph, sRGB (h, w, 3), that lies in `shares` (left, top, right, bottom);
        `mask` (h, w) says what is taken for product there, and what of it hangs together."""
        drawn, near = self._alike(rgb, mask, shares)
        parts = _Parts(mask)
        for mark in self.retouch.marks:
            if isinstance(mark, Alike):
                continue
            where = _MARKS[type(mark)](mark, parts, shares)
            if isinstance(mark, Box) and mark.keep:
                drawn[~where] = REMOVE
            else:
                drawn[where] = KEEP if mark.keep else REMOVE
            if isinstance(mark, Scribble):
                near |= _stroke(mark, mask.shape, shares, 1 + SOLVED_REACH)
            else:
                near &= ~where
        return Seeds(drawn == KEEP, drawn == REMOVE, near)

    def _alike(self, rgb: Code, mask: Plane, shares: Shares) -> tuple[NDArray[np.uint8], Flags]:
        """What looks alike, which is said first, wherever in the order its strokes are; and what is unsure of it."""
        strokes = [mark for mark in self.retouch.marks if isinstance(mark, Alike)]
        drawn = np.zeros(mask.shape, np.uint8)
        if not strokes:
            return drawn, np.zeros(mask.shape, np.bool_)
        under = {keep: np.zeros(mask.shape, np.bool_) for keep in (True, False)}
        for mark in strokes:
            under[mark.keep] |= _stroke(mark, mask.shape, shares)
        taken = mask > _HANGS_TOGETHER
        keep, remove = likeness(rgb, taken, under[True], under[False])
        drawn[keep], drawn[remove] = KEEP, REMOVE
        return drawn, taken & (drawn == 0)

    def begun(self, mask: Plane, shares: Shares = WHOLE) -> Plane:
        """What there is to begin from in the part: the person's own mask, or `mask` (h, w)."""
        if self.mask is None:
            return mask
        height, width = self.mask.shape
        left, top, right, bottom = (
            round(share * side) for share, side in zip(shares, (width, height) * 2, strict=True)
        )
        part = self.mask[top : max(bottom, top + 1), left : max(right, left + 1)]
        return np.asarray(cv2.resize(part, mask.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


@dataclass(frozen=True)
class Seeds:
    """Where a person says that the product is and where not (h, w), and where the matting is to find out."""

    keep: Flags
    remove: Flags
    near: Flags

    def on_mask(self, mask: Plane) -> Plane:
        """`mask` (h, w) with what is said."""
        return np.asarray(np.where(self.keep, 1, np.where(self.remove, 0, mask)), np.float32)

    def on_known(self, known: Plane) -> Plane:
        """The trimap `known` (h, w): unknown about scribbles, and as it is said under the marks."""
        return self.on_mask(np.asarray(np.where(self.near, 0.5, known), np.float32))


def on_alpha(alpha: Plane, seeds: Seeds | None) -> Plane:
    """`alpha` (h, w) with what is said under the marks, whatever came between."""
    return alpha if seeds is None else seeds.on_mask(alpha)


def retouched(picture: Codes, retouching: Retouching | None) -> Codes:
    """A picture (h, w, 4) that was cut out by its supplier, with what a person says: of its own samples no other."""
    if retouching is None:
        return picture
    alpha = picture[..., 3].astype(np.float32) / np.float32(full(picture))
    begun = retouching.begun(alpha)
    seeds = retouching.seeds(eight_bit(picture)[..., :3], begun)
    changed = picture.copy()
    changed[..., 3] = np.rint(seeds.on_mask(begun) * full(picture))
    return changed


def _marked(mark: Scribble | Brush, parts: "_Parts", shares: Shares) -> Flags:
    return _stroke(mark, parts.shape, shares)


def _stroke(mark: Scribble | Brush | Alike, shape: tuple[int, ...], shares: Shares, times: float = 1.0) -> Flags:
    """What lies under a stroke, or under one that is so many `times` as thick."""
    points = _pixels(mark.points, shape, shares)
    radius_px = max(1, round(times * _radius_px(mark.radius, shape, shares)))
    if len(points) > _DRAWN_POINTS_MAX or radius_px > _DRAWN_RADIUS_PX_MAX:
        return _near_line(points, shape, radius_px)
    drawn = np.zeros(shape, np.uint8)
    if len(points) == 1:
        cv2.circle(drawn, tuple(int(each) for each in points[0]), radius_px, 1, -1)
    else:
        cv2.polylines(drawn, [points], False, 1, thickness=2 * radius_px, lineType=cv2.LINE_8)
    return np.asarray(drawn > 0)


def _near_line(points: NDArray[np.int32], shape: tuple[int, ...], radius_px: int) -> Flags:
    """The same, by the distance of every pixel from the stroke's line: as fast for all radii, and coarser where the
    radius is out of all proportion to the part."""
    rim = min(
        radius_px, max(shape)
    )  # what lies further out than that reaches in only where all of the part is under it
    scale = max(1.0, math.sqrt((shape[0] + 2 * rim) * (shape[1] + 2 * rim) / _LINE_PIXELS_MAX))
    height, width, margin = (math.ceil(each / scale) for each in (*shape, rim))
    line = np.ones((height + 2 * margin, width + 2 * margin), np.uint8)
    placed = np.rint(points / scale).astype(np.int32) + margin
    cv2.polylines(line, [np.concatenate([placed, placed[-1:]])], False, 0)
    away = cv2.distanceTransform(line, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    inside = (away[margin : margin + height, margin : margin + width] <= radius_px / scale).astype(np.uint8)
    return np.asarray(cv2.resize(inside, shape[::-1], interpolation=cv2.INTER_NEAREST) > 0)


def _box(mark: Box, parts: "_Parts", shares: Shares) -> Flags:
    corners = [(mark.left, mark.top), (mark.right, mark.bottom)]
    (left, top), (right, bottom) = _pixels(corners, parts.shape, shares, clipped=True)
    inside = np.zeros(parts.shape, np.bool_)
    inside[top:bottom, left:right] = True
    return inside


def _click(mark: Click, parts: "_Parts", shares: Shares) -> Flags:
    """The part of the mask that the click is in; where there is none, a little about it."""
    ((column, row),) = _pixels([(mark.x, mark.y)], parts.shape, shares)
    inside = 0 <= row < parts.shape[0] and 0 <= column < parts.shape[1]
    if inside and parts.labels[row, column]:
        return np.asarray(parts.labels == parts.labels[row, column])
    return _stroke(Brush(points=[(mark.x, mark.y)], radius=_CLICK_RADIUS, keep=mark.keep), parts.shape, shares)


class _Parts:
    """What of a mask hangs together; found out once, however many clicks there are."""

    def __init__(self, mask: Plane) -> None:
        self._mask = mask
        self.shape = mask.shape

    @cached_property
    def labels(self) -> NDArray[np.int32]:
        """A number for each part (h, w); 0 where nothing is taken for product."""
        _, labels = cv2.connectedComponents((self._mask > _HANGS_TOGETHER).astype(np.uint8), connectivity=8)
        return np.asarray(labels, np.int32)


_MARKS: dict[type[Mark], Callable[[Mark, _Parts, Shares], Flags]] = {
    Scribble: _marked,  # type: ignore[dict-item]
    Brush: _marked,  # type: ignore[dict-item]
    Box: _box,  # type: ignore[dict-item]
    Click: _click,  # type: ignore[dict-item]
}


def _pixels(
    places: Sequence[tuple[float, float]], shape: tuple[int, ...], shares: Shares, *, clipped: bool = False
) -> NDArray[np.int32]:
    """Places of the whole photograph as pixels (n, 2) of a part of it, x first."""
    left, top, right, bottom = shares
    size = np.array([shape[1], shape[0]])
    found = (np.array(places, np.float64) - (left, top)) / (right - left, bottom - top) * size
    pixels = np.rint(np.clip(found, -1e6, 1e6)).astype(np.int32)
    return np.asarray(np.clip(pixels, 0, size), np.int32) if clipped else pixels


def _radius_px(radius: float, shape: tuple[int, ...], shares: Shares) -> float:
    """A radius, of the whole photograph's longer side, in pixels of a part."""
    whole = (shape[1] / (shares[2] - shares[0]), shape[0] / (shares[3] - shares[1]))
    return radius * max(whole)
