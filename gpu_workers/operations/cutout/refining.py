"""From a mask to a matte: what a plain ground gives away, what is unknown, and how much of it is product."""

from dataclasses import dataclass

import cv2
import numpy as np

from gpu_workers.imaging.types import Plane
from gpu_workers.operations.cutout import (
    contact_line,
    contrast,
    faint_outline,
    foot,
    gaps,
    glass,
    matting,
    outlines,
    sweep,
)
from gpu_workers.operations.cutout.retouching import Seeds
from gpu_workers.operations.cutout.sweep import Sweep


@dataclass(frozen=True)
class Given:
    """What a mask says where a plain ground gives it away, 0..1. Set by hand, none is fitted."""

    swept_max: float = 0.3
    product_min: float = 0.9


GIVEN = Given()


@dataclass(frozen=True)
class Part:
    """The picture (h, w, 3) and the mask (h, w) in the subject's box, 0..1, `scale` times as large as they were.

    `slope` (h, w) is how steep the picture is, and the mask's edge is known to `reach_px`. Before a plain sweep,
    `ground` (h, w, 3) is what it shows there; `seeds` are what a person says.
    """

    rgb: Plane
    slope: Plane
    mask: Plane
    scale: float
    reach_px: float
    sweep: Sweep | None
    ground: Plane | None
    seeds: Seeds | None = None


@dataclass(frozen=True)
class Matte:
    """Alpha (h, w), the colours (h, w, 3) behind it, and the mask (h, w) with what a plain ground gave away.

    The unknown band was solved at `band_scale` of the part's size, above 0 and at most 1.
    """

    alpha: Plane
    behind: Plane
    mask: Plane
    band_scale: float


def matte_of(part: Part) -> Matte:
    """The matte of a part, by a plain ground where it has one."""
    known = matting.trimap(part.mask, part.reach_px)
    if part.sweep is None or part.ground is None:
        solved = matting.solve(part.rgb, part.slope, _said(part, known), part.mask)
        return Matte(solved.alpha, solved.behind, part.mask, solved.scale)
    far = contrast.largest_difference(part.rgb, part.ground)
    known, mask = _by_sweep(part, part.ground, far, part.sweep.noise, known)
    strands = gaps.frayed(part.slope, far, mask)
    known, mask = gaps.part_strands(known, mask, strands, far)
    known = _said(part, known)
    solved = matting.solve(part.rgb, part.slope, known, mask, strands)
    alpha = gaps.without_flecks(matting.without_false_holes(solved.alpha, known), far)
    found = outlines.outlines_of(part.mask)
    alpha = faint_outline.filled(part.rgb, part.ground, found, alpha, part.reach_px)
    alpha = contact_line.without(part.rgb, part.ground, alpha)
    return Matte(foot.evened(part.rgb, part.ground, found, alpha), solved.behind, mask, solved.scale)


def _said(part: Part, known: Plane) -> Plane:
    """The trimap `known` (h, w) with what a person says of it."""
    return known if part.seeds is None else part.seeds.on_known(known)


def with_glass(part: Part, alpha: Plane, colours: Plane) -> tuple[Plane, Plane, float]:
    """Alpha and colours with glass as see-through as a plain ground shows it, and its share of the product."""
    if part.ground is None:
        return alpha, colours, 0.0
    solid = alpha > 0.5
    clear = glass.see_through(part.rgb, part.ground, solid)
    if not clear.any():
        return alpha, colours, 0.0
    thin, tint = glass.thinned(part.rgb, part.ground, clear)
    share = float(clear.sum() / solid.sum())
    return np.where(clear, thin * alpha, alpha), np.where(clear[..., None], tint, colours), share


def _by_sweep(part: Part, background: Plane, far: Plane, noise: float, known: Plane) -> tuple[Plane, Plane]:
    """`known` and the part's mask (h, w) with what a plain `background` (h, w, 3), which the picture is `far` (h, w)
    from, gives away."""
    rgb = part.rgb
    shown = contrast.light_and_tint(rgb, background)
    swept, product = sweep.read_sweep(shown, part.slope, noise, part.mask)
    known, mask = known.copy(), part.mask.copy()
    known[(known == 0.5) & swept] = 0
    known[(known == 0.5) & product] = 1
    mask[swept] = np.minimum(mask[swept], GIVEN.swept_max)
    mask[product] = np.maximum(mask[product], GIVEN.product_min)
    more = sweep.overlooked(shown, part.slope, background, noise, mask)
    known[(cv2.dilate(more.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0) & (known == 0)] = 0.5
    inner = cv2.erode(more.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    known[inner] = 1
    mask[more] = np.maximum(mask[more], GIVEN.product_min)
    # In a gap the product takes light from both sides.
    shade = sweep.shade_of(shown[0], swept, mask) ** 2
    found = gaps.find_gaps(rgb, part.slope, background, noise, shade)
    known, mask = gaps.open_gaps(known, mask, found, far, noise)
    bare = sweep.bare(known, far, noise)
    known[bare] = 0
    mask[bare] = np.minimum(mask[bare], GIVEN.swept_max)
    return known, mask
