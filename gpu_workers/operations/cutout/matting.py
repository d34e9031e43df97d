"""From a rough mask to a matte: which pixels are unknown, how much of each is product, of what colour."""

from dataclasses import dataclass

import cv2
import numpy as np

from gpu_workers.imaging.linear_light import light_of
from gpu_workers.imaging.types import Flags, Plane
from gpu_workers.operations.cutout import foreground, shared_matting, watershed
from gpu_workers.operations.cutout.contrast import largest_difference, steepness
from gpu_workers.operations.cutout.regions import disc, largest_in_each


@dataclass(frozen=True)
class Band:
    """The unknown band about an edge: how it is narrowed, and how much of it is solved. Set by hand, none is fitted.

    Slopes and contrasts are of code values 0..1.
    """

    product_min: float = 0.95  # what a mask says of what is surely product
    background_max: float = 0.05  # and of what surely is not
    edge_px: int = 2
    crisp_share: float = 0.7  # of the slopes in a window that run along the one edge
    crisp_window_px: int = 31
    flat_slope: float = 0.004
    mask_weight_least: float = 0.05
    mask_width: float = 0.25  # about one half, within which a mask draws the edge to itself
    # Twice as large as those of fur and fringe in the sample pictures; 20 µs a pixel on a slow core, 6 s in all.
    pixels_max: int = 300_000


@dataclass(frozen=True)
class Trust:
    """How far colours may be trusted that are hard to tell apart. Set by hand, none is fitted; of code values 0..1."""

    contrast_none: float = 0.05
    contrast_range: float = 0.12
    detail_contrast: tuple[float, float] = (0.05, 0.25)
    end_off: float = 0.03  # of alpha, what solvers leave on flat ground
    end_range: float = 0.94


BAND = Band()
TRUST = Trust()
_CLEAR_MAX, _OPAQUE_MIN = 0.02, 0.98  # of alpha, what solvers leave of nothing, and of the whole; set by hand
_EDGE_SIGMA_PX, _EDGE_SLOPE_LEAST = 1.0, 0.02  # a mask's outline, smoothed, and its slope a pixel at least; set by hand
_APART_LEAST = 1e-4  # squared, of light 0..1: two colours that are nearer say nothing of what is mixed of them
_BACKED_MIN = 0.5  # what a mask says somewhere in an island that stays
_EMPTY_MAX = 0.2  # and what it leaves out at most in a hole that is closed


@dataclass(frozen=True)
class Solved:
    """Alpha (h, w) in 0..1, the colours (h, w, 3) behind the product where it is partial, and at what scale of the
    picture the unknown band was solved: 1, or less where there was too much of it."""

    alpha: Plane
    behind: Plane
    scale: float


def trimap(mask: Plane, reach_px: float) -> Plane:
    """1 surely product, 0 surely background, 0.5 unknown, from a mask whose edge is known to `reach_px`."""
    reach = max(1, round(reach_px))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    inside = cv2.erode((mask > BAND.product_min).astype(np.uint8), kernel, borderValue=1)
    outside = cv2.erode((mask < BAND.background_max).astype(np.uint8), kernel, borderValue=1)
    known = np.full(mask.shape, 0.5, np.float32)
    known[inside > 0] = 1
    known[outside > 0] = 0
    return known


def solve(rgb: Plane, slope: Plane, known: Plane, mask: Plane, strands: Flags | None = None) -> Solved:
    """Shared Matting of (h, w, 3) in the unknown band of `known`, the mask's edge where colours say nothing.

    `slope` (h, w) is how steep the picture is. Needs some of each kind of pixel in `known`; without, the mask itself is
    the answer. Among `strands` the band is not narrowed. A band of more pixels than can be solved in seconds is solved
    at a smaller size.
    """
    edge = sharpened(mask)
    if not _has_all(known):
        return Solved(np.where(known == 0.5, edge, known).astype(np.float32), rgb, 1.0)
    narrowed = _narrowed(slope, known, mask)
    known = narrowed if strands is None else np.where(strands, known, narrowed)
    scale = min(1.0, (BAND.pixels_max / max(1, int(np.count_nonzero(known == 0.5)))) ** 0.5)
    alpha, foreground, background = (
        shared_matting.estimate_alpha(rgb, known) if scale == 1 else _coarsely(rgb, known, edge, scale)
    )
    contrast = cv2.GaussianBlur(largest_difference(foreground, background), (0, 0), 2.0)
    trust = np.clip((contrast - TRUST.contrast_none) / TRUST.contrast_range, 0, 1)
    mixed = trust * alpha + (1 - trust) * edge
    return Solved(np.where(known == 0.5, snapped(mixed), known).astype(np.float32), background, scale)


def _has_all(known: Plane) -> bool:
    return bool((known == 1).any() and (known == 0).any() and (known == 0.5).any())


def _coarsely(rgb: Plane, known: Plane, edge: Plane, scale: float) -> tuple[Plane, Plane, Plane]:
    """As `estimate_alpha`, solved at `scale` of the size. The colours that a pixel is mixed of change slowly and are
    enlarged; alpha follows from them and the pixel itself, where they are far enough apart, so that detail stays.
    `edge` (h, w) is the answer where nothing of the product or of the background is left to learn from.
    """
    size = (max(1, round(known.shape[1] * scale)), max(1, round(known.shape[0] * scale)))
    small = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.float32)
    sure = np.asarray(cv2.resize(known, size, interpolation=cv2.INTER_NEAREST), np.float32)
    if not _has_all(sure):
        return edge, rgb, rgb
    alpha, foreground, background = (
        np.asarray(cv2.resize(plane, known.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)
        for plane in shared_matting.estimate_alpha(small, sure)
    )
    span = foreground - background
    share = ((rgb - background) * span).sum(axis=2) / ((span * span).sum(axis=2) + 1e-5)
    low, high = TRUST.detail_contrast
    detailed = np.clip((largest_difference(foreground, background) - low) / (high - low), 0, 1)
    return detailed * np.clip(share, 0, 1) + (1 - detailed) * alpha, foreground, background


def _narrowed(slope: Plane, known: Plane, mask: Plane) -> Plane:
    """`known` (h, w) with its band drawn about the edge that runs in it, where that is the only one.

    Colours at a product's rim are often not those further inside, and look like a mix to the matte. Hair and fringe
    have many edges outside the first: there the band stays as it is.
    """
    band = known == 0.5
    inside = watershed.flood(known, slope * (BAND.mask_weight_least + np.exp(-(((mask - 0.5) / BAND.mask_width) ** 2))))
    solid = inside.astype(np.uint8)
    rim = cv2.dilate(solid, np.ones((3, 3))) > cv2.erode(solid, np.ones((3, 3)))
    near = cv2.dilate(rim.astype(np.uint8), disc(BAND.edge_px)) > 0
    window = (BAND.crisp_window_px, BAND.crisp_window_px)
    at_edge = cv2.blur(np.where(near & band, slope, 0), window)
    outside = cv2.blur(np.where(band & ~inside & ~near, np.maximum(slope - BAND.flat_slope, 0), 0), window)
    crisp = band & ~near & (at_edge > BAND.crisp_share * (at_edge + outside))
    narrowed = known.copy()
    narrowed[crisp] = inside[crisp]
    return narrowed


def in_linear_light(alpha: Plane, foreground: Plane, background: Plane) -> Plane:
    """Alpha (h, w) by which two colours (h, w, 3) give in linear light, where lenses mix them, the mix that it says.

    All are in 0..1; `alpha` is of code values, in which colours are nearer to what is seen and better told apart.
    """
    partial = (alpha > 0) & (alpha < 1)
    share, product, ground = alpha[partial][:, None], foreground[partial], background[partial]
    mixed, dark = (light_of(code) for code in (share * product + (1 - share) * ground, ground))
    span = light_of(product) - dark
    length = (span * span).sum(axis=1)
    linear = alpha.copy()
    found = np.clip(((mixed - dark) * span).sum(axis=1) / np.maximum(length, 1e-6), 0, 1)
    linear[partial] = np.where(length > _APART_LEAST, found, share[:, 0])
    return linear


def sharpened(mask: Plane) -> Plane:
    """The mask with its edge drawn about two pixels wide where it crosses one half."""
    soft = cv2.GaussianBlur(mask, (0, 0), _EDGE_SIGMA_PX)
    return np.asarray(
        np.clip((soft - 0.5) / np.maximum(2 * steepness(soft), _EDGE_SLOPE_LEAST) + 0.5, 0, 1), np.float32
    )


def snapped(alpha: Plane) -> Plane:
    """Alpha with the last few per cent at either end cut off: what solvers leave on flat ground."""
    return np.asarray(np.clip((alpha - TRUST.end_off) / TRUST.end_range, 0, 1), np.float32)


def without_speckle(alpha: Plane, mask: Plane, area_min: float) -> tuple[Plane, int]:
    """Alpha without islands smaller than `area_min` or not backed by the mask, holes of that kind closed.

    Also returns how many islands are left.
    """
    cleaned = alpha.copy()
    _, labels, stats, _ = cv2.connectedComponentsWithStats((alpha > _CLEAR_MAX).astype(np.uint8), connectivity=8)
    backing = largest_in_each(mask, labels, len(stats))
    kept = (stats[:, cv2.CC_STAT_AREA] >= area_min) & (backing > _BACKED_MIN)
    kept[0] = True
    cleaned[~kept[labels]] = 0
    _, labels, stats, _ = cv2.connectedComponentsWithStats((cleaned < _OPAQUE_MIN).astype(np.uint8), connectivity=4)
    emptiness = largest_in_each(1 - mask, labels, len(stats))
    pinholes = (stats[:, cv2.CC_STAT_AREA] < area_min) & (emptiness < _EMPTY_MAX)
    pinholes[0] = False
    cleaned[pinholes[labels]] = 1
    return cleaned, int(kept[1:].sum())


def without_false_holes(alpha: Plane, known: Plane) -> Plane:
    """Alpha (h, w) with those holes closed in which nothing is surely background.

    Print as bright as the ground looks to the matte like a hole; on a plain ground a real one shows the ground.
    """
    count, labels = cv2.connectedComponents((alpha < _OPAQUE_MIN).astype(np.uint8), connectivity=4)
    shown = np.zeros(count, np.bool_)
    shown[labels[known == 0]] = True
    return np.where(shown[labels], alpha, 1).astype(np.float32)


def foreground_colours(rgb: Plane, alpha: Plane) -> Plane:
    """The product's own colours (h, w, 3) where alpha is partial, the background's share taken out."""
    return foreground.estimate_foreground(rgb, alpha)
