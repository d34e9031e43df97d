"""The lower edge of a product that stands: even, whatever its shadow makes of it.

A dark foot melts into the shadow that it stands in, and a line in that shadow is seen along some of the edge only: a
matte has bumps and teeth there. The network's outline is coarse, but as far from the foot all along it. So the edge is
drawn where most of what is near has it, beside that outline.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gpu_workers.imaging.types import Plane
from gpu_workers.operations.cutout import contrast, outlines
from gpu_workers.operations.cutout.outlines import Outline


@dataclass(frozen=True)
class _Limits:
    """What a foot is. Set by hand, none is fitted."""

    window_px: int = 121  # of an outline, in which most have the edge; a shorter outline has no foot
    reach_px: int = 8  # on both sides of an outline, in which it is looked for
    thick_px: int = 20  # inside of an outline: a strap or a handle is thinner, and is no foot
    off_px_max: float = 6.0  # an edge further off is a part of the product's own
    down_min: float = 0.08  # of a normal: a foot is below
    light_max: float = 0.95  # of the ground's: what is stood on is in shade
    shade_px: float = 2.0  # of `reach_px`, the outer part, in which that is seen
    run_px: int = 40  # a shorter foot is none
    between_px: int = 21  # between two parts of one foot


_FOOT = _Limits()


def evened(rgb: Plane, ground: Plane, found: Sequence[Outline], alpha: Plane) -> Plane:
    """`alpha` (h, w) of the picture (h, w, 3) on a plain `ground` (h, w, 3), with even feet.

    All are 0..1, colours as code values. `found` are the outlines of the network's mask.
    """
    light, _ = contrast.light_and_tint(rgb, ground)
    offsets_px = outlines.offsets(_FOOT.reach_px, _FOOT.reach_px)
    shade = offsets_px > _FOOT.reach_px - _FOOT.shade_px
    for outline in (each for each in found if len(each.pixels) >= _FOOT.window_px):
        thick = outlines.offsets(_FOOT.thick_px, _FOOT.reach_px)
        below = (outline.normals[:, 1] > _FOOT.down_min) & outline.is_clear(thick)
        solid_px = outlines.solid_up_to(outline.across(alpha, offsets_px), offsets_px)
        most_px = outlines.median(solid_px, _FOOT.window_px, below)
        edge = below & (np.abs(solid_px - most_px) < _FOOT.off_px_max)
        is_shaded = outline.across(light, offsets_px[shade]).mean(axis=1) < _FOOT.light_max
        foot = outlines.in_runs(edge & is_shaded, _FOOT.run_px, _FOOT.between_px, edge)
        if foot.any():
            # Solid up to there: the edge itself is half a spacing further.
            ends_px = outlines.averaged(np.where(foot, most_px, solid_px)) + outlines.SPACING_PX / 2
            near, share = outlines.drawn(alpha, outline, ends_px, foot, _FOOT.reach_px + 1)
            alpha = np.where(near, share, alpha)
    return alpha
