"""What a cutout left behind of its product, and what it took of the ground, by its photograph on a plain ground.

| measure | says |
|---|---|
| `ground_rim` | share of the cutout's outermost pixels that are the ground's colour: a halo |
| `ground_taken` | the largest patch of ground's colour at its outline, in thousandths of it: a residue |
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
_SOLID, _HALF, _NOTHING = 0.95, 0.5, 0.05  # of alpha
_WHITE = (100.0, 0.0, 0.0)  # in L*a*b*
_FAR_SHARE, _BESIDE_PX, _TOUCHING_PX, _RIM_PX = 0.02, 3, 6, 2
_SAMPLES = 20_000  # pixels of the ground: enough for six terms
_GROUND_MIN = 0.04  # of the picture, far from the product: less says little of the ground
_NOISE_MAX = 2.5  # ΔE76, of a ground that is plain
_PATCH_PX = 5  # a thinner one is the gleam along an edge
_ALIKE, _APART = 4.0, 8.0  # ΔE76
_ALIKE_WHITE = 2.0  # of a ground that is known to be white: it has no shades, and white products have
_ALIKE_MAX = 0.1  # of the product: more, and it is the ground's colour itself
_SHADOW_LIGHT, _SHADOW_CHROMA, _HARD = 0.25, 12.0, 8.0  # of the ground's L*; of a* and b*; of L* from pixel to pixel
_HARD_SHARE = 0.5  # of a patch' outline
_TOUCHING_SHARE = 0.5  # of a patch: more lies along the product, as the shadow under a toe does, and a strap goes away
_STRAP_MAX = 0.4  # of the product's area: more is no part of it, but who wears it, or another thing
_PART_MIN, _PAIR = 0.01, 0.75  # of the first part's area
_NEARBY_PX, _NEARBY_MIN = 16, 0.02  # where the ground's colour is taken from, and how much of that must be ground
_NEXT, _INWARD = np.ones((3, 3), np.uint8), np.ones((13, 13), np.uint8)


def left_measures(rgb: Codes, rgba: Codes) -> dict[str, float]:
    """The measures of a cutout `rgba` (h, w, 4) of the photograph `rgb` (h, w, 3), or of one that came with its alpha
    (h, w, 4): that was cut out of white, as nearly all are, and what it left is not known."""
    alpha = np.asarray(_shrunk(rgba)[..., 3] / np.float32(255), np.float32)
    solid = alpha >= _SOLID
    found = {"odd_part": _odd_part(alpha >= _HALF)}
    if not solid.any():
        return found
    lab = srgb_to_lab(np.ascontiguousarray(_shrunk(rgb)[..., :3]))
    is_whole = rgb.shape[2] == 3
    ground = _ground(lab, alpha) if is_whole else np.full(lab.shape, _WHITE, np.float32)
    if ground is None:
        return found
    inside, area = cv2.erode(solid.astype(np.uint8), _INWARD, borderValue=1) > 0, float(solid.sum())
    if (np.linalg.norm(lab - ground, axis=2)[inside] < _ALIKE).sum() > _ALIKE_MAX * inside.sum():
        return found
    off = np.linalg.norm(lab - (_nearby(lab, alpha) if is_whole else ground), axis=2)
    alike = solid & (off < (_ALIKE if is_whole else _ALIKE_WHITE))
    found |= {"ground_rim": _rim(solid, alike), "ground_taken": 1000 * _taken(solid, alike) / area}
    return found | ({"product_left": _left(lab, ground, alpha) / area} if is_whole else {})


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
    few = slice(None, None, max(1, int(far.sum()) // _SAMPLES))
    known, colours = terms[far][few], lab[far][few]
    kept = np.ones(len(known), np.bool_)
    for _ in range(2):  # the second time without what lies on the ground: shadows, crumbs
        surface = np.linalg.lstsq(known[kept], colours[kept], rcond=None)[0]
        off = np.linalg.norm(colours - known @ surface, axis=1)
        kept = off <= max(2.5 * float(np.median(off)), 1.0)
    return None if float(np.median(off)) > _NOISE_MAX else np.asarray(terms @ surface, np.float32)


def _nearby(lab: Plane, alpha: Plane) -> Plane:
    """The ground's colour (h, w, 3) as it is beside each pixel, shadows and all."""
    free = (cv2.dilate((alpha > _NOTHING).astype(np.uint8), np.ones((2 * _BESIDE_PX + 1,) * 2, np.uint8)) == 0)[
        ..., None
    ]
    weight = free.astype(np.float32)
    reach = (2 * _NEARBY_PX + 1,) * 2
    total = cv2.blur(lab * weight, reach), cv2.blur(weight, reach)
    colour = total[0] / np.maximum(total[1], 1e-6)[..., None]
    return np.asarray(np.where(total[1][..., None] > _NEARBY_MIN, colour, np.inf), np.float32)


def _rim(solid: Flags, alike: Flags) -> float:
    side = 2 * _RIM_PX + 1
    inner = cv2.erode(solid.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), borderValue=1)
    rim = solid & (inner == 0)
    return float(alike[rim].mean()) if rim.any() else 0.0


def _opened(where: Flags, side: int = 3) -> Flags:
    return np.asarray(cv2.morphologyEx(where.astype(np.uint8), cv2.MORPH_OPEN, np.ones((side, side), np.uint8)) > 0)


def _taken(solid: Flags, alike: Flags) -> float:
    """The area of the largest patch of ground at the cutout's outline, in pixels: one within may be a label."""
    beyond = cv2.dilate((~solid).astype(np.uint8), np.ones((2 * _TOUCHING_PX + 1,) * 2, np.uint8)) > 0
    return _patch(_opened(alike, _PATCH_PX), beyond)


def _left(lab: Plane, ground: Plane, alpha: Plane) -> float:
    """A thousand times the area of the largest patch at the outline that is neither ground nor shadow, in pixels."""
    there = (alpha > _NOTHING).astype(np.uint8)
    beside = cv2.dilate(there, np.ones((2 * _BESIDE_PX + 1,) * 2, np.uint8)) == 0
    unlike = _opened(beside & (np.linalg.norm(lab - ground, axis=2) > _APART))
    coloured = np.linalg.norm((lab - ground)[..., 1:], axis=2) > _SHADOW_CHROMA
    dark = lab[..., 0] < _SHADOW_LIGHT * ground[..., 0]
    light = lab[..., 0] > ground[..., 0]
    touching = cv2.dilate(there, np.ones((2 * _TOUCHING_PX + 1,) * 2, np.uint8)) > 0
    surely = _patch(_opened(unlike & (coloured | dark | light)), touching)
    steps = cv2.morphologyEx(lab[..., 0], cv2.MORPH_GRADIENT, _NEXT) > _HARD
    left = max(surely, _patch(unlike, touching, steps))
    return 1000 * left if left <= _STRAP_MAX * float((alpha >= _SOLID).sum()) else 0.0


def _patch(where: Flags, touching: Flags, steps: Flags | None = None) -> float:
    """The area of the largest patch that touches; with `steps`, of those that go away to hard edges: no shadow."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(where.astype(np.uint8), connectivity=4)
    counts = np.bincount(labels[where & touching], minlength=count) > 0
    if steps is not None:
        rim = where & ~touching & (cv2.erode(where.astype(np.uint8), _NEXT) == 0)
        outline, hard = (np.bincount(labels[each], minlength=count) for each in (rim, rim & steps))
        counts &= hard >= _HARD_SHARE * np.maximum(outline, 1)
        counts &= np.bincount(labels[where & touching], minlength=count) <= _TOUCHING_SHARE * stats[:, cv2.CC_STAT_AREA]
    areas = stats[:, cv2.CC_STAT_AREA][1:][counts[1:]]
    return float(areas.max(initial=0))


def _odd_part(solid: Flags) -> float:
    _, _, stats, _ = cv2.connectedComponentsWithStats(solid.astype(np.uint8), connectivity=8)
    areas = np.sort(stats[1:, cv2.CC_STAT_AREA].astype(np.float64))[::-1]
    share = float(areas[1] / areas[0]) if len(areas) > 1 else 0.0
    return share if _PART_MIN <= share <= _PAIR else 0.0
