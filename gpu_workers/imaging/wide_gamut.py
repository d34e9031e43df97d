"""The colours that sRGB does not hold: the space in which they are kept, and how they are brought into sRGB at last.

Eight bits are always sRGB. Sixteen are always WIDE: Rec. 2020's primaries, which hold Display P3, Adobe RGB and what
surfaces can show of ProPhoto RGB, with sRGB's white and curve. So an array says by its type what its numbers mean.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.compiled import compiled
from gpu_workers.imaging.icc import SRGB_CURVE, SRGB_XY, WHITE_XY, matrix_profile, to_d50, xyz_of

Matrix = NDArray[np.float64]

_WIDE_XY = ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046))
_OUTSIDE = 0.02  # rounding, and profiles of sRGB that are a little off
_NAME = "WIDE (Rec. 2020 primaries, sRGB curve)"
_HALVINGS = 12
_TOLERANCE = 1e-5
_ROUNDED = 5e-5  # a code of sixteen bits is off by as much, and sRGB's blue would lose a good part of its chroma for it

# Oklab, B. Ottosson, 2020: hue stays where it is while chroma changes, which it does not in L*a*b*.
_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_OPPONENTS = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_TO_CONES, _TO_LIGHT = np.linalg.inv(_OPPONENTS), np.linalg.inv(_CONES)


SRGB_OF_WIDE = np.linalg.inv(xyz_of(SRGB_XY)) @ xyz_of(_WIDE_XY)
WIDE_OF_SRGB = np.linalg.inv(SRGB_OF_WIDE)
_SRGB_OF_D50 = np.linalg.inv(to_d50(WHITE_XY) @ xyz_of(SRGB_XY))


def holds_more(colorants_xyz: NDArray[np.float64]) -> bool:
    """Whether a profile with these colorants (3, 3; a row each, XYZ under D50) has colours that sRGB has not."""
    return bool((colorants_xyz @ _SRGB_OF_D50.T).min() < -_OUTSIDE)


def in_srgb(light: NDArray[np.float32]) -> NDArray[np.float32]:
    """Linear sRGB (..., 3) with what leaves 0..1 brought to sRGB's rim: as light and of the same hue, but less vivid.

    Cutting each channel off instead turns the hue of what only Display P3 holds by up to 7°. What sRGB holds is not
    touched, so the way in is not a soft one.
    """
    if not light.size or (light.min() >= 0 and light.max() <= 1):
        return light
    outside = ((light < -_ROUNDED) | (light > 1 + _ROUNDED)).any(axis=-1)
    colours = np.cbrt(light[outside].astype(np.float64) @ _CONES.T) @ _OPPONENTS.T
    found = np.empty(colours.shape, np.float32)
    _less_vivid(np.ascontiguousarray(colours), found)
    inside = light.clip(0, 1)
    inside[outside] = found
    return inside


@compiled("UniTuple(f8, 3)(f8, f8, f8)")
def _light_of(lightness, a, b):  # type: ignore[no-untyped-def]
    long = (_TO_CONES[0, 0] * lightness + _TO_CONES[0, 1] * a + _TO_CONES[0, 2] * b) ** 3
    medium = (_TO_CONES[1, 0] * lightness + _TO_CONES[1, 1] * a + _TO_CONES[1, 2] * b) ** 3
    short = (_TO_CONES[2, 0] * lightness + _TO_CONES[2, 1] * a + _TO_CONES[2, 2] * b) ** 3
    return (
        _TO_LIGHT[0, 0] * long + _TO_LIGHT[0, 1] * medium + _TO_LIGHT[0, 2] * short,
        _TO_LIGHT[1, 0] * long + _TO_LIGHT[1, 1] * medium + _TO_LIGHT[1, 2] * short,
        _TO_LIGHT[2, 0] * long + _TO_LIGHT[2, 1] * medium + _TO_LIGHT[2, 2] * short,
    )


@compiled("void(f8[:, ::1], f4[:, ::1])")
def _less_vivid(colours, out):  # type: ignore[no-untyped-def]
    """Fills `out` (n, 3) with the most chroma that sRGB has at each colour's (n, 3) lightness and hue, by bisection."""
    for n in range(len(colours)):
        lightness = min(max(colours[n, 0], 0.0), 1.0)
        low, high = 0.0, 1.0
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            red, green, blue = _light_of(lightness, middle * colours[n, 1], middle * colours[n, 2])
            if min(red, green, blue) > -_TOLERANCE and max(red, green, blue) < 1 + _TOLERANCE:
                low = middle
            else:
                high = middle
        red, green, blue = _light_of(lightness, low * colours[n, 1], low * colours[n, 2])
        out[n, 0], out[n, 1], out[n, 2] = min(max(red, 0), 1), min(max(green, 0), 1), min(max(blue, 0), 1)


@cache
def profile() -> bytes:
    """The ICC profile of WIDE (version 4, matrix and curve), so that others read our 16-bit files right."""
    return matrix_profile(_NAME, _WIDE_XY, SRGB_CURVE)
