"""Style: a picture's surroundings as the brand has them, its product left as it is but for a change that is capped.

Tone first: a curve on L* that matches quantiles. Then colour: the linear map that moves one normal distribution onto
another with the least work, Monge and Kantorovich's (F. Pitié and A. Kokaram, "The linear Monge-Kantorovitch linear
colour mapping for example-based colour transfer", 2007). Both are baked into one table of 33³ colours.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.colour_difference import (
    Lab,
    ciede2000,
    codes_to_lab,
    lab_to_srgb,
    lab_to_wide,
    srgb_to_lab,
    wide_to_lab,
)
from gpu_workers.imaging.linear_light import coded, colour, to_linear
from gpu_workers.imaging.lut import Lut, identity, preset
from gpu_workers.imaging.types import HALF, Codes, Mask, Plane
from gpu_workers.library.brands import BrandProfile, Colours
from gpu_workers.operations.style.surroundings import Seen, distance_to, quantiles, see, style_z
from schemas.operations.style import StyleParameters

# Set by hand, none is fitted, but where a line says so.
SLOPE_MIN, SLOPE_MAX = 0.5, 2.0  # of a tone curve: flatter loses shading, steeper brings up noise
_LEVELS_APART = 1.0  # of L*, between knots
_GRAIN = 3.0  # of L*a*b*
_TONE_MAX, _SHIFT_MAX = 15.0, 15.0  # L* and chroma: further, and the product would look pasted in
_CAST_MAX = 4.0  # of a*b* in greys
_GREYS = np.linspace(20, 95, 16, dtype=np.float32)[:, None]
_DARK, _LIGHT = 12.0, 6.0  # of L*, from black and from white, within which a change fades out
_GROUND_REACH = 20.0  # of L*a*b* from the ground, within which a change fades out: it keeps its colour
_CLEAR, _CORE = 4, 250  # of an alpha of 255, between which a pixel is mixed
_BESIDE_PX, _TRACE = 2, 1e-4  # sigma of what is beside a mixed pixel, and the weight of its own change where nothing is
_SAMPLES = 8_000  # pixels, enough for a median
_ROUNDING = 0.05  # of L*a*b*
_STEPS = 10  # halvings: a thousandth of the change that is searched for
_CAP_MARGIN = 0.97  # the sample is not the whole product


@dataclass(frozen=True)
class Styled:
    """A picture in the brand's style: `canvas` has the source's shape and depth, `lut` is what its surroundings went
    through, a table of codes as deep as the source's.

    Measures: style_distance_before and style_distance to the brand, in Lab units; style_z, where the brand has 20
    examples of its kind; product_share 0..1, how much of the change reached the product; product_delta_e_median and
    product_delta_e_p95, ΔE00 of its solid pixels.
    """

    canvas: Codes
    lut: Lut
    measures: dict[str, float]


def style(
    canvas: Codes,
    mask: Mask,
    brand: BrandProfile,
    parameters: StyleParameters | None = None,
    ground: NDArray[np.uint8] | None = None,
) -> Styled:
    """`canvas` (h, w, 3; uint8 sRGB or uint16 WIDE) in the style of `brand`; `mask` (h, w; uint8) is the product's
    alpha.

    Pixels that are exactly `ground` (3,; uint8 sRGB), a background that a channel demands, stay so, and colours near
    it move the less the nearer they are. At the product's soft edge the two changes mix as product and surroundings
    do. Raises NoSurroundings, BadBrand and BadLut.
    """
    parameters = parameters or StyleParameters()
    seen = see(canvas, mask)
    look = preset(parameters.lut) if parameters.lut else brand.look()
    lut = Lut(_table(seen, brand, look, parameters.strength, ground, canvas.dtype == np.uint16), brand.name)
    cap = brand.product_cap if parameters.product_cap is None else parameters.product_cap
    share = _product_share(_product(canvas, mask), lut, cap)
    styled = _mixed(canvas, mask, lut, share)
    if ground is not None:
        kept = (canvas == coded(to_linear(ground), canvas.dtype)).all(axis=2)
        styled[kept] = canvas[kept]
    return Styled(styled, lut, {"product_share": share, **_measures(canvas, styled, mask, seen, brand)})


def _table(
    seen: Seen, brand: BrandProfile, look: Lut | None, strength: float, ground: NDArray[np.uint8] | None, wide: bool
) -> Plane:
    """The table (33, 33, 33, 3) that brings what was seen to what the brand has, by way of the look; of `wide` codes,
    or of sRGB's."""
    to_lab, of_lab = (wide_to_lab, lab_to_wide) if wide else (srgb_to_lab, lab_to_srgb)
    before = identity()
    source, lab = _looked(seen.around, look), _looked(to_lab(before), look)
    if seen.kind == "plain" and brand.background is not None:
        there = srgb_to_lab(colour(brand.background))
        target = _grounded(lab, _looked(seen.ground, look), there)
    else:
        target = _matched(lab, source, brand.surroundings(seen.kind).colours)
    share = np.full(before.shape[:3], strength, np.float32)
    if ground is not None:
        share *= _smooth(np.linalg.norm(to_lab(before) - srgb_to_lab(ground), axis=-1) / _GROUND_REACH)
    return before + share[..., None] * (of_lab(target) - before)


def _looked(lab: Lab, look: Lut | None) -> Lab:
    """`lab` through a look, whose table is sRGB's: what lies beyond stays as far beyond."""
    if look is None:
        return lab
    held = lab_to_srgb(lab)
    beyond = lab - srgb_to_lab(held)
    return np.asarray(srgb_to_lab(look.of(held)) + np.where(np.abs(beyond) > _ROUNDING, beyond, 0), np.float32)


def _grounded(lab: Lab, here: Lab, there: Lab) -> Lab:
    """`lab` moved so that the plain ground `here` (3,) comes to lie `there`; nothing is stretched but lightness.

    What is lighter than a ground that darkens stays as much lighter: were white to stay white, a light ground could
    hardly darken at all.
    """
    level, goal = float(here[0]), float(there[0])
    toned = _toned(lab, *_curve([level], [goal], min(100.0, 100 + max(goal - level, -_TONE_MAX))))
    return _shifted(toned, (there - here) * np.array([0, 1, 1], np.float32))


def _matched(lab: Lab, source: Lab, wanted: Colours) -> Lab:
    """`lab` moved by what turns `source` (n, 3) into what is wanted: lightness by the curve, colour by the map."""
    curve = _curve(quantiles(source)[0].tolist(), wanted.quantiles[0])
    toned, source = _toned(lab, *curve), _toned(source, *curve)
    mean = source.mean(axis=0)
    matrix = _map(np.cov(source.T), np.array(wanted.covariance))
    shift = np.array(wanted.mean, np.float32) - mean
    shift *= min(1.0, _SHIFT_MAX / max(float(np.hypot(shift[1], shift[2])), 1e-6))
    greys = _GREYS * np.array([1, 0, 0], np.float32)
    share = _until_cast(((greys - mean) @ matrix.T + mean + shift)[:, 1:], np.array(wanted.mean[1:], np.float32))
    change = (toned - mean) @ matrix.T + mean + shift - toned
    return _shifted(toned, share * change * np.array([0, 1, 1], np.float32))


def _until_cast(greys: Plane, wanted: Plane) -> float:
    """How much of a change may be made that turns greys into the chroma `greys` (n, 2): what lies towards the `wanted`
    one (2,) is the brand's look, and more than _CAST_MAX of anything else a cast."""
    length = max(float(np.hypot(*wanted)), 1e-6)
    towards = np.clip(greys @ wanted / length, 0, length)
    cast = np.hypot(*(greys - towards[:, None] * wanted / length).T).max()
    return min(1.0, _CAST_MAX / max(float(cast), 1e-6))


def _curve(levels: Sequence[float], goals: Sequence[float], white: float = 100.0) -> tuple[Plane, Plane]:
    """Knots of the tone curve, L* in and out: black stays black, 100 becomes `white`, the levels go to their goals as
    far as slopes between SLOPE_MIN and SLOPE_MAX allow."""
    knots = [(0.0, 0.0)]
    for level, goal in zip(levels, goals, strict=True):
        if knots[-1][0] + _LEVELS_APART <= level <= 100 - _LEVELS_APART:
            knots.append((level, min(max(goal, level - _TONE_MAX), level + _TONE_MAX)))
    x, wanted = (np.array(values, np.float32) for values in zip(*knots, (100.0, white), strict=True))
    y = np.zeros_like(x)
    for n in range(1, len(x)):
        step, rest = x[n] - x[n - 1], 100 - x[n]
        least = max(y[n - 1] + SLOPE_MIN * step, white - SLOPE_MAX * rest)
        most = min(y[n - 1] + SLOPE_MAX * step, white - SLOPE_MIN * rest)
        y[n] = np.clip(wanted[n], least, most)
    return x, y


def _toned(lab: Lab, x: Plane, y: Plane) -> Lab:
    toned = lab.copy()
    toned[..., 0] = np.interp(lab[..., 0], x, y)
    return toned


def _shifted(lab: Lab, change: Lab) -> Lab:
    """`lab` and the change of its chroma, which is less towards black and white: they have none."""
    room = _smooth(lab[..., 0] / _DARK) * _smooth((100 - lab[..., 0]) / _LIGHT)
    return np.asarray(lab + room[..., None] * change, np.float32)


def _map(source: NDArray[np.float64], target: NDArray[np.float64]) -> Plane:
    """Monge and Kantorovich's map between covariances (3, 3), no direction stretched beyond the slopes allowed."""
    grain = _GRAIN**2 * np.eye(3)  # what a plain ground has of variance is noise, and not to be stretched
    source, target = source + grain, target + grain
    root = _root(source)
    inverse = np.linalg.inv(root)
    slopes, vectors = np.linalg.eigh(inverse @ _root(root @ target @ root) @ inverse)
    return np.asarray((vectors * np.clip(slopes, SLOPE_MIN, SLOPE_MAX)) @ vectors.T, np.float32)


def _root(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T)


def _smooth(share: Plane) -> Plane:
    """From 0 at 0 to 1 at 1 without a corner."""
    clipped = np.clip(share, 0, 1)
    return np.asarray(clipped * clipped * (3 - 2 * clipped), np.float32)


def _mixed(canvas: Codes, mask: Mask, lut: Lut, share: float) -> Codes:
    """Surroundings and product, each with its own change; where they mix in a pixel their changes do.

    There each change is taken from beside, where it is pure: a mixed colour is neither's, and what the table makes of
    it may lie beyond both, which would show as a halo.
    """
    styled = lut.applied(canvas, np.where(mask > _CLEAR, np.float32(share), np.float32(1)))
    band = (mask > _CLEAR) & (mask < _CORE)
    if not band.any():
        return styled
    rows, columns = np.flatnonzero(band.any(axis=1)), np.flatnonzero(band.any(axis=0))
    reach = 4 * _BESIDE_PX
    box = (
        slice(max(0, rows[0] - reach), rows[-1] + reach),
        slice(max(0, columns[0] - reach), columns[-1] + reach),
    )
    source, alpha, band = canvas[box], mask[box], band[box]
    change = lut.applied(source, np.ones(alpha.shape, np.float32)).astype(np.float32) - source
    mixed = source[band].astype(np.float32)
    part = alpha[band][:, None].astype(np.float32) / 255
    mixed += (1 - part) * _beside(change, alpha <= _CLEAR, band) + part * share * _beside(change, alpha >= _CORE, band)
    styled[box][band] = np.clip(mixed + 0.5, 0, np.iinfo(canvas.dtype).max).astype(canvas.dtype)
    return styled


def _beside(change: Plane, pure: NDArray[np.bool_], band: NDArray[np.bool_]) -> Plane:
    """The mean change (n, 3) of the pure pixels near those of the band; their own where there are none."""
    weight = cv2.GaussianBlur(pure.astype(np.float32), (0, 0), _BESIDE_PX)[band][:, None]
    near = cv2.GaussianBlur(change * pure[..., None], (0, 0), _BESIDE_PX)[band]
    return np.asarray((near + _TRACE * change[band]) / (weight + _TRACE), np.float32)


def _product(canvas: Codes, mask: Mask) -> Codes:
    """The product's solid pixels (n, 3), evenly taken; of all that are mostly its, if none is."""
    solid = np.flatnonzero(mask >= _CORE)
    if not len(solid):
        solid = np.flatnonzero(mask >= HALF)
    return canvas.reshape(-1, 3)[solid[:: max(1, len(solid) // _SAMPLES)]]


def _product_share(product: Codes, lut: Lut, cap: float) -> float:
    """How much of the change the product (n, 3) may have: all of it, or what keeps it under `cap`, by bisection."""
    if not len(product):
        return 1.0
    low, high = 0.0, 1.0
    if _is_within(product, lut, high, cap):
        return high
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if _is_within(product, lut, middle, cap) else (low, middle)
    return low


def _is_within(product: Codes, lut: Lut, share: float, cap: float) -> bool:
    changed = lut.applied(product[None], np.full((1, len(product)), share, np.float32))
    median, p95 = _difference(product, changed[0])
    return median <= _CAP_MARGIN * cap and p95 <= _CAP_MARGIN * 2 * cap


def _difference(before: Codes, after: Codes) -> tuple[float, float]:
    """Median and 95th percentile of ΔE00."""
    if not len(before):
        return 0.0, 0.0
    median, p95 = np.percentile(ciede2000(codes_to_lab(before), codes_to_lab(after)), (50, 95))
    return float(median), float(p95)


def _measures(canvas: Codes, styled: Codes, mask: Mask, seen: Seen, brand: BrandProfile) -> dict[str, float]:
    median, p95 = _difference(_product(canvas, mask), _product(styled, mask))
    surroundings = brand.surroundings(seen.kind)
    distance = distance_to(surroundings, see(styled, mask))
    z = style_z(distance, surroundings)
    return {
        "style_distance_before": distance_to(surroundings, seen),
        "style_distance": distance,
        **({} if z is None else {"style_z": z}),
        "product_delta_e_median": median,
        "product_delta_e_p95": p95,
    }
