"""How unsure a cutout is: what can be seen of it without the truth; schemas.uncertainty says what that means.

`make calibrate-cutout` fits the weights on rendered pictures whose truth is known, and says how well.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.types import Flags, Plane
from schemas.uncertainty import BIAS, SEEN, WEIGHTS, features, uncertainty

__all__ = ["BIAS", "SEEN", "WEIGHTS", "features", "person_share", "seen", "skin", "uncertainty"]

Points = NDArray[np.complex128]  # x + iy

# How the features are read off: chosen while looking at the same pictures, none is fitted. Slopes (a pixel), veils and
# distances of colours are of code values 0..1, pixels those of the reduced picture.
_SIZE_PX = 400  # the longer side at which all of them are read
_SOFT_SIGMA_PX = 0.8  # by which noise is smoothed before slopes are taken
_FAINT_SLOPE = 0.06  # below, an outline has no edge
_EDGE_SLOPE = 0.05  # above, there is an edge within the product
_CORE_PX = 4  # inside the outline, where the product is unmixed
_RING_PX = (3, 30)  # outside the outline: the ground about the product, from where it is unmixed
_SHADES = 12  # of each channel, in the histograms of colours
_SPREADS_PX = (96, 48, 24, 12)  # by which the ground goes on, from afar only where nothing is near
_SEEN_ENOUGH = 0.05  # of the weights within a spread: with less the ground is that of the wider one, too
_COARSER = 4  # times that it is reduced for that: a ground is smooth
_VEIL_MAX = 0.5  # of white over the ground
_VEIL_SLACK = 0.08  # and a shade is one, down to as much
_VEIL_OFF_MAX = 0.06  # from the veiled ground
_VEIL_SLOPE_MAX = 0.02
_GROUND_OFF_MAX = 0.08  # of the ground as it would go on: shades of a sweep are nearer, most print is further off
_UNSURE_PX = 10.0  # a band this wide is wholly unsure; the network's own outlines are two or three wide
_OUTLINE_MIN_PX = 20  # a shorter one is a speck
_ALONG_PX = (1.0, 3.0)  # smoothed by the first the steps of pixels are gone, by the second what is rough
_PERSON_SHARE_MIN = 0.8  # of the cutout: below, it is no person but may be held by one
_BARE_SHARE_MIN = 0.5  # of what is likely a person: a part that is mostly skin is a hand


def seen(rgb: Plane, mask: Plane, alpha: Plane) -> dict[str, float]:
    """What of SEEN shows in the matte `alpha` (h, w) of the network's `mask` (h, w) and the picture (h, w, 3), 0..1.

    mask_doubt: in how wide a band along the outline the mask is neither in nor out. shared_colours: how much of the
    product's colours are those of the ground about it. veiled: how much of it looks like that ground with a veil of
    white over it, as glass does and what is seen through a hole. faint_edge: along how much of the outline there is no
    edge. inner_edges: how much of the product is edges beside what looks like the ground, as in wire, nets and glass;
    print has none. ragged: how rough the outline is, whether it is that of a rod or of a box.
    """
    scale = min(1.0, _SIZE_PX / max(alpha.shape))
    size = (max(1, round(alpha.shape[1] * scale)), max(1, round(alpha.shape[0] * scale)))
    picture, sure, matte = (cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in (rgb, mask, alpha))
    solid = np.asarray(matte > 0.5)
    core = _shrunk(solid, _CORE_PX)
    slope = _steepest(picture)
    return {
        "mask_doubt": float(min(1.0, (4 * sure * (1 - sure)).sum() / max(1, _rim(solid).sum()) / _UNSURE_PX)),
        "shared_colours": _shared_colours(picture, core, _grown(solid, _RING_PX[1]) & ~_grown(solid, _RING_PX[0])),
        "veiled": _veiled(picture, matte),
        "faint_edge": _share(cv2.dilate(slope, _disc(2)) < _FAINT_SLOPE, _rim(solid)),
        "inner_edges": _share((slope > _EDGE_SLOPE) & _near_ground(picture, solid), core),
        "ragged": _ragged(solid),
    }


def person_share(rgb: NDArray[np.uint8], people: Plane, alpha: NDArray[np.uint8]) -> float:
    """Share of the cutout `alpha` (h, w) of uint8 RGB (h, w, 3) that is a person's skin or hair, 0..1.

    `people` (h, w), 0..1, says where a person or what one wears is likely: an empty hoodie looks like a person too, and
    only what is of a colour that skin has tells them apart. What is mostly no person may still be held by one: a part
    that is mostly skin.
    """
    solid = alpha > 127
    within = solid & (people > 0.5)
    area = max(1, int(solid.sum()))
    bare = int((skin(rgb) & within).sum())
    if within.sum() < _PERSON_SHARE_MIN * area and bare < _BARE_SHARE_MIN * within.sum():
        return 0.0
    return bare / area


def skin(rgb: NDArray[np.uint8]) -> Flags:
    """What of uint8 RGB (h, w, 3) has a colour that skin has; so have wood, leather and much else.

    The ranges are those of D. Chai and K. N. Ngan, Face Segmentation Using Skin-Color Map, 1999.
    """
    _, red, blue = cv2.split(cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb))
    return np.asarray((red >= 133) & (red <= 173) & (blue >= 77) & (blue <= 127))


def _shared_colours(picture: Plane, product: Flags, ground: Flags) -> float:
    """How far the histograms of two parts of the picture overlap; of an empty part nothing is known."""
    if not product.any() or not ground.any():
        return 1.0
    bins = (np.clip(picture, 0, 1) * (_SHADES - 0.01)).astype(np.int64) @ np.array([_SHADES**2, _SHADES, 1])
    one, other = (np.bincount(bins[part], minlength=_SHADES**3) / part.sum() for part in (product, ground))
    return float(np.minimum(one, other).sum())


def _veiled(picture: Plane, matte: Plane) -> float:
    half = (max(1, matte.shape[1] // 2), max(1, matte.shape[0] // 2))
    picture, matte = (np.asarray(cv2.resize(plane, half, interpolation=cv2.INTER_AREA)) for plane in (picture, matte))
    solid = np.asarray(matte > 0.5)
    outside, core = ~_grown(solid, _RING_PX[0]), _shrunk(solid, _CORE_PX)
    if not outside.any() or not core.any():
        return 0.0
    ground = _continued(picture, outside)
    towards_white = 1 - ground
    veil = ((picture - ground) * towards_white).sum(axis=2) / np.maximum((towards_white**2).sum(axis=2), 1e-3)
    off = np.abs(picture - ground - np.maximum(veil, -_VEIL_SLACK)[..., None] * towards_white).max(axis=2)
    thin = (veil > -_VEIL_SLACK) & (veil < _VEIL_MAX) & (off < _VEIL_OFF_MAX) & (_steepest(picture) < _VEIL_SLOPE_MAX)
    return _share(thin, core)


def _near_ground(picture: Plane, solid: Flags) -> Flags:
    """What of (h, w) is beside, or has, the colour that the ground about the product would have there.

    Where no ground is seen, that is everything.
    """
    outside = ~_grown(solid, _RING_PX[0])
    if not outside.any():
        return np.ones_like(solid)
    return _grown(np.abs(picture - _continued(picture, outside)).max(axis=2) < _GROUND_OFF_MAX, _RING_PX[0])


def _ragged(solid: Flags) -> float:
    """How much longer the outlines of `solid` (h, w) are than after smoothing along themselves, 0..1.

    An outline is smoothed by its own neighbours only: the two sides of a rod do not melt into each other.
    """
    padded = np.pad(solid, 1).astype(np.uint8)
    found, _ = cv2.findContours(padded, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    outlines = [each[:, 0].astype(np.float64) @ (1, 1j) for each in found if len(each) >= _OUTLINE_MIN_PX]
    fine, coarse = (sum(_smoothed_px(each, sigma) for each in outlines) for sigma in _ALONG_PX)
    return float(np.clip(fine / coarse - 1, 0, 1)) if coarse else 0.0


def _smoothed_px(outline: Points, sigma_px: float) -> float:
    """How long a closed outline is, smoothed along itself: a circle, which that makes smaller, as long as before."""
    radius_px = len(outline) / (2 * np.pi)
    return _length(_along(outline, sigma_px)) * float(np.exp(sigma_px**2 / (2 * radius_px**2)))


def _along(outline: Points, sigma_px: float) -> Points:
    """The points of a closed outline, each a mean of those beside it."""
    reach = np.arange(-int(4 * sigma_px), int(4 * sigma_px) + 1)
    weights = np.exp(-(reach**2) / (2 * sigma_px**2))
    around = outline[np.arange(reach[0], len(outline) + reach[-1]) % len(outline)]
    return np.convolve(around, weights / weights.sum(), "valid")


def _length(outline: Points) -> float:
    return float(np.abs(np.diff(outline, append=outline[:1])).sum())


def _continued(picture: Plane, known: Flags) -> Plane:
    """`picture` (h, w, 3) as it would go on from where it is `known` (h, w), from afar only where nothing is near."""
    size = (max(1, known.shape[1] // _COARSER), max(1, known.shape[0] // _COARSER))
    shown = known.astype(np.float32)
    weighted, weights = (
        cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in (picture * shown[..., None], shown)
    )
    ground = np.zeros_like(weighted)
    for spread_px in _SPREADS_PX:
        weight, sums = (cv2.GaussianBlur(plane, (0, 0), spread_px / _COARSER) for plane in (weights, weighted))
        near = np.clip(weight / _SEEN_ENOUGH, 0, 1)[..., None]
        ground = ground * (1 - near) + near * sums / np.maximum(weight, 1e-4)[..., None]
    return np.asarray(cv2.resize(ground, known.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def _share(flags: Flags, within: Flags) -> float:
    return float(flags[within].mean()) if within.any() else 1.0


def _steepest(picture: Plane) -> Plane:
    """How steeply the steepest channel changes, per pixel."""
    soft = cv2.GaussianBlur(picture, (0, 0), _SOFT_SIGMA_PX)
    across, down = (cv2.Sobel(soft, cv2.CV_32F, dx, 1 - dx, scale=1 / 8) for dx in (1, 0))
    return np.asarray(np.hypot(across, down).max(axis=2), np.float32)


def _rim(solid: Flags) -> Flags:
    return solid & ~_shrunk(solid, 1)


def _shrunk(solid: Flags, by_px: int) -> Flags:
    return np.asarray(cv2.erode(solid.astype(np.uint8), _disc(by_px), borderValue=1) > 0)


def _grown(solid: Flags, by_px: int) -> Flags:
    return np.asarray(cv2.dilate(solid.astype(np.uint8), _disc(by_px)) > 0)


def _disc(radius_px: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius_px + 1, 2 * radius_px + 1)), np.uint8)
