"""Gaps in a product, through which a plain sweep shows, and the strands that a product ends in."""

from dataclasses import dataclass

import cv2
import numpy as np

from gpu_workers.imaging.types import Flags, Plane
from gpu_workers.operations.cutout.contrast import largest_difference, light_and_tint, mean_channel, steepness
from gpu_workers.operations.cutout.regions import at_the_frame, disc, edged_share, joined, means
from gpu_workers.operations.cutout.sweep import noises


@dataclass(frozen=True)
class Gaps:
    """What tells a gap from a flat part of the product. Set by hand, none is fitted.

    Colours and slopes are of code values 0..1, light is a share of the sweep's; where a limit is so many noises of the
    sweep, the other number is the least.
    """

    alike: tuple[float, float] = (3, 0.03)
    flat_slope_max: float = 0.012
    shaded_tint: tuple[float, float] = (2, 0.015)
    shaded: float = 0.97  # of its light, above which the sweep has no shade near the product
    clipped: float = 0.985
    neutral_noises: float = 2.5
    area_px_min: int = 25
    off_max: float = 0.008
    tint_max: float = 0.005
    edged_share_min: float = 0.7
    mesh_edged_share_min: float = 0.9
    mesh_off_max: float = 0.04
    meshes_min: int = 12
    mesh_share_max: float = 0.12  # of the contrast of the wires, up to which what is between them is sweep
    rim_px: int = 5
    mixed_px: int = 2  # as far from what is surely sweep a lens mixes it with the product
    contrast_least: float = 0.1
    ridge_share_min: float = 0.85


@dataclass(frozen=True)
class Flecks:
    """What tells scraps of the sweep beside an outline from a product's own strands. Set by hand, none is fitted."""

    wide_px: int = 5  # as wide as that it is no fleck
    solid_min: float = 0.25  # of alpha
    reach_px: int = 5
    contrast_least: float = 0.1  # of code values
    share_max: float = 0.2  # of the contrast beside it: a fleck has no more


@dataclass(frozen=True)
class Strands:
    """What tells fringe, fur and a loose weave from print. Set by hand, none is fitted.

    Slopes and contrasts are of code values 0..1.
    """

    reach_px: int = 4
    slope_min: float = 0.05
    contrast_min: float = 0.2
    near_share_max: float = 0.25  # of the contrast about it
    shares: tuple[float, float] = (0.2, 0.9)  # of that contrast: up to which it is sweep, and from which product
    window_px: int = 15
    edged_share_min: float = 0.6


GAPS = Gaps()
FLECKS = Flecks()
STRANDS = Strands()


def frayed(slope: Plane, contrast: Plane, mask: Plane) -> Flags:
    """Where a product (h, w) ends in strands, between which the sweep shows: fringe, fur, a loose weave.

    There are edges everywhere, and within some pixels of each the picture comes near the sweep and goes far from it.
    Lettering is of that kind too, but does not hang together with the ground beside the product. `slope` (h, w) is how
    steep the picture is, `contrast` (h, w) how far it is from the sweep.
    """
    near, far = cv2.erode(contrast, disc(STRANDS.reach_px)), cv2.dilate(contrast, disc(STRANDS.reach_px))
    window = (STRANDS.window_px, STRANDS.window_px)
    edged = cv2.blur((slope > STRANDS.slope_min).astype(np.float32), window) > STRANDS.edged_share_min
    mixed = edged & (far > STRANDS.contrast_min) & (near < STRANDS.near_share_max * far)
    whole = cv2.morphologyEx(mixed.astype(np.uint8), cv2.MORPH_CLOSE, disc(STRANDS.window_px // 2)) > 0
    return joined((mask < 0.5) & mixed, whole, max(mask.shape))


def part_strands(known: Plane, mask: Plane, strands: Flags, contrast: Plane) -> tuple[Plane, Plane]:
    """`known` and `mask` (h, w), anew within `strands`, where only what has the highest `contrast` with the sweep, or
    all but none, is known.
    """
    share = contrast / np.maximum(cv2.dilate(contrast, disc(STRANDS.reach_px)), STRANDS.contrast_min)
    found = np.where(share > STRANDS.shares[1], 1, np.where(share < STRANDS.shares[0], 0, 0.5))
    return np.where(strands, found, known).astype(np.float32), np.where(strands, share, mask).astype(np.float32)


def find_gaps(rgb: Plane, edge: Plane, background: Plane, noise: float, shade: float) -> Flags:
    """Gaps in a product (h, w), found from rgb and the sweep behind it, (h, w, 3) in 0..1, whatever a mask says.
    `edge` (h, w) is how steep the picture is.

    A gap is a flat region of the sweep's colour that does not reach the frame and has a strong edge all round; where
    the product shades the sweep, down to `shade` of its light, so it may in a gap. Single pixels of a product match
    the sweep too; over a region the mean is known well enough to tell white print and highlights apart.
    """
    soft = cv2.GaussianBlur(rgb, (0, 0), 0.8)
    off = soft - background
    slope = steepness(mean_channel(soft))
    light, tint = light_and_tint(soft, background)
    alike = (largest_difference(soft, background) < noises(GAPS.alike, noise)) & (slope < GAPS.flat_slope_max)
    shaded = (light > shade) & (light < 1) & (tint < noises(GAPS.shaded_tint, noise)) & (slope < GAPS.flat_slope_max)
    alike |= shaded & (shade < GAPS.shaded)
    # Where the sweep is clipped white, so may be a label: the picture says nothing.
    alike &= cv2.min(cv2.min(*cv2.split(background)[:2]), cv2.extractChannel(background, 2)) < GAPS.clipped
    alike = cv2.morphologyEx(alike.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(alike, connectivity=4)
    mean_off = means(off, labels, count)
    own_light = means(light[..., None], labels, count)[:, 0]
    tints = np.ptp(means(soft - light[..., None] * background, labels, count), axis=1)
    neutral = tints < max(GAPS.neutral_noises * noise, GAPS.tint_max)
    edged = edged_share(labels, edge, count)
    inside = (stats[:, cv2.CC_STAT_AREA] >= GAPS.area_px_min) & ~at_the_frame(stats, labels.shape)
    gap = (np.abs(mean_off).max(axis=1) < GAPS.off_max) & (np.ptp(mean_off, axis=1) < GAPS.tint_max)
    if shade < GAPS.shaded:
        gap |= (own_light > shade) & (own_light < 1) & neutral
    gap &= (edged > GAPS.edged_share_min) & inside
    # Behind a net the sweep is known less well, but it is seen through every mesh of it.
    mesh = (edged > GAPS.mesh_edged_share_min) & inside & neutral & (np.abs(own_light - 1) < GAPS.mesh_off_max)
    if mesh.sum() >= GAPS.meshes_min:
        gap |= mesh
    gap[0] = False
    return np.asarray(gap[labels])


def open_gaps(known: Plane, mask: Plane, gaps: Flags, contrast: Plane, noise: float) -> tuple[Plane, Plane]:
    """`known` and `mask` (h, w) with the gaps open, their rims unknown, and the ridges between them product.

    `contrast` (h, w) is how far the picture is from the sweep. A wire is thinner than the rims on both sides of it:
    without its ridge, where the contrast is highest, the matte would have no sample of it. What is further from the
    sweep than a lens mixes them is no mix, and stays known: a highlight along a wire looks like one.
    """
    if not gaps.any():
        return known, mask
    reach = disc(GAPS.rim_px)
    share = contrast / np.maximum(cv2.dilate(contrast, reach), GAPS.contrast_least)
    clear = gaps | joined(gaps, contrast < noises(GAPS.alike, noise), 3 * GAPS.rim_px)
    gaps = gaps | _between_wires(gaps, share, known)
    clear |= gaps
    rim = cv2.dilate(gaps.astype(np.uint8), reach) > 0
    mixed = rim & (cv2.dilate(clear.astype(np.uint8), disc(GAPS.mixed_px)) > 0)
    known, mask = known.copy(), mask.copy()
    known[mixed & (known == 1)] = 0.5
    known[rim & (share > GAPS.ridge_share_min) & (mask > 0.5)] = 1
    known[clear] = 0
    mask[mixed | clear] = np.minimum(mask, share)[mixed | clear]
    return known, mask


def without_flecks(alpha: Plane, contrast: Plane) -> Plane:
    """`alpha` (h, w) with no more of each fleck than its share of the `contrast` (h, w) beside it.

    A matte has flecks where a scrap of the sweep, a few pixels wide, lies beside an outline or in a mesh. They are seen
    on any other ground. A strand of the product is as thin, but far from the sweep.
    """
    solid = (alpha > FLECKS.solid_min).astype(np.uint8)
    thin = (solid > 0) & (cv2.morphologyEx(solid, cv2.MORPH_OPEN, np.ones((FLECKS.wide_px,) * 2, np.uint8)) == 0)
    share = contrast / np.maximum(cv2.dilate(contrast, disc(FLECKS.reach_px)), FLECKS.contrast_least)
    return np.where(thin & (share < FLECKS.share_max), np.minimum(alpha, share), alpha).astype(np.float32)


def _between_wires(gaps: Flags, share: Plane, known: Plane) -> Flags:
    """Where the sweep is seen between the wires of a net or a grid, and beside them, besides in its `gaps` (h, w).

    It is so where little of the contrast of the wires is left, a `share` (h, w) of it. What is larger than any gap and
    does not reach what is surely sweep is a label. None where there are too few gaps for a net.
    """
    count, _, stats, _ = cv2.connectedComponentsWithStats(gaps.astype(np.uint8), connectivity=4)
    if count - 1 < GAPS.meshes_min:
        return np.zeros_like(gaps)
    largest_px = stats[1:, cv2.CC_STAT_AREA].max()
    faint = share < GAPS.mesh_share_max
    count, labels, stats, _ = cv2.connectedComponentsWithStats(faint.astype(np.uint8), connectivity=4)
    seen = stats[:, cv2.CC_STAT_AREA] <= largest_px
    seen[labels[faint & (known == 0)]] = True
    seen[0] = False
    return np.asarray(seen[labels])
