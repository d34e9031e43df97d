"""Glass before a plain ground: which parts of a product are see-through, and how much."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.compiled import compiled
from gpu_workers.imaging.linear_light import code_of, light_of
from gpu_workers.imaging.types import Flags, Plane
from gpu_workers.operations.cutout import contrast
from gpu_workers.operations.cutout.regions import disc


@dataclass(frozen=True)
class _Limits:
    """What glass before a plain ground looks like. Set by hand, none is fitted.

    Contrasts, slopes (a pixel) and distances of colours are of code values 0..1.
    """

    rim_px: int = 7  # how far inside its outline a part's lines lie
    line_px: int = 5  # the radius within which a line is thinner than all about it
    line_contrast_min: float = 0.08
    lined_share: float = 0.25  # of the rim
    flat_sigma_px: float = 1.2  # by which noise is smoothed before slopes are taken
    flat_slope_max: float = 0.006
    off_max: float = 0.06  # from the dimmed, or the veiled, ground
    dimmed: tuple[float, float] = (0.6, 1.03)  # of the ground's light: more is no glass, less is another product
    veiled: tuple[float, float] = (-0.02, 0.5)  # the share of white over the ground
    shown_share: float = 0.5  # of a part, in which the ground is to be seen
    dimmed_spread_max: float = 0.035  # the deviation of what is dimmed, of the ground's light
    veiled_spread_max: float = 0.08  # and that of a veil's share


_GLASS = _Limits()
_REFLECTED = 0.035  # of the light, by a surface seen head on: Fresnel's ((n - 1) / (n + 1))² at n = 1.46
_LEAST = 1e-3  # of the light, below which nothing is divided by it


def see_through(rgb: Plane, background: Plane, solid: Flags) -> Flags:
    """Those parts of `solid` (h, w) that are glass: most of the part shows the sweep, evenly dimmed or veiled with
    white, inside bright or dark lines. A white box on white has no such lines about it, and a white vase is shaded.
    """
    inner = cv2.erode(solid.astype(np.uint8), disc(_GLASS.rim_px), borderValue=0) > 0
    count, labels = cv2.connectedComponents(solid.astype(np.uint8), connectivity=8)
    rim, lined = solid & ~inner, _thin_lines(rgb) > _GLASS.line_contrast_min
    edged = np.bincount(labels[rim & lined], minlength=count) > _GLASS.lined_share * np.bincount(
        labels[rim], minlength=count
    )
    if not edged[1:].any():
        return np.zeros(solid.shape, np.bool_)
    light, tint = contrast.light_and_tint(rgb, background)
    veil, off = _veil(rgb, background)
    flat = inner & (
        contrast.steepness(cv2.GaussianBlur(contrast.mean_channel(rgb), (0, 0), _GLASS.flat_sigma_px))
        < _GLASS.flat_slope_max
    )
    dimmed = flat & (tint < _GLASS.off_max) & (light > _GLASS.dimmed[0]) & (light < _GLASS.dimmed[1])
    veiled = flat & (off < _GLASS.off_max) & (veil > _GLASS.veiled[0]) & (veil < _GLASS.veiled[1])
    glass = edged & (
        _evenly(light, dimmed, inner, labels, _GLASS.dimmed_spread_max)
        | _evenly(veil, veiled, inner, labels, _GLASS.veiled_spread_max)
    )
    glass[0] = False
    return np.asarray(glass[labels])


def _evenly(values: Plane, shown: Flags, inner: Flags, labels: NDArray[np.int32], spread_max: float) -> Flags:
    """Which labels have more than half of what is `inner` (h, w) in `shown` (h, w), and much the same values there."""
    count = int(labels.max()) + 1
    areas = np.maximum(np.bincount(labels[shown], minlength=count), 1)
    means = np.bincount(labels[shown], values[shown], count) / areas
    squares = np.bincount(labels[shown], (values[shown] - means[labels[shown]]) ** 2, count) / areas
    enough = np.bincount(labels[shown], minlength=count) > _GLASS.shown_share * np.maximum(
        np.bincount(labels[inner], minlength=count), 1
    )
    return np.asarray(enough & (np.sqrt(squares) < spread_max))


def _veil(rgb: Plane, background: Plane) -> tuple[Plane, Plane]:
    """The share of white (h, w) that makes `background` most like `rgb`, (h, w, 3) in 0..1, and what is left."""
    share, off = (np.empty(rgb.shape[:2], np.float32) for _ in range(2))
    _unveil(rgb, background, share, off)
    return share, off


@compiled("void(f4[:, :, :], f4[:, :, :], f4[:, ::1], f4[:, ::1])")
def _unveil(rgb, background, share, off):  # type: ignore[no-untyped-def]
    one, least = np.float32(1), np.float32(_LEAST)
    for row in range(share.shape[0]):
        for column in range(share.shape[1]):
            length = along = np.float32(0)
            for channel in range(3):
                white = one - background[row, column, channel]
                length += white * white
                along += (rgb[row, column, channel] - background[row, column, channel]) * white
            veil = along / max(length, least)
            largest = np.float32(0)
            for channel in range(3):
                veiled = background[row, column, channel] + veil * (one - background[row, column, channel])
                largest = max(largest, abs(rgb[row, column, channel] - veiled))
            share[row, column], off[row, column] = veil, largest


def _thin_lines(rgb: Plane) -> Plane:
    """How far a pixel stands out, brighter or darker, from everything some pixels about it."""
    level = contrast.mean_channel(rgb)
    bright = level - cv2.morphologyEx(level, cv2.MORPH_OPEN, disc(_GLASS.line_px))
    dark = cv2.morphologyEx(level, cv2.MORPH_CLOSE, disc(_GLASS.line_px)) - level
    return np.asarray(cv2.max(bright, dark), np.float32)


def thinned(rgb: Plane, background: Plane, glass: Flags) -> tuple[Plane, Plane]:
    """The alpha (h, w) of `glass` (h, w) that explains rgb before `background`, (h, w, 3) in 0..1, and its colours.

    In linear light: what its surfaces reflect anyway, and of the rest the least that takes so much light from the
    ground, or adds so much to it.
    """
    seen, ground = light_of(rgb), light_of(background)
    taken = (1 - seen / np.maximum(ground, _LEAST)).max(axis=2)
    added = ((seen - ground) / np.maximum(1 - ground, _LEAST)).max(axis=2)
    reflected = _reflected(glass)
    alpha = reflected + (1 - reflected) * np.clip(np.maximum(taken, added), 0, 1)
    own = (seen - (1 - alpha[..., None]) * ground) / np.maximum(alpha[..., None], _LEAST)
    return alpha.astype(np.float32), code_of(np.clip(own, 0, 1).astype(np.float32))


def _reflected(glass: Flags) -> Plane:
    """What four surfaces of round `glass` (h, w) reflect: little in its middle, all where they turn away.

    By Schlick's approximation of Fresnel's equations; the middle is where the outline is furthest.
    """
    depth = cv2.distanceTransform(glass.astype(np.uint8), cv2.DIST_L2, 5)
    across = 1 - depth / max(float(depth.max()), 1.0)
    of_one = _REFLECTED + (1 - _REFLECTED) * (1 - np.sqrt(1 - across**2)) ** 5
    return np.asarray(1 - (1 - of_one) ** 4, np.float32)
