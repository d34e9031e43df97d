"""One light, and what a product that stands in it does to the ground: geometry of its silhouette, nothing else.

The camera looks along the ground from a little above it; the product stands upright on it as a cardboard figure would,
on feet that are round: as deep as they are wide, but no deeper than the product is high. A point of the silhouette
darkens the ground where the ray from the light through it ends, the more blurred the larger the light and the higher
the point. Close to its feet less of the sky is seen as well.
All of it is a share of the ground's light, so it is to be multiplied in linear light.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.compiled import compiled
from gpu_workers.imaging.types import HALF, Mask, Plane

# Set by hand, none is fitted, but where a line says so.
_CAMERA_ELEVATION_DEG = 10.0  # of product photography, from slightly above
_FORESHORTENED = math.sin(math.radians(_CAMERA_ELEVATION_DEG))
_FOOT_REACH = 0.25  # of the product's height: how far above its lowest point something may still stand on the ground
FOOT_RISE = 0.02  # of the product's height: an underside that rises as much between two low points has two feet
_CLIMB = 0.6  # rows a column: an underside that climbs faster is the foot's edge no more
_LEVELS = 9  # heights from which a shadow is thrown, each blurred as far as it is from the ground
_THIN = 0.08  # rows of ground for each row of the product, at least: a light from the side has a shadow, too
_SLIM = 0.5  # of its foot's width: what is narrower is as deep as it is wide
_BESIDE = 0.9  # what overhangs a foot is as deep as the foot at this share of the way to its end
_BACK = 0.2  # by how much of its depth a foot's back is rounded; chosen by eye
_DEPTHS = 4  # steps in which a foot's depth follows its round outline
_FILLED = 0.75  # of the darkness that what is thrown from the top has lost: other light comes in beneath
# of the height that a flat base may rise, of the width it must have, percent of it that is corners
_FLAT, _WIDE, _ROUNDED = 0.02, 0.3, 20
# of the light that is mirrored, of the height that is, and its blur, of the height
_MIRROR, _MIRRORED, _GLOSS = 0.3, 0.4, 0.0015


@dataclass(frozen=True)
class Light:
    """A light. Azimuth 0 is the camera's side, positive the viewer's right; elevation is above the horizon.

    `softness_deg` is how large the light is, seen from the product; `share` (0..1) how much of the ground's light is
    its own, which is what its shadow takes away.
    """

    azimuth_deg: float
    elevation_deg: float
    softness_deg: float
    share: float


@dataclass(frozen=True)
class Crease:
    """The dark line where a product stands: `strength` (0..1), `reach`, the share of its height above which what is
    there hides no sky, and as shares of its longer side how far it spreads and how far it lies below its foot.
    """

    strength: float
    reach: float
    spread_x: float
    spread_y: float
    drop: float


@dataclass(frozen=True)
class Stand:
    """How a product stands: for every column of its picture the line (w,) at which the ground lies under it, in rows
    from the top, and how far (w,) its lowest point is above that; infinite where there is no product. `feet` (w,) says
    where it touches, `height_px` is its height and `longer_px` its longer side.
    """

    ground: Plane
    clearance: Plane
    feet: NDArray[np.bool_]
    height_px: float
    longer_px: float

    @property
    def runs(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The first column of each foot, and the one after its last."""
        edges = np.flatnonzero(np.diff(np.concatenate([[0], self.feet.astype(np.int8), [0]])))
        return edges[::2], edges[1::2]

    def resized(self, width_px: int) -> "Stand":
        """The same in a picture as wide as this: how a product stands does not hang on the size at which one looks."""
        scale, columns = width_px / len(self.feet), np.arange(len(self.feet))
        at = (np.arange(width_px) + 0.5) / scale - 0.5
        nearest = np.clip(np.rint(at), 0, len(self.feet) - 1).astype(np.intp)
        feet = self.feet[nearest]
        feet[((np.flatnonzero(self.feet) + 0.5) * scale).astype(np.intp)] = True  # however thin one is
        return Stand(
            (np.interp(at, columns, self.ground) * scale).astype(np.float32),
            (self.clearance[nearest] * scale).astype(np.float32),
            feet,
            self.height_px * scale,
            self.longer_px * scale,
        )


def stand(alpha: Mask) -> Stand:
    """How the product `alpha` (h, w), half opaque somewhere, stands.

    Its feet are where its lower outline turns up on both sides, not more than a quarter of its height above its lowest
    point: legs at the back are seen higher than those in front. Between feet the ground runs straight.
    """
    solid = alpha >= HALF
    rows, columns = np.flatnonzero(solid.any(axis=1)), np.flatnonzero(solid.any(axis=0))
    height, width = float(rows[-1] + 1 - rows[0]), float(columns[-1] + 1 - columns[0])
    lowest = np.where(solid.any(axis=0), len(solid) - np.argmax(solid[::-1], axis=0), -1.0).astype(np.float32)
    feet = np.zeros(len(lowest), np.bool_)
    rise, reach = max(FOOT_RISE * height, 1.0), _FOOT_REACH * height
    for start, end in _feet(lowest, rise, reach) or _feet_between_cuts(lowest, rise, reach):
        feet[start:end] = True
    places = np.flatnonzero(feet)
    ground = np.interp(np.arange(len(lowest)), places, lowest[places]).astype(np.float32)
    clearance = np.where(lowest < 0, np.inf, np.maximum(ground - lowest, 0)).astype(np.float32)
    return Stand(ground, clearance, feet, height, max(height, width))


def _feet(lowest: Plane, rise: float, reach: float) -> list[tuple[int, int]]:
    """The runs of columns on which the outline `lowest` (w,) rests.

    Each is a low point, and what beside it climbs no faster than the ground's own edges do: those of a round or a
    square base, seen from above.
    """
    found, step = [], max(round(rise), 2)
    after = np.append(lowest[step:], np.full(step, -np.inf, np.float32))
    before = np.append(np.full(step, -np.inf, np.float32), lowest[:-step])
    for peak in low_points(lowest, rise):
        if lowest[peak] < lowest.max() - reach:
            continue
        climbs_left = np.flatnonzero(before[: peak + 1] < lowest[: peak + 1] - _CLIMB * step)
        climbs_right = np.flatnonzero(after[peak:] < lowest[peak:] - _CLIMB * step)
        found.append((int(climbs_left[-1]), peak + int(climbs_right[0]) + 1))
    return found


def _feet_between_cuts(lowest: Plane, rise: float, reach: float) -> list[tuple[int, int]]:
    """As `_feet`, of what goes on beyond both sides of the picture and so turns up on neither."""
    beyond = np.pad(lowest, 1, constant_values=-1)
    return [(max(start - 1, 0), min(end - 1, len(lowest))) for start, end in _feet(beyond, rise, reach)]


def low_points(lowest: Plane, rise: float) -> list[int]:
    """Columns at which the outline is lowest before it climbs by `rise` on either side."""
    peaks, best, climbed = [], 0, True
    turn = float(lowest[0])
    for x, y in enumerate(lowest):
        if climbed:
            turn = min(turn, float(y))
            if y > turn + rise:
                climbed, best = False, x
        elif y > lowest[best]:
            best = x
        elif y < lowest[best] - rise:
            peaks.append(best)
            climbed, turn = True, float(y)
    return peaks if climbed else [*peaks, best]


@dataclass(frozen=True, eq=False)
class _Part:
    """Points (n,) of a silhouette that are about as high and as deep: their columns, how high they are above their
    ground, the line on which their shadow begins, and how much of each counts for this height."""

    x: NDArray[np.float64]
    above: NDArray[np.float64]
    line: NDArray[np.float64]
    weight: NDArray[np.float64]
    depth_px: float


class Casting:
    """The product `alpha` (h, w) as it stands, ready to throw the shadows of many lights: what of them hangs on the
    silhouette alone is worked out once."""

    def __init__(self, alpha: Mask, stance: Stand) -> None:
        solid = alpha >= HALF
        y, x = np.nonzero(solid)
        above = np.maximum(stance.ground[x] - y, 0)
        foot, deep, run = _foot_widths(stance)[x], _foot_depths(stance)[x], _runs(solid)[y, x]
        depth = np.where(run < _SLIM * foot, np.minimum(run, deep), deep) * _FORESHORTENED  # a handle is less deep
        line = (stance.ground[x] - deep * _FORESHORTENED / 2).astype(np.float64)
        step = np.ceil(depth / max(float(depth.max()), 1.0) * _DEPTHS)
        self._shape = alpha.shape
        self._highest = max(float(above.max()), 1.0)
        self._levels = []
        for height in np.linspace(0, 1, _LEVELS):
            weight = np.maximum(1 - np.abs(above / self._highest - height) * (_LEVELS - 1), 0)
            parts = [
                _Part(x[part].astype(np.float64), above[part], line[part], weight[part], float(np.median(depth[part])))
                for part in (weight > 0) & (step == np.arange(_DEPTHS + 1)[:, None])
                if part.any()
            ]
            self._levels.append((float(height), parts))

    def occlusion(self, light: Light) -> Plane:
        """How much (h, w; 0..1) of `light` the product keeps from each point of the ground, as it is seen.

        What is high above the ground darkens it less, since other light comes in beneath.
        """
        along, away = _throw(light)
        dark = np.zeros(self._shape, np.float32)
        for height, parts in self._levels:
            thrown = np.zeros(self._shape, np.float32)
            for part in parts:
                thrown += _deepened(self._fallen(part, along, away), part.depth_px)
            dark += (1 - _FILLED * height) * _blurred(thrown, _penumbra_px(height * self._highest, light))
        return np.minimum(dark, 1)

    def _fallen(self, part: _Part, along: float, away: float) -> Plane:
        out = np.zeros(self._shape, np.float64)
        _splat(part.x - part.above * along, part.line - part.above * away, part.weight * max(abs(away), _THIN), out)
        return out.astype(np.float32)


def occlusion(alpha: Mask, stance: Stand, light: Light) -> Plane:
    """How much (h, w; 0..1) of `light` the product `alpha` (h, w) keeps from each point of the ground: see Casting."""
    return Casting(alpha, stance).occlusion(light)


def drop(alpha: Mask, gap_px: float, light: Light) -> Plane:
    """How much (h, w; 0..1) of `light` a product that hovers `gap_px` above the ground keeps from it, seen from above.

    The camera looks straight down, its lower edge being the camera's side of the light's azimuth.
    """
    azimuth, elevation = math.radians(light.azimuth_deg), math.radians(light.elevation_deg)
    distance_px = gap_px / math.tan(elevation)
    move = np.array([[1, 0, -distance_px * math.sin(azimuth)], [0, 1, -distance_px * math.cos(azimuth)]], np.float32)
    moved = cv2.warpAffine(alpha.astype(np.float32) / 255, move, alpha.shape[::-1])
    return np.asarray(cv2.GaussianBlur(moved, (0, 0), _penumbra_px(gap_px, light)), np.float32)


def is_flat(stance: Stand) -> bool:
    """Whether a product stands on a straight, level line as wide as most of it: seen from the front, at eye level."""
    there = np.isfinite(stance.clearance).sum()
    low, high = np.percentile(stance.ground[stance.feet], [_ROUNDED, 100])  # corners may be rounded
    return bool(high - low <= _FLAT * stance.height_px and stance.feet.sum() >= _WIDE * there)


def mirrored(picture: Plane, stance: Stand) -> Plane:
    """`picture` (h, w, c; premultiplied linear light) as a glossy ground shows it beneath the product: fading away."""
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]].astype(np.float32)
    below = y - stance.ground
    image = cv2.remap(picture, x, np.where(below >= 0, stance.ground - 1 - below, -9), cv2.INTER_LINEAR)
    image = cv2.GaussianBlur(image, (0, 0), max(_GLOSS * stance.height_px, 0.5))
    room_px = 0.95 * (len(picture) - stance.ground.max())  # or the picture's edge would cut it off
    fade = np.clip(1 - below / max(min(_MIRRORED * stance.height_px, room_px), 1.0), 0, 1) ** 2 * (below >= 0)
    return np.asarray(image * (_MIRROR * fade)[..., None], np.float32)


def _throw(light: Light) -> tuple[float, float]:
    """By how much a shadow moves to the left and up in the picture for every pixel of height."""
    reach = 1 / math.tan(math.radians(light.elevation_deg))
    azimuth = math.radians(light.azimuth_deg)
    return reach * math.sin(azimuth), reach * math.cos(azimuth) * _FORESHORTENED


def _foot_widths(stance: Stand) -> Plane:
    """How wide the foot is that stands at each column (w,), or nearest to it."""
    starts, ends, nearest = _nearest_feet(stance)
    return np.asarray((ends - starts)[nearest], np.float32)


def _foot_depths(stance: Stand) -> Plane:
    """How far each column (w,) of the foot that stands there, or nearest to it, reaches back: along an ellipse.

    A shoe is not as deep as it is long, so no foot is deeper than its product is high.
    """
    starts, ends, nearest = _nearest_feet(stance)
    middle, half = (starts + ends - 1)[nearest] / 2, (ends - starts)[nearest] / 2
    beside = np.minimum(np.abs(np.arange(len(stance.feet)) - middle) / half, _BESIDE)
    deepest = np.minimum(2 * half, stance.height_px)
    return np.asarray(deepest * np.sqrt(1 - beside * beside), np.float32)


def _nearest_feet(stance: Stand) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Where each foot begins and ends, and for each column (w,) the number of the one there, or nearest to it."""
    starts, ends = stance.runs
    x = np.arange(len(stance.feet))
    distance = np.maximum(np.maximum(starts[:, None] - x, x - ends[:, None]), 0)
    return starts, ends, distance.argmin(axis=0)


def _runs(solid: NDArray[np.bool_]) -> Plane:
    """How wide (h, w) the product is about each of its pixels, without a gap."""
    x = np.arange(solid.shape[1])
    before = np.maximum.accumulate(np.where(solid, -1, x), axis=1)
    after = np.minimum.accumulate(np.where(solid, len(x), x)[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(after - before - 1, np.float32)


# Compiled: a direction is searched for among many shadows, each of some thirty parts.
@compiled("void(f8[::1], f8[::1], f8[::1], f8[:, ::1])")
def _splat(x, y, weight, out):  # type: ignore[no-untyped-def]
    """Adds weights (n,) to the pixels of `out` (h, w) that they fall on, each shared among the four nearest."""
    height, width = out.shape
    for k in range(len(x)):
        left, top = math.floor(x[k]), math.floor(y[k])
        right_share, below_share = x[k] - left, y[k] - top
        for row in range(max(top, 0), min(top + 2, height)):
            for column in range(max(left, 0), min(left + 2, width)):
                across = right_share if column > left else 1 - right_share
                down = below_share if row > top else 1 - below_share
                out[row, column] += across * down * weight[k]


def _deepened(thrown: Plane, depth_px: float) -> Plane:
    """`thrown` (h, w) over the depth of the foot that it is thrown by, whose back is no sharp line."""
    rows = max(round(depth_px), 1)
    over = cv2.dilate(np.minimum(thrown, 1), np.ones((rows, 1), np.uint8))
    return np.asarray(cv2.GaussianBlur(over, (0, 0), sigmaX=0.1, sigmaY=max(_BACK * depth_px, 0.1)), np.float32)


def _penumbra_px(above_px: float, light: Light) -> float:
    distance_px = above_px / math.sin(math.radians(light.elevation_deg))
    return max(distance_px * math.tan(math.radians(light.softness_deg) / 2) / 2, 0.7)


def _blurred(thrown: Plane, sigma_px: float) -> Plane:
    across, along = sigma_px, max(sigma_px * 2 * _FORESHORTENED, 0.7)
    return np.asarray(cv2.GaussianBlur(thrown, (0, 0), sigmaX=across, sigmaY=along), np.float32)


def crease(stance: Stand, shape: tuple[int, ...], kind: Crease) -> Plane:
    """How much (h, w; 0..1) of the sky the product hides from the ground close to where it stands."""
    near = np.clip(1 - stance.clearance / max(kind.reach * stance.height_px, 1.0), 0, 1)
    sigma_x, sigma_y = (max(share * stance.longer_px, 0.5) for share in (kind.spread_x, kind.spread_y))
    y = np.arange(shape[0], dtype=np.float32)[:, None]
    centre = stance.ground + kind.drop * stance.longer_px
    prints = (np.exp(-0.5 * ((y - centre) / sigma_y) ** 2) * near * kind.strength).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(prints, (0, 0), sigmaX=sigma_x, sigmaY=sigma_y / 2), np.float32)
