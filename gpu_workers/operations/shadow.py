"""Shadows: taking a supplier's own off a cut-out, and casting ours."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from schemas.channels import ShadowMode

Mask = NDArray[np.uint8]

_DARK = 64
_HALF = 128
_FADED = 16
_FAINT = 32
_LEAST_SHARE = 0.002
_COARSE = 4
_REACH = (9, 9)
_TRACE = 0.08
_INVISIBLE = 0.004


def strip(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """`rgba` (h, w, 4; straight alpha) without the soft shadow that a supplier left in its alpha.

    A shadow is dark, thin and fades to nothing outside the product; tinted lenses and glass do not fade. Pixels at
    the product's edge that hold both are unmixed. Returns `rgba` itself when there is no shadow.
    """
    alpha = rgba[..., 3]
    product = (alpha >= _HALF).astype(np.uint8)
    shadow = _shadow(rgba, product)
    if not shadow.any():
        return rgba
    touching = cv2.dilate(product, np.ones((5, 5), np.uint8)) > 0
    far = shadow & ~touching
    out = rgba.copy()
    out[far] = 0
    near = cv2.dilate(shadow.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    _unmix(out, near & touching & (alpha < 255) & (alpha > 0), rgba, far)
    return out


def _shadow(rgba: NDArray[np.uint8], product: Mask) -> NDArray[np.bool_]:
    """Where the supplier's shadow lies: connected dark haze that fades away from the product."""
    alpha = rgba[..., 3]
    dark = (rgba[..., :3].max(axis=-1) < _DARK) | (alpha < _FAINT)  # so faint a pixel's colour says nothing
    haze = (alpha > 0) & (alpha < _HALF) & dark
    away = cv2.dilate(product, np.ones((7, 7), np.uint8)) == 0
    fading = haze & away & (alpha < _FADED)
    if fading.sum() < _LEAST_SHARE * product.sum():
        return np.zeros(alpha.shape, np.bool_)
    count, labels = cv2.connectedComponents(haze.astype(np.uint8), connectivity=8)
    fades = np.bincount(labels[fading], minlength=count) > 0
    return np.asarray(fades[labels] & haze)


def _unmix(out: NDArray[np.uint8], band: NDArray[np.bool_], rgba: NDArray[np.uint8], far: NDArray[np.bool_]) -> None:
    """Takes the shadow, as it is a few pixels off, out from under the product's soft edge."""
    weight = cv2.blur(far.astype(np.float32), _REACH)
    premultiplied = rgba[..., 3:] / np.float32(255) * far[..., None]
    behind = cv2.blur(np.dstack([rgba[..., :3] * premultiplied, premultiplied]), _REACH)[band]
    behind /= np.maximum(weight[band], 1e-3)[:, None]
    alpha = rgba[..., 3][band] / np.float32(255)
    own = np.clip((alpha - behind[:, 3]) / np.maximum(1 - behind[:, 3], 1e-3), 0, 1)
    own[own < _TRACE] = 0
    light = rgba[..., :3][band] * alpha[:, None] - (1 - own)[:, None] * behind[:, :3]
    out[..., :3][band] = np.clip(light / np.maximum(own, 1e-3)[:, None] + 0.5, 0, 255).astype(np.uint8)
    out[..., 3][band] = (own * 255 + 0.5).astype(np.uint8)


def cast(alpha: Mask, mode: ShadowMode) -> NDArray[np.float32]:
    """The darkness (h, w; 0..1, exactly 0 away from the product) that the product `alpha` (h, w) casts on its ground.

    `contact` darkens the line where the product stands, `soft` adds a wide and weak shadow round it.
    """
    darkness = np.zeros(alpha.shape, np.float32)
    if mode == "none" or not (alpha >= _HALF).any():
        return darkness
    small = cv2.resize(alpha, None, fx=1 / _COARSE, fy=1 / _COARSE, interpolation=cv2.INTER_AREA)
    layers = _CONTACT if mode == "contact" else _CONTACT + _SOFT
    clear = np.ones(small.shape, np.float32)
    for opacity, layer in layers:
        clear = clear * (1 - opacity * _print(small, layer))
    # The tail is cut where eight bits would not show it, so that the background beyond stays exact.
    total = np.maximum((1 - clear - _INVISIBLE) / (1 - _INVISIBLE), 0)
    grown = cv2.resize(total, alpha.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(grown, np.float32)


@dataclass(frozen=True)
class _Layer:
    """How the shadow is printed: lengths as shares of the product's longer side, `strip` of its height.

    Columns of the product that end less than `strip` above its lowest point print, the weaker the higher; `lean`
    (0..1) says how far those prints sink towards the ground.
    """

    strip: float
    lean: float
    drop: float
    spread_x: float
    spread_y: float


_CONTACT = ((0.5, _Layer(strip=0.05, lean=0.0, drop=0.002, spread_x=0.012, spread_y=0.006)),)
_SOFT = (
    (0.3, _Layer(strip=0.15, lean=0.3, drop=0.012, spread_x=0.035, spread_y=0.014)),
    (0.2, _Layer(strip=0.5, lean=0.7, drop=0.03, spread_x=0.07, spread_y=0.035)),
)


def _print(alpha: Mask, layer: _Layer) -> NDArray[np.float32]:
    """One blurred print of where the product stands, 0..1."""
    solid = alpha >= _HALF
    rows, columns = np.flatnonzero(solid.any(axis=1)), np.flatnonzero(solid.any(axis=0))
    height, width = rows[-1] + 1 - rows[0], columns[-1] + 1 - columns[0]
    longer = float(max(height, width))
    lowest = len(solid) - 1 - np.argmax(solid[::-1], axis=0)
    above = rows[-1] - lowest
    stands = np.where(solid.any(axis=0), (1 - above / max(layer.strip * height, 1.0)).clip(0, 1), 0)
    sigma_x, sigma_y = (max(spread * longer, 0.5) for spread in (layer.spread_x, layer.spread_y))
    y = np.arange(len(solid), dtype=np.float32)[:, None]
    centre = lowest + layer.lean * above + layer.drop * longer
    prints = (np.exp(-0.5 * ((y - centre) / sigma_y) ** 2) * stands).astype(np.float32)
    blurred = cv2.GaussianBlur(prints, (0, 0), sigmaX=sigma_x, sigmaY=sigma_y / 2)
    return np.asarray(blurred, np.float32)
