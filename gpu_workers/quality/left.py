"""What a cutout left behind of its product, and what it took of the ground, by its photograph on a plain ground.

| measure | says |
|---|---|
| `ground_rim` | share of the cutout's outermost pixels that are the ground's colour: a halo |
| `ground_taken` | the largest patch of ground's colour in it, in thousandths of it: a residue, a gap that was filled |
| `product_left` | the largest patch beside it that is neither ground nor its shadow, in thousandths of it: a strap |
| `odd_part` | the share that its second part has of its first; 0 where the two are a pair, or there is one |

Those of ground are only there where the ground is plain and the product is another colour.
"""

import cv2
import numpy as np

from gpu_workers.imaging.colour_difference import srgb_to_lab
from gpu_workers.imaging.linear_light import eight_bit
from gpu_workers.imaging.types import Code, Codes, Flags, Plane

# Set by hand, none is fitted.
_SIDE_PX = 640  # of the copy that is looked at
_SOLID, _NOTHING = 0.95, 0.05  # of alpha
_FAR_SHARE, _BESIDE_PX, _TOUCHING_PX, _RIM_PX = 0.02, 3, 6, 2
_GROUND_MIN = 0.04  # of the picture, far from the product: less says little of the ground
_NOISE_MAX = 2.5  # ΔE76, of a ground that is plain
_PATCH_PX = 5  # a thinner one is the gleam along an edge
_ALIKE, _APART = 3.0, 8.0  # ΔE76
_ALIKE_MAX = 0.1  # of the product: more, and it is the ground's colour itself
_SHADOW_LIGHT, _SHADOW_CHROMA, _HARD = 0.45, 6.0, 8.0  # of the ground's L*; of a* and b*; of L* from pixel to pixel
_HARD_SHARE = 0.5  # of a patch' outline
_STRAP_MAX = 0.4  # of the product's area: more is no part of it, but who wears it, or another thing
_PART_MIN, _PAIR = 0.01, 0.75  # of the first part's area
_NEXT = np.ones((3, 3), np.uint8)


def left_measures(rgb: Codes, rgba: Codes) -> dict[str, float]:
    """The measures of a cutout `rgba` (h, w, 4) of the photograph `rgb` (h, w, 3); of one (h, w, 4) only its parts."""
    photograph, alpha = _shrunk(rgb)[..., :3], _shrunk(rgba)[..., 3].astype(np.float32) / 255
    solid = alpha >= _SOLID
    found = {"odd_part": _odd_part(alpha >= 0.5)}
    if not solid.any() or rgb.shape[2] == 4:
        return found
    lab = srgb_to_lab(np.ascontiguousarray(photograph))
    ground = _ground(lab, alpha)
    if ground is None:
        return found
    apart = np.linalg.norm(lab - ground, axis=2)
    alike = solid & (apart < _ALIKE)
    if alike.sum() > _ALIKE_MAX * solid.sum():
        return found
    left = _left(lab, ground, apart, alpha) / float(solid.sum())
    return found | {
        "ground_rim": _rim(solid, alike),
        "ground_taken": 1000 * _largest(_opened(alike, _PATCH_PX)) / float(solid.sum()),
        "product_left": 1000 * (left if left <= _STRAP_MAX else 0.0),
    }


def _shrunk(pixels: Codes) -> Code:
    scale = min(1.0, _SIDE_PX / max(pixels.shape[:2]))
    small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return eight_bit(np.asarray(small, np.uint16) if pixels.dtype == np.uint16 else np.asarray(small, np.uint8))


def _ground(lab: Plane, alpha: Plane) -> Plane | None:
    """The ground (h, w, 3) as it would be behind the product, a surface of second degree; None: it is not plain."""
    reach = 2 * round(_FAR_SHARE * max(alpha.shape)) + 1
    far = cv2.dilate((alpha > 0).astype(np.uint8), np.ones((reach, reach), np.uint8)) == 0
    if far.mean() < _GROUND_MIN:
        return None
    height, width = alpha.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=2)
    known, colours = terms[far], lab[far]
    kept = np.ones(len(known), np.bool_)
    for _ in range(2):  # the second time without what lies on the ground: shadows, crumbs
        surface = np.linalg.lstsq(known[kept], colours[kept], rcond=None)[0]
        off = np.linalg.norm(colours - known @ surface, axis=1)
        kept = off <= max(2.5 * float(np.median(off)), 1.0)
    return None if float(np.median(off)) > _NOISE_MAX else np.asarray(terms @ surface, np.float32)


def _rim(solid: Flags, alike: Flags) -> float:
    side = 2 * _RIM_PX + 1
    inner = cv2.erode(solid.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), borderValue=1)
    rim = solid & (inner == 0)
    return float(alike[rim].mean()) if rim.any() else 0.0


def _opened(where: Flags, side: int = 3) -> Flags:
    return cv2.morphologyEx(where.astype(np.uint8), cv2.MORPH_OPEN, np.ones((side, side), np.uint8)) > 0


def _largest(where: Flags) -> float:
    _, _, stats, _ = cv2.connectedComponentsWithStats(where.astype(np.uint8), connectivity=4)
    return float(stats[1:, cv2.CC_STAT_AREA].max(initial=0))


def _left(lab: Plane, ground: Plane, apart: Plane, alpha: Plane) -> float:
    """The area of the largest patch at the cutout's outline that is neither ground nor shadow, in pixels."""
    there = (alpha > _NOTHING).astype(np.uint8)
    beside = cv2.dilate(there, np.ones((2 * _BESIDE_PX + 1,) * 2, np.uint8)) == 0
    unlike = _opened(beside & (apart > _APART))
    coloured = np.linalg.norm((lab - ground)[..., 1:], axis=2) > _SHADOW_CHROMA
    dark = lab[..., 0] < _SHADOW_LIGHT * ground[..., 0]
    light = lab[..., 0] > ground[..., 0]
    touching = cv2.dilate(there, np.ones((2 * _TOUCHING_PX + 1,) * 2, np.uint8)) > 0
    surely = _patch(_opened(unlike & (coloured | dark | light)), touching)
    return max(surely, _patch(unlike, touching, cv2.morphologyEx(lab[..., 0], cv2.MORPH_GRADIENT, _NEXT) > _HARD))


def _patch(where: Flags, touching: Flags, steps: Flags | None = None) -> float:
    """The area of the largest patch that touches; with `steps`, of those that end at hard edges, as no shadow does."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(where.astype(np.uint8), connectivity=4)
    counts = np.bincount(labels[where & touching], minlength=count) > 0
    if steps is not None:
        rim = where & (cv2.erode(where.astype(np.uint8), _NEXT) == 0)
        outline, hard = (np.bincount(labels[each], minlength=count) for each in (rim, rim & steps))
        counts &= hard >= _HARD_SHARE * np.maximum(outline, 1)
    areas = stats[:, cv2.CC_STAT_AREA][1:][counts[1:]]
    return float(areas.max(initial=0))


def _odd_part(solid: Flags) -> float:
    _, _, stats, _ = cv2.connectedComponentsWithStats(solid.astype(np.uint8), connectivity=8)
    areas = np.sort(stats[1:, cv2.CC_STAT_AREA].astype(np.float64))[::-1]
    share = float(areas[1] / areas[0]) if len(areas) > 1 else 0.0
    return share if _PART_MIN <= share <= _PAIR else 0.0
