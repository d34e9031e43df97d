"""Shadows of products on the ground of a scene: of the main light, and of the light that comes from all round.

A silhouette says little of what is behind it. Here every row of it is a slice of a body that is as round as its foot
looks, so that a bottle is a bottle and a chair's legs are four legs. A light is many points; each throws the slices
along its rays on the ground, and the shadow is the mean of what they hide: sharp at the foot, the softer the higher
what throws it (shadow volumes by slices, area lights by sampling; any textbook of rendering).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.operations.scene_ground import Ground
from gpu_workers.operations.standing import Stance
from gpu_workers.scenes import Light

Plane = NDArray[np.float32]

_LIGHT_POINTS = 40
_SKY_POINTS = 32
_ELEVATION_DEG_MIN = 6.0
_GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))
_LAYERS_MIN, _LAYERS_MAX = 24, 200
_SIDE_MAX = 640
_REACH_SHARE = 4.0
_FAINT = 32
_FRACTION_BITS = 4


@dataclass(frozen=True)
class Caster:
    """What throws a shadow: a silhouette `alpha` (h, w; uint8) that stands so, at `px_per_cm` of its own pixels, its
    foot's middle on `foot_cm` (right, away) of the ground."""

    alpha: NDArray[np.uint8]
    stance: Stance
    px_per_cm: float
    foot_cm: tuple[float, float]

    @property
    def middle_px(self) -> float:
        """The column of its foot's middle."""
        return sum(self.stance.foot_px) / 2


@dataclass(frozen=True)
class Frame:
    """A grid of square cells on the ground: the middle of cell (row, column) is at `left_cm` + (column + ½) * `cell_cm`
    to the right and `top_cm` - (row + ½) * `cell_cm` away."""

    left_cm: float
    top_cm: float
    cell_cm: float
    width: int
    height: int

    def to_ground(self) -> NDArray[np.float64]:
        """The matrix from (x, y) of the grid's points to (right, away) in cm."""
        return np.array([[self.cell_cm, 0.0, self.left_cm], [0.0, -self.cell_cm, self.top_cm], [0.0, 0.0, 1.0]])


@dataclass(frozen=True)
class _Body:
    """A caster as slices (n, h, w; uint8), `layer_cm` apart, whose upper left cell is at (row, column) of the frame."""

    slices: NDArray[np.uint8]
    layer_cm: float
    row: int
    column: int


def light_points(light: Light) -> list[tuple[float, float]]:
    """Points of the main light, a disc, as (azimuth, elevation) in degrees."""
    points = []
    for index in range(_LIGHT_POINTS):
        away = math.sqrt((index + 0.5) / _LIGHT_POINTS) * light.softness_deg / 2
        angle = index * _GOLDEN_ANGLE
        elevation = light.elevation_deg + away * math.sin(angle)
        wider = max(math.cos(math.radians(light.elevation_deg)), 0.2)
        points.append((light.azimuth_deg + away * math.cos(angle) / wider, elevation))
    return [(azimuth, min(max(elevation, _ELEVATION_DEG_MIN), 90.0)) for azimuth, elevation in points]


def sky_points() -> list[tuple[float, float]]:
    """Points all round from which a surface gets equal shares of an even sky's light: closer to each other on high."""
    return [
        (math.degrees(index * _GOLDEN_ANGLE), math.degrees(math.acos(math.sqrt((index + 0.5) / _SKY_POINTS))))
        for index in range(_SKY_POINTS)
    ]


def shadows(casters: Sequence[Caster], ground: Ground, light: Light, cell_cm: float) -> tuple[Plane, Plane, Frame]:
    """The shares (h, w; 0..1) of the main light and of the light from all round that the casters hide, and where.

    `ground` is where the first caster stands.
    """
    points = light_points(light)
    frame = _frame(casters, ground, points, cell_cm)
    bodies = [_body(caster, ground, frame, points) for caster in casters]
    return _hidden(bodies, frame, points), _hidden(bodies, frame, sky_points()), frame


def thrown(
    caster: Caster, ground: Ground, points: Sequence[tuple[float, float]], cell_cm: float
) -> tuple[NDArray[np.uint8], Frame]:
    """The hard shadow (n, h, w; uint8) that a caster throws in the light of each of these points, and where."""
    frame = _frame([caster], ground, points, cell_cm)
    body = _body(caster, ground, frame, points)
    each = np.zeros((len(points), frame.height, frame.width), np.uint8)
    for shadow, point in zip(each, points, strict=True):
        right, away = _shift(*point)
        _throw(shadow, body, right / frame.cell_cm, -away / frame.cell_cm)
    return each, frame


def _frame(casters: Sequence[Caster], ground: Ground, points: Sequence[tuple[float, float]], cell_cm: float) -> Frame:
    """What the shadows need of the ground, no further than the casters are tall a few times over."""
    left, right, near, away = [], [], [], []
    for caster in casters:
        width, height = _size_cm(caster, ground)
        reach = min(_REACH_SHARE * height, 1e4)
        shifts = np.array([_shift(*point) for point in points]) * height
        around = 0.6 * height + width
        x, y = caster.foot_cm
        left.append(x + max(min(shifts[:, 0].min(), 0), -reach) - around)
        right.append(x + min(max(shifts[:, 0].max(), 0), reach) + around)
        near.append(y + max(min(shifts[:, 1].min(), 0), -reach) - around)
        away.append(y + min(max(shifts[:, 1].max(), 0), reach) + around)
    width, height = max(right) - min(left), max(away) - min(near)
    cell = max(cell_cm, width / _SIDE_MAX, height / _SIDE_MAX)
    return Frame(min(left), max(away), cell, math.ceil(width / cell), math.ceil(height / cell))


def _size_cm(caster: Caster, ground: Ground) -> tuple[float, float]:
    left, _, right, _ = caster.stance.box
    return (right - left) / caster.px_per_cm, caster.stance.height_px / caster.px_per_cm / ground.cosine


def _shift(azimuth_deg: float, elevation_deg: float) -> tuple[float, float]:
    """Where (right, away) the shadow falls of a point that is one up."""
    length = 1 / math.tan(math.radians(max(elevation_deg, _ELEVATION_DEG_MIN)))
    azimuth = math.radians(azimuth_deg)
    return -math.sin(azimuth) * length, math.cos(azimuth) * length


def _body(caster: Caster, ground: Ground, frame: Frame, points: Sequence[tuple[float, float]]) -> _Body:
    width_cm, height_cm = _size_cm(caster, ground)
    longest = max(math.hypot(*_shift(*point)) for point in points)
    count = int(np.clip(math.ceil(height_cm * longest / frame.cell_cm), _LAYERS_MIN, _LAYERS_MAX))
    depth = caster.stance.depth_share(ground.sine)
    profiles = _profiles(caster, count, frame.cell_cm)
    left_cm = caster.foot_cm[0] + (caster.stance.box[0] - caster.middle_px) / caster.px_per_cm
    deep_cm = depth * width_cm + 2 * _foot_depth_cm(caster, ground) + 4 * frame.cell_cm
    row = math.floor((frame.top_cm - caster.foot_cm[1] - deep_cm / 2) / frame.cell_cm)
    column = math.floor((left_cm - frame.left_cm) / frame.cell_cm) - 1
    slices = np.zeros((count, math.ceil(deep_cm / frame.cell_cm) + 2, profiles.shape[1] + 3), np.uint8)
    x0 = (left_cm - frame.left_cm) / frame.cell_cm - column
    y0 = (frame.top_cm - caster.foot_cm[1]) / frame.cell_cm - row
    front = _contact_at(caster, profiles.shape[1]) / (caster.px_per_cm * ground.sine * frame.cell_cm)
    below = np.full(profiles.shape[1], np.nan, np.float32)
    for layer, profile in zip(slices, profiles, strict=True):
        below = _draw(layer, profile, below, front, depth, (x0, y0))
    return _Body(slices, height_cm / count, row, column)


def _foot_depth_cm(caster: Caster, ground: Ground) -> float:
    return caster.stance.rise_px / caster.px_per_cm / ground.sine


def _profiles(caster: Caster, count: int, cell_cm: float) -> NDArray[np.uint8]:
    """The silhouette's rows (count, cells) from the ground up, each column from where it meets the ground."""
    left, _, right, _ = caster.stance.box
    step = caster.px_per_cm * cell_cm
    cells = max(1, math.ceil((right - left) / step))
    small = cv2.resize(caster.alpha[:, left:right], (cells, caster.alpha.shape[0]), interpolation=cv2.INTER_AREA)
    contact = cv2.resize(caster.stance.contact[None, left:right], (cells, 1), interpolation=cv2.INTER_AREA)[0]
    up = (np.arange(count, dtype=np.float32) + 0.5)[:, None] * (caster.stance.height_px / count)
    rows = np.clip(np.rint(contact[None] - 0.5 - up), 0, len(small) - 1).astype(np.intp)
    return np.asarray(small[rows, np.arange(cells)[None]])


def _contact_at(caster: Caster, cells: int) -> Plane:
    """How far (px) in front of the foot's middle each column meets the ground."""
    left, _, right, _ = caster.stance.box
    contact = cv2.resize(caster.stance.contact[None, left:right], (cells, 1), interpolation=cv2.INTER_AREA)[0]
    return np.asarray(np.clip(contact - caster.stance.axis_px, -caster.stance.rise_px, caster.stance.rise_px))


def _draw(
    layer: NDArray[np.uint8],
    profile: NDArray[np.uint8],
    below: Plane,
    front: Plane,
    depth: float,
    foot: tuple[float, float],
) -> Plane:
    """One slice: an ellipse for every run of the row that is not empty, as dense as the run.

    It is as near as what is `below` it (cells in front of the foot's middle, by column); what has nothing below stands
    with its nearest point on the line where the silhouette meets the ground, `front`. Returns how near each run is.
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[0], profile > _FAINT, [0]]).astype(np.int8)))
    unit, here = 1 << _FRACTION_BITS, np.full_like(below, np.nan)
    for start, stop in edges.reshape(-1, 2):
        wide = (stop - start) / 2
        support = below[start:stop][~np.isnan(below[start:stop])]
        near = float(support.mean()) if len(support) else float(front[start:stop].max()) - wide * depth
        here[start:stop] = near
        axes = (round(wide * unit), round(max(wide * depth, 0.5) * unit))
        centre = (round((foot[0] + start + wide - 0.5) * unit), round((foot[1] + near - 0.5) * unit))
        value = int(profile[start:stop].mean())
        cv2.ellipse(layer, centre, axes, 0, 0, 360, value, cv2.FILLED, cv2.LINE_8, _FRACTION_BITS)
    return here


def _hidden(bodies: Sequence[_Body], frame: Frame, points: Sequence[tuple[float, float]]) -> Plane:
    total = np.zeros((frame.height, frame.width), np.float32)
    for point in points:
        right, away = _shift(*point)
        once = np.zeros((frame.height, frame.width), np.uint8)
        for body in bodies:
            _throw(once, body, right / frame.cell_cm, -away / frame.cell_cm)
        total += once
    return total / np.float32(255 * len(points))


def _throw(shadow: NDArray[np.uint8], body: _Body, right: float, down: float) -> None:
    """The slices on the ground along one ray, which goes `right` and `down` by so many cells for every cm up."""
    height, width = body.slices.shape[1:]
    for index, layer in enumerate(body.slices):
        up = (index + 0.5) * body.layer_cm
        row, column = body.row + round(up * down), body.column + round(up * right)
        top, left = max(row, 0), max(column, 0)
        bottom, end = min(row + height, shadow.shape[0]), min(column + width, shadow.shape[1])
        if top < bottom and left < end:
            part = shadow[top:bottom, left:end]
            np.maximum(part, layer[top - row : bottom - row, left - column : end - column], out=part)
