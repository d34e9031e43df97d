"""Bringing product and scene together: exposure, white balance and noise; what is moved is the scene.

How a product was lit cannot be read from its picture with certainty, since a dark pixel may be a dark thing. So only
what is nearly neutral speaks of the light's colour, only what is bright of its strength, and both only by a little.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.colour_difference import ciede2000, srgb_to_lab
from gpu_workers.imaging.linear_light import to_srgb
from gpu_workers.imaging.types import LUMINANCE, Code, Plane

# Set by hand, none is fitted, but where a line says so.
_NEUTRAL_CHROMA = 0.2  # of the strongest channel, by which a grey's channels may differ
_NEUTRAL_SHARE_MIN = 0.05  # of the surroundings that must be grey to tell the light's colour
# of full light, of a product's 95th percentile: a darker product does not tell how bright its light was
_BRIGHT_MIN = 0.3
_TOWARDS = 0.4  # the power of the ratio by which a product is brought towards the scene: part of the way
_GAIN_MIN, _GAIN_MAX = 0.9, 1.12  # of the product's light
_TINT_MAX = 0.05  # of a channel's light
_PRODUCT_CAP = 2.0  # median ΔE00 of the product: it may change no more
_TINT_SHARE = 0.1  # the power of the difference in colour that a product takes on
_HALVINGS, _SMALLER = 16, 0.75  # tries, each with so much of the change of the one before
_NOISE_STEPS_MAX = 2.5  # steps of 255, of grain that is laid over a product
_FLAT_SHARE = 0.3  # of a picture, its calmest, in which noise is measured
_SOLID = 250  # of an alpha of 255, above which a pixel is unmixed
_SIDE_PX = 400  # the longer side at which light and dark sides are compared
# px of half a row, pairs of pixels in it, and pairs in all: fewer say nothing
_HALF_ROW_MIN, _ROW_PAIRS_MIN, _PAIRS_MIN = 5, 4, 100
_DARK = 5.0  # of L*, so that black on black has no sides
# of a*b*, and as a share of L*: points that differ more are of other material, not in other light
_TINT_ALIKE, _SHARE_ALIKE = 8.0, 0.35
# the mean difference as a share of L*, and of the rows that agree, from which a light is told
_SIDED_MIN, _AGREED_MIN = 0.025, 0.5
# Large pictures are gone through in strips, so that only one stands in memory for each that comes of it.
STRIP_ROWS = 256
_SLOPE_OF_STEP = np.float32(1.9 / 255)  # of light, one step of sRGB at full light; below, it goes by the power of 0.58


def scene_gain(product: Plane, scene: Plane) -> NDArray[np.float32]:
    """What the scene's light (3,) is multiplied with to come nearer to the product's: 0.9 to 1.12 in strength, 5 % in
    colour at most. `product` (n, 3) and `scene` (m, 3) are linear light: the product's solid pixels, and the scene's
    about it."""
    strength, tint = _difference(product, scene)
    strength = float(np.clip(strength**_TOWARDS, _GAIN_MIN, _GAIN_MAX))
    tint = np.clip(tint**_TOWARDS, 1 - _TINT_MAX, 1 + _TINT_MAX)
    return np.asarray(strength * tint / float(tint @ LUMINANCE), np.float32)


def toned(light: Plane, product: Plane, scene: Plane) -> Plane:
    """The product's `light` (h, w, 4; linear, premultiplied) a little nearer to the scene's: the median ΔE00 of its
    solid pixels, `product` (n, 3), is 2 at most, and of the difference in colour a tenth is taken."""
    if not len(product):
        return light
    strength, tint = _difference(product, scene)
    share = 1.0
    before = srgb_to_lab(to_srgb(product))
    for _ in range(_HALVINGS):
        gain = (strength ** (-_TOWARDS * share) * tint ** (-_TINT_SHARE * share)).astype(np.float32)
        if float(np.median(ciede2000(before, srgb_to_lab(to_srgb(product * gain))))) <= _PRODUCT_CAP:
            # What sRGB holds stays in it; what it does not hold becomes no more vivid.
            most = np.maximum(light[..., :3], light[..., 3:])
            return np.concatenate([np.minimum(light[..., :3] * gain, most), light[..., 3:]], axis=2)
        share *= _SMALLER
    return light


def lit_from(rgba: Code) -> int:
    """From which side a product (h, w, 4; uint8) was lit: -1 the viewer's left, 1 the right, 0 where it does not tell.

    Each row's points are compared with those as far from its other end, when both have the same tint: two materials
    say nothing of the light.
    """
    shrink = min(_SIDE_PX / max(rgba.shape[:2]), 1.0)
    small = cv2.resize(rgba, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    lab = srgb_to_lab(small[..., :3])
    rows = [_sidedness(lab[row][small[row, :, 3] >= _SOLID]) for row in range(0, len(small), 2)]
    sides = np.concatenate([row for row in rows if len(row)] or [np.zeros(0, np.float32)])
    if len(sides) < _PAIRS_MIN:
        return 0
    means = np.array([row.mean() for row in rows if len(row)])
    sure = abs(float(sides.mean())) > _SIDED_MIN and abs(float(np.sign(means).mean())) > _AGREED_MIN
    return int(np.sign(sides.mean())) if sure else 0


def _sidedness(lab: Plane) -> Plane:
    """How much lighter each point of a row's right half is than its counterpart on the left, as a share."""
    half = len(lab) // 2
    if half < _HALF_ROW_MIN:
        return np.zeros(0, np.float32)
    left, right = lab[1:half], lab[::-1][1:half]
    share = (right[:, 0] - left[:, 0]) / (right[:, 0] + left[:, 0] + _DARK)
    same = (np.hypot(*(left[:, 1:] - right[:, 1:]).T) < _TINT_ALIKE) & (np.abs(share) < _SHARE_ALIKE)
    return np.asarray(share[same] if np.count_nonzero(same) >= _ROW_PAIRS_MIN else share[:0], np.float32)


def _difference(product: Plane, scene: Plane) -> tuple[float, NDArray[np.float64]]:
    """How much brighter the product's light is than the scene's, and of what other colour (3,); 1 where unknown."""
    strength, tint = 1.0, np.ones(3)
    if not len(product) or not len(scene):
        return strength, tint
    bright, around = (float(np.percentile(light @ LUMINANCE, 95)) for light in (product, scene))
    if bright > _BRIGHT_MIN and around > 0:
        strength = bright / around
    own, other = (_neutral(light) for light in (product, scene))
    return strength, tint if own is None or other is None else own / other


def _neutral(light: Plane) -> NDArray[np.float64] | None:
    """The colour of what is nearly grey, of luminance 1; None where too little is."""
    strongest = light.max(axis=1)
    grey = (strongest > 0.1) & (strongest < 0.98) & (strongest - light.min(axis=1) < _NEUTRAL_CHROMA * strongest)
    if grey.mean() < _NEUTRAL_SHARE_MIN:
        return None
    mean = light[grey].mean(axis=0).astype(np.float64)
    return np.asarray(mean / float(mean @ LUMINANCE))


def noise_steps(picture: Code, where: NDArray[np.bool_]) -> float:
    """The noise (standard deviation in 8-bit steps) of a picture (h, w, 3) in its flattest parts of `where` (h, w).

    J. Immerkær, Fast noise variance estimation, 1996: a mask that sees neither planes nor edges that are straight.
    """
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    rough = np.abs(cv2.filter2D(grey, -1, kernel))
    inside = cv2.erode(where.astype(np.uint8), np.ones((7, 7), np.uint8), borderValue=0) > 0
    inside &= (grey > 16) & (grey < 240)
    if np.count_nonzero(inside) < 1000:
        return 0.0
    unrest = cv2.blur(rough, (15, 15))[inside]
    flat = unrest <= np.quantile(unrest, _FLAT_SHARE)
    return float(np.sqrt(np.pi / 2) / 6 * rough[inside][flat].mean())


def grained(light: Plane, steps: float, seed: int) -> Plane:
    """`light` (h, w, 3; linear) with noise that shows by so many 8-bit steps, the same for the same seed."""
    noise, out = np.random.default_rng((seed, 1)), np.empty_like(light)
    for top in range(0, len(light), STRIP_ROWS):
        strip = light[top : top + STRIP_ROWS]
        # A step of sRGB is the more light the brighter the place: about its power of 0.58.
        step = _SLOPE_OF_STEP * np.power(np.maximum(cv2.transform(strip, LUMINANCE[None]), 1e-4), np.float32(0.58))
        step *= noise.standard_normal(strip.shape[:2], np.float32) * np.float32(steps)
        np.maximum(strip + step[..., None], 0, out=out[top : top + STRIP_ROWS])
    return out


def missing_noise(product_steps: float, scene_steps: float) -> float:
    """How much noise the scene lacks; none where it has as much. Both in 8-bit steps, variances adding up."""
    return min(math.sqrt(max(product_steps**2 - scene_steps**2, 0.0)), _NOISE_STEPS_MAX)
