"""Footing: what a silhouette says of how its product meets the ground, and so which shadow can be told of it.

A product that stands has a shadow of its own height. One that lies is seen from above, balanced on no point of its
outline. Of one seen obliquely from above only the nearest part's line on the ground is known: what stands further back
does so at a line that the outline does not tell.
"""

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.types import HALF, Flags, Mask, Plane
from gpu_workers.operations.packshot.light import FOOT_RISE, Stand, low_points, stand

Footing = Literal["stands", "oblique", "lies"]

# Set by hand, none is fitted, on drawn shapes and a shop's thirty cutouts.
_LOOKED_AT_PX = 500  # the longer side of the picture in which the outline is looked at
# An arc's sagitta is .15 of a foot that ends where it climbs by .6, a flat one has .03 at most.
_ROUND = 0.05
_POINT = 0.01  # of the product's height: so narrow a foot is a point, and has no sagitta
# of its foot's width, about the radius on which it rocks: a ball's middle is as high as that, an egg's 1.3 times
_TOP_HEAVY = 3.0
_ABOVE = 0.1  # of the product's height: so far above its foot one looks how wide it has become
_WIDENED = 1.8  # times its foot's width: a tip goes on widening, a leg and a bottle do not
_FILLED = 0.5  # of the way between the outermost feet: legs fill less of it
_STEP = 0.02  # of the product's height, over which a slope is read
_SHEER = 2.0  # rows a column: the edge of a base that is seen from above climbs less, the product's own sides more
_FLANK = 0.15  # of the product's width: a base's edge that runs back is as long, its rounded corner is not
_ONE_SIDED = 0.5  # of the longer side, or less: bowls and sofas go on alike on both
_FAR = (0.05, 0.45)  # of the product's height: as much higher stands what is further back
_FAR_WIDTH = 0.1  # of the product's width: narrower it is a toe or a tag
_THICK, _LONG = 0.2, 0.25  # of the product's height: handles are thinner, and their bows are not as long as legs


def footing(alpha: Mask) -> Footing:
    """How the product `alpha` (h, w), half opaque somewhere, meets the ground, by its outline.

    `lies`: its middle is not above its feet, or these are the tips of something that is much higher than they are
    round. `oblique`: its lower edge runs back on one side only, or a part of it comes down to a line further back.
    """
    scale = min(1.0, _LOOKED_AT_PX / max(alpha.shape))
    small = np.asarray(cv2.resize(alpha, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    solid, stance = np.asarray(small >= HALF), stand(small)
    if not _is_balanced(solid, stance) or _is_on_tips(solid, stance):
        return "lies"
    return "oblique" if _runs_back(solid, stance) or _has_far_part(solid, stance) else "stands"


def _is_balanced(solid: Flags, stance: Stand) -> bool:
    """Whether the middle of what is `solid` (h, w) is above the feet, or between them."""
    middle, feet = _middle(solid, 0), np.flatnonzero(stance.feet)
    return bool(feet[0] <= middle <= feet[-1])


def _is_on_tips(solid: Flags, stance: Stand) -> bool:
    """Whether each foot is the round or pointed end of what goes on widening above it, and the product is high."""
    starts, ends = stance.runs
    middle, filled = _middle(solid, 1), 0
    for start, end in zip(starts, ends, strict=True):
        line, width = stance.ground[start:end], end - start
        lowest = float(line.max())
        is_round = lowest - line[[0, -1]].min() >= _ROUND * width or width <= _POINT * stance.height_px
        above = _run_px(solid[max(int(lowest - _ABOVE * stance.height_px), 0)], int(start + line.argmax()))
        if not is_round or lowest - middle < _TOP_HEAVY * width or above < _WIDENED * width:
            return False
        filled += above
    return bool(filled >= _FILLED * (ends[-1] - starts[0]))


def _runs_back(solid: Flags, stance: Stand) -> bool:
    """Whether beside its feet the lower edge goes on, steeper than a foot's, on one side only."""
    step = max(round(_STEP * stance.height_px), 2)
    starts, ends = stance.runs
    clearance = np.minimum(stance.clearance, len(solid))  # where there is no product it is infinite
    left, right = (_flank_px(side, step) for side in (clearance[: starts[0]][::-1], clearance[ends[-1] :]))
    return _differ(left, right, _FLANK * _width_px(solid))


def _flank_px(clearance: Plane, step: int) -> int:
    """For how many columns the outline (n,), outwards from a foot, climbs no more steeply than a base's edge."""
    padded = np.concatenate([np.zeros(step, np.float32), clearance])
    ends = np.flatnonzero(padded[step:] - padded[:-step] > _SHEER * step)
    return int(ends[0]) if len(ends) else len(clearance)


def _has_far_part(solid: Flags, stance: Stand) -> bool:
    """Whether something that is no handle comes down higher than feet do: to a line on one side, or in a point."""
    near, far = (share * stance.height_px for share in _FAR)
    higher = (stance.clearance > near) & (stance.clearance < far)
    side = max(round(_THICK * stance.height_px), 1)
    thick = cv2.morphologyEx(solid.astype(np.uint8), cv2.MORPH_OPEN, np.ones((side, side), np.uint8)) > 0
    there = higher & (_lowest_rows(solid) - _lowest_rows(thick) < near)
    starts, ends = stance.runs
    if _differ(int(there[: starts[0]].sum()), int(there[ends[-1] :].sum()), _FAR_WIDTH * _width_px(solid)):
        return True
    points = low_points(_lowest_rows(solid).astype(np.float32), max(FOOT_RISE * stance.height_px, 1.0))
    return bool((higher & (_depths_px(solid) >= _LONG * stance.height_px))[points].any())


def _differ(left: int, right: int, least: float) -> bool:
    """Whether one of the sides has as many columns as this, and the other far fewer."""
    return max(left, right) >= least and min(left, right) <= _ONE_SIDED * max(left, right)


def _middle(solid: Flags, axis: int) -> float:
    """The column (axis 0) or row (axis 1) of the centre of mass."""
    counts = np.count_nonzero(solid, axis=axis)
    return float(counts @ np.arange(len(counts))) / max(int(counts.sum()), 1)


def _run_px(row: Flags, column: int) -> int:
    """How many of a row (w,) are there about a column without a gap."""
    gaps = np.flatnonzero(~np.concatenate([[False], row, [False]])) - 1
    place = int(np.searchsorted(gaps, column))
    return int(max(gaps[place] - gaps[max(place - 1, 0)] - 1, 0))


def _depths_px(solid: Flags) -> NDArray[np.intp]:
    """How thick (w,) the product is above its lower outline, before a gap."""
    upwards = solid[::-1]
    first = np.argmax(upwards, axis=0)
    gone = ~upwards & (np.arange(len(solid))[:, None] > first)
    last = np.where(gone.any(axis=0), np.argmax(gone, axis=0), len(solid))
    return np.asarray(np.where(solid.any(axis=0), last - first, 0), np.intp)


def _lowest_rows(solid: Flags) -> NDArray[np.intp]:
    """The row below the lowest that is there of each column (w,); -1 where nothing is."""
    return np.asarray(np.where(solid.any(axis=0), len(solid) - np.argmax(solid[::-1], axis=0), -1), np.intp)


def _width_px(solid: Flags) -> int:
    columns = np.flatnonzero(solid.any(axis=0))
    return int(columns[-1] + 1 - columns[0])
