"""CIE Lab under D65, and CIEDE2000, how different two colours look.

The formula is that of G. Sharma, W. Wu and E. N. Dalal, "The CIEDE2000 color-difference formula: implementation notes,
supplementary test data, and mathematical observations" (2005), with kL = kC = kH = 1.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.linear_light import to_linear
from gpu_workers.imaging.types import Codes
from gpu_workers.imaging.wide_gamut import SRGB_OF_WIDE, WIDE_OF_SRGB

Lab = NDArray[np.float32]

_XYZ_OF_RGB = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_OF_WHITE = (_XYZ_OF_RGB / _XYZ_OF_RGB.sum(axis=1, keepdims=True)).astype(np.float32)  # grey has a* = b* = 0
_TO_RGB = np.linalg.inv(_OF_WHITE.astype(np.float64)).astype(np.float32)
_SRGB_OF_WIDE, _WIDE_OF_SRGB = SRGB_OF_WIDE.T.astype(np.float32), WIDE_OF_SRGB.T.astype(np.float32)
_KNEE = 6 / 29
_25_7 = 25.0**7


def srgb_to_lab(rgb: NDArray[Any]) -> Lab:
    """sRGB (…, 3) as uint8, uint16, or floating code values 0..1, to L* (0..100), a*, b*, float32 (…, 3)."""
    return light_to_lab(to_linear(rgb) if rgb.dtype == np.uint8 else _decoded(_unit(rgb)))


def codes_to_lab(codes: Codes) -> Lab:
    """Codes (…, 3), uint8 of sRGB or uint16 of WIDE, to L* (0..100), a*, b*, float32 (…, 3)."""
    return light_to_lab(to_linear(codes))


def wide_to_lab(rgb: NDArray[np.float32]) -> Lab:
    """WIDE code values (…, 3), 0..1, to L* (0..100), a*, b*, float32 (…, 3)."""
    return light_to_lab(_decoded(rgb) @ _SRGB_OF_WIDE)


def light_to_lab(light: NDArray[np.float32]) -> Lab:
    """Linear sRGB (…, 3), 0..1 and beyond for what sRGB does not hold, to L*, a*, b*, float32 (…, 3)."""
    part = light @ _OF_WHITE.T
    f = np.where(part > _KNEE**3, np.cbrt(part), part / np.float32(3 * _KNEE**2) + np.float32(4 / 29))
    lab = np.empty(f.shape, np.float32)
    lab[..., 0] = 116 * f[..., 1] - 16
    lab[..., 1] = 500 * (f[..., 0] - f[..., 1])
    lab[..., 2] = 200 * (f[..., 1] - f[..., 2])
    return lab


def lab_to_srgb(lab: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Lab (…, 3) to sRGB code values, float32 (…, 3), clipped to 0..1: what lies outside sRGB loses its chroma."""
    return _encoded(_light_of(lab))


def lab_to_wide(lab: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Lab (…, 3) to WIDE code values, float32 (…, 3), clipped to 0..1."""
    return _encoded(_light_of(lab) @ _WIDE_OF_SRGB)


def _light_of(lab: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    lab = lab.astype(np.float32)
    y = (lab[..., 0] + 16) / 116
    f = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], axis=-1)
    part = np.where(f > _KNEE, f**3, np.float32(3 * _KNEE**2) * (f - np.float32(4 / 29)))
    return np.asarray(part @ _TO_RGB.T, np.float32)


def _encoded(light: NDArray[np.float32]) -> NDArray[np.float32]:
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** np.float32(1 / 2.4) - 0.055).astype(np.float32)


def ciede2000(lab1: NDArray[np.floating[Any]], lab2: NDArray[np.floating[Any]]) -> NDArray[Any]:
    """ΔE00 between Lab colours (…, 3); shapes broadcast, the result (…) has their type. Below 1 hardly anyone sees."""
    (l1, a1, b1), (l2, a2, b2) = np.moveaxis(lab1, -1, 0), np.moveaxis(lab2, -1, 0)
    grey = 1.5 - 0.5 * _saturation((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2)
    c1, c2 = np.hypot(a1 * grey, b1), np.hypot(a2 * grey, b2)
    h1, h2 = _hue(a1 * grey, b1), _hue(a2 * grey, b2)
    lightness, chroma = (l1 + l2) / 2, (c1 + c2) / 2
    turn, hue = _between(h1, h2, (c1 == 0) | (c2 == 0))
    term = 1 - 0.17 * _cos(hue - 30) + 0.24 * _cos(2 * hue) + 0.32 * _cos(3 * hue + 6) - 0.20 * _cos(4 * hue - 63)
    fifty = (lightness - 50) ** 2
    delta_l = (l2 - l1) / (1 + 0.015 * fifty / np.sqrt(20 + fifty))
    delta_c = (c2 - c1) / (1 + 0.045 * chroma)
    delta_h = 2 * np.sqrt(c1 * c2) * np.sin(np.deg2rad(turn / 2)) / (1 + 0.015 * chroma * term)
    rotation = -2 * _saturation(chroma) * np.sin(np.deg2rad(60 * np.exp(-(((hue - 275) / 25) ** 2))))
    return np.asarray(np.sqrt(delta_l**2 + delta_c**2 + delta_h**2 + rotation * delta_c * delta_h))


def _unit(rgb: NDArray[Any]) -> NDArray[np.float32]:
    scaled = rgb.astype(np.float32)
    return scaled / np.float32(np.iinfo(rgb.dtype).max) if np.issubdtype(rgb.dtype, np.integer) else scaled


def _decoded(code: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** np.float32(2.4)).astype(np.float32)


def _saturation(chroma: NDArray[Any]) -> NDArray[Any]:
    seventh = chroma**7
    return np.asarray(np.sqrt(seventh / (seventh + _25_7)))


def _hue(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(np.rad2deg(np.arctan2(b, a)) % 360)


def _between(h1: NDArray[Any], h2: NDArray[Any], is_grey: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The shorter turn from `h1` to `h2` and the hue half-way, in degrees; a grey has no hue, so the other's counts."""
    turn = h2 - h1
    far = np.abs(turn) > 180
    turn = np.where(is_grey, 0, turn - 360 * np.sign(turn) * far)
    total = h1 + h2
    half = np.where(far, np.where(total < 360, total + 360, total - 360), total) / 2
    return turn, np.where(is_grey, total, half)


def _cos(degrees: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(np.cos(np.deg2rad(degrees)))
