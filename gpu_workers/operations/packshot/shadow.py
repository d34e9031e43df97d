"""Shadows: taking a supplier's own off a cut-out, and casting ours."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.linear_light import eight_bit, opacity, to_linear
from gpu_workers.imaging.types import HALF, Codes, Mask, Plane
from gpu_workers.operations.packshot import light
from gpu_workers.operations.packshot.light import Crease, Light, Stand
from schemas.channels import ShadowMode

# Set by hand, none is fitted, but where a line says so.
_DARK = 64  # of 255 in the brightest channel: darker is a supplier's shadow
_DIM, _GREY = 128, 48  # a shadow in the light that a product throws back had up to 110, and 37 between its channels
_FADED = 16  # of an alpha of 255: how faint a shadow's end must get
_FAINT = 32  # of an alpha of 255, below which a pixel's colour says nothing
_LEAST_SHARE = 0.002  # of the product's area that must fade, or it is no shadow
_REACH = (9, 9)  # px, the window in which a shadow is taken to be the same
_ABOUT_PX = 8  # a product's edge is unmixed up to 3 px from its shadow, by what lies up to 4 px further off
_TRACE = 0.08  # of alpha that is left of a shadow that was taken out
_INVISIBLE = 0.004  # of the ground's light, one code value of white

_STEP_SOFT = 4  # a blurred shadow is as good at a quarter of the size
_STEP: dict[ShadowMode, int] = {"hard": 2}
_RIM, _RIM_EMPTY = 0.1, 0.1  # of the picture's side, within which a shadow fades out, and of that what stays empty
_HOVER = 0.06  # of the product's longer side: how high above the ground it floats
LIGHTS: dict[ShadowMode, Light] = {
    "soft": Light(azimuth_deg=-45, elevation_deg=62, softness_deg=40, share=0.32),
    "hard": Light(azimuth_deg=-45, elevation_deg=58, softness_deg=6, share=0.5),
    "floating": Light(azimuth_deg=-150, elevation_deg=50, softness_deg=55, share=0.4),
}
_CONTACT = (Crease(strength=0.5, reach=0.05, spread_x=0.012, spread_y=0.006, drop=0.002),)
_STANDING = (
    *_CONTACT,
    Crease(strength=0.28, reach=0.15, spread_x=0.035, spread_y=0.014, drop=0.01),
    Crease(strength=0.14, reach=0.5, spread_x=0.07, spread_y=0.03, drop=0.02),
)
_CREASES: dict[ShadowMode, tuple[Crease, ...]] = {
    "contact": _CONTACT,
    "soft": _STANDING,
    "hard": _STANDING,
    "floating": (),
    "reflection": _CONTACT,
}


def strip(rgba: Codes) -> Codes:
    """`rgba` (h, w, 4; uint8 or uint16, straight alpha) without the soft shadow that a supplier left in its alpha.

    A shadow is dark, thin and fades to nothing outside the product; tinted lenses and glass do not fade. Pixels at
    the product's edge that hold both are unmixed. Returns `rgba` itself when there is no shadow.
    """
    visible = rgba[..., 3] > 0
    if not visible.any():
        return rgba
    whole = _around(visible)  # of a large photograph most is clear
    stripped = _stripped(rgba[whole])
    if stripped is None:
        return rgba
    out = rgba.copy()
    out[whole] = stripped
    return out


def _stripped(rgba: Codes) -> Codes | None:
    """As `strip`; None where there is no shadow."""
    seen = eight_bit(rgba)
    alpha = seen[..., 3]
    product = (alpha >= HALF).astype(np.uint8)
    shadow = _shadow(seen, product)
    if not shadow.any():
        return None
    out, box = rgba.copy(), _around(shadow)
    touching = cv2.dilate(product[box], np.ones((5, 5), np.uint8)) > 0
    far = shadow[box] & ~touching
    out[box][far] = 0
    near = cv2.dilate(shadow[box].astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    mixed = (alpha[box] < 255) & (alpha[box] > 0)
    _unmix(out[box], near & touching & mixed, rgba[box], far)
    return out


def _around(there: NDArray[np.bool_]) -> tuple[slice, slice]:
    """The rows and columns of what is there, and those about it that count for what is taken off."""
    rows, columns = (np.flatnonzero(there.any(axis=axis)) for axis in (1, 0))
    return (
        slice(max(0, rows[0] - _ABOUT_PX), rows[-1] + 1 + _ABOUT_PX),
        slice(max(0, columns[0] - _ABOUT_PX), columns[-1] + 1 + _ABOUT_PX),
    )


def _shadow(rgba: NDArray[np.uint8], product: Mask) -> NDArray[np.bool_]:
    """Where the supplier's shadow lies: connected dark haze that fades away from the product."""
    red, green, blue, alpha = cv2.split(rgba)
    brightest = cv2.max(cv2.max(red, green), blue)
    dark = (brightest < _DARK) | (alpha < _FAINT)  # so faint a pixel's colour says nothing
    haze = (alpha > 0) & (alpha < HALF) & dark
    away = cv2.dilate(product, np.ones((7, 7), np.uint8)) == 0
    fading = haze & away & (alpha < _FADED)
    if fading.sum() < _LEAST_SHARE * product.sum():
        return np.zeros(alpha.shape, np.bool_)
    count, labels = cv2.connectedComponents(haze.astype(np.uint8), connectivity=8)
    fades = np.bincount(labels[fading], minlength=count) > 0
    found = fades[labels] & haze
    return np.asarray(found | _scraps(rgba, product, found))


def _scraps(rgba: NDArray[np.uint8], product: Mask, shadow: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What is left of a `shadow` between it and the product: grey haze, lit from the product's side, further off than
    a soft edge is wide."""
    brightest, darkest = rgba[..., :3].max(axis=2), rgba[..., :3].min(axis=2)
    grey = (brightest < _DIM) & (brightest - darkest < _GREY)
    beside = cv2.dilate(shadow.astype(np.uint8), np.ones((2 * _ABOUT_PX + 1, 2 * _ABOUT_PX + 1), np.uint8)) > 0
    soft = cv2.dilate(product, np.ones((5, 5), np.uint8)) > 0
    return np.asarray((rgba[..., 3] > 0) & (rgba[..., 3] < HALF) & grey & beside & ~soft)


def _unmix(out: Codes, band: NDArray[np.bool_], rgba: Codes, far: NDArray[np.bool_]) -> None:
    """Takes the shadow, as it is a few pixels off, out from under the product's soft edge."""
    most = np.iinfo(rgba.dtype).max
    weight = cv2.blur(far.astype(np.float32), _REACH)
    opaque = opacity(rgba[..., 3]) * far
    planes = (*(rgba[..., channel] * opaque for channel in range(3)), opaque)
    behind = np.stack([cv2.blur(plane, _REACH)[band] for plane in planes], axis=1)
    behind /= np.maximum(weight[band], 1e-3)[:, None]
    alpha = opacity(rgba[..., 3][band])
    own = np.clip((alpha - behind[:, 3]) / np.maximum(1 - behind[:, 3], 1e-3), 0, 1)
    own[own < _TRACE] = 0
    colours = rgba[..., :3][band] * alpha[:, None] - (1 - own)[:, None] * behind[:, :3]
    out[..., :3][band] = np.clip(colours / np.maximum(own, 1e-3)[:, None] + 0.5, 0, most).astype(rgba.dtype)
    out[..., 3][band] = (own * most + 0.5).astype(rgba.dtype)


def stripped_off(rgba: Codes, product: Codes) -> Plane:
    """The alpha (h, w; 0..1) of the shadow that `strip` took off `rgba` to leave `product`."""
    whole, own = opacity(rgba[..., 3]), opacity(product[..., 3])
    return np.asarray(np.clip((whole - own) / np.maximum(1 - own, 1e-3), 0, 1) * (own < 1), np.float32)


def darkness_of(alpha: Plane) -> Plane:
    """What a black shadow of this `alpha` (any shape, 0..1) takes of the ground's light (0..1).

    Suppliers look at their shadows in programs that mix code values, so it is these that must come out the same.
    """
    return 1 - to_linear(np.rint((1 - np.clip(alpha, 0, 1)) * 255).astype(np.uint8))


def cast(alpha: Mask, mode: ShadowMode, lit: Light | None = None) -> Plane:
    """The darkness (h, w; 0..1, exactly 0 away from it) that the product `alpha` (h, w) casts on its ground.

    `contact` darkens the lines on which the product stands, `soft` adds what a window keeps lit beside it and `hard`
    what a lamp does; `floating` hovers above its ground. `lit` takes the place of the mode's light. Nothing is cast by
    `none`, nor by `own`, which is the supplier's.
    """
    if mode in ("none", "own") or not (alpha >= HALF).any():
        return np.zeros(alpha.shape, np.float32)
    total = _thrown(reduced(alpha, mode), mode, lit or LIGHTS.get(mode))
    return np.asarray(cv2.resize(total, alpha.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def reduced(alpha: Mask, mode: ShadowMode) -> Mask:
    """`alpha` (h, w) at the size at which its shadow is made."""
    step = _STEP.get(mode, _STEP_SOFT)
    return np.asarray(cv2.resize(alpha, None, fx=1 / step, fy=1 / step, interpolation=cv2.INTER_AREA), np.uint8)


def _thrown(alpha: Mask, mode: ShadowMode, lit: Light | None) -> Plane:
    """As `cast`, at the size of `alpha` (h, w) itself."""
    stance = light.stand(alpha)
    clear = sky_left(alpha, stance, mode)
    if lit is not None:
        clear = clear * (1 - taken_from(lit, alpha, stance, mode))
    # The tail is cut where eight bits would not show it, so that the background beyond stays exact.
    return np.asarray(np.maximum((1 - clear - _INVISIBLE) / (1 - _INVISIBLE), 0), np.float32)


def sky_left(alpha: Mask, stance: Stand, mode: ShadowMode) -> Plane:
    """What of the sky (h, w; 0..1) the ground still sees along the lines on which the product stands."""
    clear = np.ones(alpha.shape, np.float32)
    for kind in _CREASES[mode]:
        clear = clear * (1 - light.crease(stance, alpha.shape, kind))
    return clear


def taken_from(lit: Light, alpha: Mask, stance: Stand, mode: ShadowMode) -> Plane:
    """The share of the ground's light (h, w; 0..1) that the product takes by standing, or hovering, in `lit`."""
    return taker(alpha, stance, mode)(lit)


def taker(alpha: Mask, stance: Stand, mode: ShadowMode) -> Callable[[Light], Plane]:
    """What `taken_from` does, for many lights of the same product."""
    if mode == "floating":
        gap_px = _HOVER * stance.longer_px
        return lambda lit: lit.share * _towards_the_rim(light.drop(alpha, gap_px, lit))
    casting = light.Casting(alpha, stance)
    return lambda lit: lit.share * _towards_the_rim(casting.occlusion(lit))


def _towards_the_rim(dark: Plane) -> Plane:
    """`dark` faded to nothing at the picture's rim, which else would cut it off."""
    ramps = []
    for side in dark.shape:
        from_rim = np.minimum(np.arange(side) + 0.5, side - np.arange(side) - 0.5) / (_RIM * side)
        near = np.clip(from_rim - _RIM_EMPTY, 0, 1)
        ramps.append((near * near * (3 - 2 * near)).astype(np.float32))
    return np.asarray(dark * ramps[0][:, None] * ramps[1], np.float32)
