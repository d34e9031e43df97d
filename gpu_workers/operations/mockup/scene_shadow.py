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

from gpu_workers.imaging.types import Plane
from gpu_workers.library.scenes import Light
from gpu_workers.operations.mockup.scene_ground import Ground
from gpu_workers.operations.mockup.standing import Stance

# Set by hand, none is fitted, but where a line says so.
_LIGHT_POINTS = 40  # of a light, as their shadows add up to a soft one
_SKY_POINTS = 32  # of the sky
_ELEVATION_DEG_MIN = 6.0  # a lower light's shadow would not end
_GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))
_LAYERS_MIN, _LAYERS_MAX = 24, 200  # slices of a product, of one cell each if they can be
_SIDE_MAX = 640  # cells of the frame
_REACH_SHARE = 4.0  # of the height: a longer shadow is faint
_FAINT = 32  # of an alpha of 255: less is no part of a slice
_DEEP_FOR_THICK = 3.0  # times as deep as thick at most: a tray is no cylinder
_SCALE_MIN = 0.2  # of the size that nearness to the light may leave
_STANDS_SHARE = 0.03  # of the slices, the lowest, which stand on the ground
_OWN_GROUND_SHARE = 0.5  # of the height: what is lower is read from where its own column meets the ground
# of the foot that stands, of its width, of the height: legs, and how thick they are
_LEGS_SHARE_MAX, _BROAD_SHARE, _THICK_SHARE = 0.4, 0.6, 0.06
_MARGIN = 4  # cells about what is drawn, for blurs
_FRACTION_BITS = 4  # of OpenCV's coordinates


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

    def at(self, values: Plane, right_cm: Plane, away_cm: Plane) -> Plane:
        """What the grid's `values` (height, width) are at points (h, w) of the ground; 0 off the grid."""
        x = (right_cm - np.float32(self.left_cm)) / np.float32(self.cell_cm) - np.float32(0.5)
        y = (np.float32(self.top_cm) - away_cm) / np.float32(self.cell_cm) - np.float32(0.5)
        return np.asarray(cv2.remap(values, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT), np.float32)


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
    casters: Sequence[Caster], ground: Ground, points: Sequence[tuple[float, float]], cell_cm: float
) -> tuple[NDArray[np.uint8], Frame]:
    """The hard shadow (n, h, w; uint8) that the casters throw in the light of each of these points, and where."""
    frame = _frame(casters, ground, points, cell_cm)
    bodies = [_body(caster, ground, frame, points) for caster in casters]
    each = np.zeros((len(points), frame.height, frame.width), np.uint8)
    for shadow, point in zip(each, points, strict=True):
        right, away = shift(*point)
        for body in bodies:
            _throw(shadow, body, right / frame.cell_cm, -away / frame.cell_cm)
    return each, frame


def _frame(casters: Sequence[Caster], ground: Ground, points: Sequence[tuple[float, float]], cell_cm: float) -> Frame:
    """What the shadows need of the ground, no further than the casters are tall a few times over."""
    left, right, near, away = [], [], [], []
    for caster in casters:
        width, height = _size_cm(caster, ground)
        reach = min(_REACH_SHARE * height, 1e4)
        shifts = np.array([shift(*point) for point in points]) * height
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


def shift(azimuth_deg: float, elevation_deg: float) -> tuple[float, float]:
    """Where (right, away) the shadow falls of a point that is one up."""
    length = 1 / math.tan(math.radians(max(elevation_deg, _ELEVATION_DEG_MIN)))
    azimuth = math.radians(azimuth_deg)
    return -math.sin(azimuth) * length, math.cos(azimuth) * length


def _body(caster: Caster, ground: Ground, frame: Frame, points: Sequence[tuple[float, float]]) -> _Body:
    height_cm = _size_cm(caster, ground)[1]
    longest = max(math.hypot(*shift(*point)) for point in points)
    count = int(np.clip(math.ceil(height_cm * longest / frame.cell_cm), _LAYERS_MIN, _LAYERS_MAX))
    profiles = _profiles(caster, count, frame.cell_cm)
    here = ground.at(*ground.point(*caster.foot_cm))
    pencil = _Pencil.over(caster, here, frame.cell_cm, profiles.shape[1])
    thick = _thickness(profiles) * np.float32(height_cm / count / frame.cell_cm)
    slices = np.zeros((count, pencil.height, pencil.width), np.uint8)
    below = np.full((2, profiles.shape[1]), np.nan, np.float32)
    for index, (layer, profile, most) in enumerate(zip(slices, profiles, thick, strict=True)):
        below = pencil.draw(layer, profile, below, most, stands=index < _STANDS_SHARE * count)
    # Whole cells: the slices' own grid is the frame's.
    row = round((frame.top_cm - caster.foot_cm[1]) / frame.cell_cm - pencil.foot[1])
    column = round((caster.foot_cm[0] - frame.left_cm) / frame.cell_cm - pencil.foot[0])
    return _Body(slices, height_cm / count, row, column)


@dataclass(frozen=True)
class _Pencil:
    """Draws slices of one caster, in cells. `foot` is where its foot's middle is in the grid (column, row), `middle`
    the silhouette's column there; `front` (cells,) how far in front of it each column meets the ground; `depth` how
    deep a run is for its width. On legs, what is at least so `broad` and `thick` is a seat.
    What is a cell nearer looks wider by `nearing` and slides by `sliding` columns."""

    foot: tuple[float, float]
    middle: float
    front: Plane
    depth: float
    on_legs: bool
    broad: float
    thick: float
    nearing: float
    sliding: float
    width: int
    height: int

    @staticmethod
    def over(caster: Caster, here: Ground, cell_cm: float, cells: int) -> "_Pencil":
        """For a caster whose foot's middle is the origin of the ground `here`."""
        left, _, right, _ = caster.stance.box
        nearing = here.slope * here.sine * cell_cm
        contact = _by_cell(caster.stance.contact[left:right], cells)
        # The scale grows with the rows: where a row meets the ground is how near its scale says that it is.
        scales = 1 + here.slope * (contact - caster.stance.axis_px) / caster.px_per_cm
        front = np.asarray((1 - 1 / np.maximum(scales, _SCALE_MIN)) / nearing, np.float32)
        depth = caster.stance.depth_share(here.sine)
        deep = math.ceil(depth * cells) + _MARGIN
        before, after = math.ceil(max(-float(front.min()), 0)) + deep, math.ceil(max(float(front.max()), 0)) + deep
        middle = (caster.middle_px - left) / (right - left) * cells
        wider = math.ceil(cells * max(1 + nearing * before, 1)) + _MARGIN
        foot_left, foot_right = caster.stance.foot_px
        return _Pencil(
            foot=(float(wider), float(before)),
            middle=middle,
            front=front,
            depth=depth,
            on_legs=bool(caster.stance.stands[int(foot_left) : int(foot_right)].mean() < _LEGS_SHARE_MAX),
            broad=_BROAD_SHARE * (foot_right - foot_left) / (right - left) * cells,
            thick=_THICK_SHARE * caster.stance.height_px / caster.px_per_cm / cell_cm,
            nearing=nearing,
            sliding=(here.x_px - here.centre_px) / here.px_per_cm / cell_cm * nearing,
            width=2 * wider,
            height=before + after,
        )

    def draw(
        self, layer: NDArray[np.uint8], profile: NDArray[np.uint8], below: Plane, thick: Plane, stands: bool
    ) -> Plane:
        """One slice: an ellipse for every run of the row that is not empty, as dense as the run, and not much deeper
        than it is `thick` from top to bottom in its columns: a cord is not a disc.

        Returns, as `below` is, how near each column's run is and how deep its foot (2, cells).
        """
        edges = np.flatnonzero(np.diff(np.concatenate([[0], profile > _FAINT, [0]]).astype(np.int8)))
        here = np.full_like(below, np.nan)
        for start, stop in edges.reshape(-1, 2):
            run = slice(int(start), int(stop))
            thickness = float(np.median(thick[run]))
            deep = min((stop - start) / 2 * self.depth, _DEEP_FOR_THICK * thickness / 2)
            near, foot = self._stance_of(run, below[:, run], deep, thickness, stands)
            here[0, run], here[1, run] = near, foot
            outline = self._outline(run, near, max(deep, foot if stands else 0.5), max(deep - foot, 0.0))
            cv2.fillPoly(layer, [outline], int(profile[run].mean()), cv2.LINE_8, _FRACTION_BITS)
        return here

    def _stance_of(self, run: slice, below: Plane, deep: float, thickness: float, stands: bool) -> tuple[Plane, float]:
        """How near each column of a run is, and how deep its foot.

        It is as near as what is `below` it, and leads straight from one leg to the next. What has nothing below
        `stands` with its nearest point on the line where the silhouette meets the ground, or else hangs above the
        foot's middle. So does a seat, and what it bears; nothing but that and a belly reaches over the line.
        """
        width, held = run.stop - run.start, ~np.isnan(below[0])
        if self.on_legs and width > self.broad and thickness > self.thick:
            return np.zeros(width, np.float32), -math.inf
        if not held.any():
            near, foot = self._foot_of(run.start, run.stop, deep) if stands else (0.0, deep)
            return np.full(width, near, np.float32), foot
        foot = float(below[1, held].mean())
        if not self.on_legs:
            return np.full(width, below[0, held].mean(), np.float32), foot
        return np.interp(np.arange(width), np.flatnonzero(held), below[0, held]).astype(np.float32), foot

    def _foot_of(self, start: int, stop: int, deep: float) -> tuple[float, float]:
        """How near is what stands on these columns, and how deep: as the line bulges at the least."""
        line = self.front[start:stop]
        nearest = float(line.max())
        bulge = min(nearest - float(max(line[0], line[-1])), (stop - start) / 2 * self.depth)
        return nearest - max(deep, bulge), max(deep, bulge)

    def _outline(self, run: slice, near: Plane, deep: float, belly: float) -> NDArray[np.int32]:
        """The ellipse over these columns, in fractions of cells, cut off where it would reach over the contact line."""
        width = run.stop - run.start
        columns = np.linspace(run.start, run.stop, width + 1)
        steady = cv2.blur(near[None], (width // 2 + 1, 1), borderType=cv2.BORDER_REPLICATE)[0]
        near = np.interp(columns - 0.5, np.arange(run.start, run.stop), steady)
        round_off = np.sqrt(np.maximum(1 - ((columns - run.start) / width * 2 - 1) ** 2, 0)) * deep
        line = np.interp(columns - 0.5, np.arange(len(self.front)), self.front) + belly
        x = self.foot[0] + (columns - self.middle) * np.maximum(1 - near * self.nearing, _SCALE_MIN)
        x -= near * self.sliding
        front = np.maximum(np.minimum(near + round_off, line), near - round_off)
        around = np.stack(
            [np.concatenate([x, x[::-1]]), self.foot[1] + np.concatenate([front, (near - round_off)[::-1]])]
        )
        return np.rint((around.T - 0.5) * (1 << _FRACTION_BITS)).astype(np.int32)


def _profiles(caster: Caster, count: int, cell_cm: float) -> NDArray[np.uint8]:
    """The silhouette's rows (count, cells) from the ground up: what is low from where its column meets the ground, the
    higher the more from the foot's middle, since a seat is one seat over all its legs."""
    left, _, right, _ = caster.stance.box
    step = caster.px_per_cm * cell_cm
    cells = max(1, math.ceil((right - left) / step))
    small = cv2.resize(caster.alpha[:, left:right], (cells, caster.alpha.shape[0]), interpolation=cv2.INTER_AREA)
    contact, axis_px = _by_cell(caster.stance.contact[left:right], cells), np.float32(caster.stance.axis_px)
    up = (np.arange(count, dtype=np.float32) + 0.5)[:, None] / count
    own = np.clip(1 - up / _OWN_GROUND_SHARE, 0, 1)
    rows = axis_px + own * (contact - axis_px)[None] - 0.5 - up * caster.stance.height_px
    rows = np.clip(np.rint(rows), 0, len(small) - 1).astype(np.intp)
    return np.asarray(small[rows, np.arange(cells)[None]])


def _by_cell(line: Plane, cells: int) -> Plane:
    return np.asarray(cv2.resize(line[None], (cells, 1), interpolation=cv2.INTER_AREA)[0], np.float32)


def _thickness(profiles: NDArray[np.uint8]) -> Plane:
    """How many slices in a row hold something, above and below each point (n, cells) that does."""
    full = profiles > _FAINT
    up, down = np.zeros(profiles.shape, np.float32), np.zeros(profiles.shape, np.float32)
    for index in range(len(full)):
        up[index] = (up[index - 1] + 1 if index else 1) * full[index]
        down[-1 - index] = (down[-index] + 1 if index else 1) * full[-1 - index]
    return np.asarray(np.maximum(up + down - 1, 0), np.float32)


def _hidden(bodies: Sequence[_Body], frame: Frame, points: Sequence[tuple[float, float]]) -> Plane:
    total = np.zeros((frame.height, frame.width), np.float32)
    for point in points:
        right, away = shift(*point)
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
