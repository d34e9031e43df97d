"""The light of the studio on any point: soft boxes and the room as many small lamps, each with a map of what it sees.

A soft box is a square of small lamps; each gives radiance × cosine × cosine ÷ distance². The room is a dome of
directions, of which those behind and below look at the paper. Whether a lamp reaches a point is read from a depth map
of body and cloth from the lamp's side (Williams 1978), so folds, arms and hems shade as the body in the plate does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.compiled import compiled
from gpu_workers.operations.model.raster import Points, Triangles, rasterise

# Set by hand, none is fitted.
_BOX_LAMPS = 3  # a side of each soft box
_DOME = 28  # directions of the room
_MAP_PX = 224
_MARGIN_M = 0.03
_BIAS_M = 0.012  # nearer than this to what a map sees is lit
_BLEED_M = 0.02  # over which shadow comes in behind that
_PAPER = 0.62  # of the radiance a paper would give back in the light that falls on the body


@dataclass(frozen=True)
class SoftBox:
    """A square lamp of `side_m` at `place` that looks at `target`; radiance in Blender's watts ÷ (π × area)."""

    place: Points
    target: Points
    side_m: float
    radiance: float


@dataclass(frozen=True)
class Lamps:
    """Small lamps: `places` (n, 3) m, far away for the room's; `looks` (n, 3) where each shines; `power` (n,) such that
    power × cosine ÷ distance² is light, for a near one times the cosine at the lamp."""

    places: Points
    looks: Points
    power: NDArray[np.float64]
    is_near: NDArray[np.bool_]


def lamps(boxes: Sequence[SoftBox], room: float, paper: float) -> Lamps:
    """All small lamps. `room` is its radiance, `paper` how much of the light the paper gives back."""
    made = [_of_box(each) for each in boxes] + [_of_room(room, paper, boxes)]
    joined = [
        np.concatenate([getattr(each, name) for each in made]) for name in ("places", "looks", "power", "is_near")
    ]
    return Lamps(*joined)


def _of_box(box: SoftBox) -> Lamps:
    looks = (box.target - box.place) / np.linalg.norm(box.target - box.place)
    across = np.cross(looks, [0.0, 0.0, 1.0])
    across /= np.linalg.norm(across)
    up = np.cross(across, looks)
    at = (np.arange(_BOX_LAMPS) + 0.5) / _BOX_LAMPS - 0.5
    grid = np.array([box.place + box.side_m * (a * across + b * up) for a in at for b in at])
    count = len(grid)
    power = np.full(count, box.radiance * box.side_m**2 / count)
    return Lamps(grid, np.tile(looks, (count, 1)), power, np.ones(count, bool))


def _of_room(room: float, paper: float, boxes: Sequence[SoftBox]) -> Lamps:
    """Directions spread evenly over the sphere (a spiral of the golden angle)."""
    number = np.arange(_DOME) + 0.5
    up = 1 - 2 * number / _DOME
    turn = np.pi * (1 + 5**0.5) * number
    flat = np.sqrt(1 - up * up)
    towards = np.column_stack([flat * np.cos(turn), flat * np.sin(turn), up])
    direct = sum(box.radiance * box.side_m**2 / float(((box.place - box.target) ** 2).sum()) for box in boxes)
    back = _PAPER * paper * (room + direct / np.pi)
    is_paper = (towards[:, 1] > 0.25) | (towards[:, 2] < -0.35)
    radiance = np.where(is_paper, back, room)
    far = 1000.0
    return Lamps(towards * far, -towards, radiance * 4 * np.pi / _DOME * far**2, np.zeros(_DOME, bool))


@dataclass(frozen=True)
class Shadows:
    """A depth map a lamp: (n, s, s) m from the plane through the lamp's side of the scene, and how points come onto
    it: `axes` (n, 3, 3), `low` (n, 3) m, `px_per_m` (n,)."""

    maps: NDArray[np.float32]
    axes: NDArray[np.float64]
    low: NDArray[np.float64]
    px_per_m: NDArray[np.float64]


def shadows(of: Lamps, points: Points, triangles: Triangles) -> Shadows:
    """What each lamp sees of a mesh, looked at in parallel: the boxes are far beside what they cast shadows of."""
    middle = (points.min(0) + points.max(0)) / 2
    maps, axes, lows, scales = [], [], [], []
    for place in of.places:
        frame = _frame((middle - place) / np.linalg.norm(middle - place))
        along = points @ frame.T
        low = along.min(0) - _MARGIN_M
        scale = _MAP_PX / float((along.max(0) + _MARGIN_M - low)[:2].max())
        on_map = (along - low) * [scale, scale, 1.0]
        on_map[:, 2] += 1.0  # distances are divided by: none is 0
        maps.append(rasterise(on_map, triangles, _MAP_PX, _MAP_PX).depth)
        axes.append(frame)
        lows.append(low - [0.0, 0.0, 1.0])
        scales.append(scale)
    return Shadows(np.array(maps), np.array(axes), np.array(lows), np.array(scales))


def _frame(looks: Points) -> Points:
    across = np.cross(looks, [0.0, 0.0, 1.0] if abs(looks[2]) < 0.9 else [0.0, 1.0, 0.0])
    across /= np.linalg.norm(across)
    return np.array([across, np.cross(looks, across), looks])


def light(points: Points, normals: Points, of: Lamps, blocked: Shadows) -> NDArray[np.float64]:
    """How much light falls on points (n, 3) m with unit normals: the radiance of a white surface there, (n,)."""
    out = np.zeros(len(points))
    shone = (np.ascontiguousarray(points), np.ascontiguousarray(normals))
    _shine(
        *shone,
        of.places,
        of.looks,
        of.power,
        of.is_near,
        blocked.maps,
        blocked.axes,
        blocked.low,
        blocked.px_per_m,
        out,
    )
    return out / np.pi


@compiled(
    "void(f8[:, ::1], f8[:, ::1], f8[:, ::1], f8[:, ::1], f8[::1], b1[::1], f4[:, :, ::1], f8[:, :, ::1], f8[:, ::1], "
    "f8[::1], f8[::1])"
)
def _shine(  # type: ignore[no-untyped-def]
    points, normals, places, looks, power, is_near, maps, axes, low, px_per_m, out
):
    size = maps.shape[1]
    for lamp in range(places.shape[0]):
        for i in range(points.shape[0]):
            dx, dy, dz = places[lamp, 0] - points[i, 0], places[lamp, 1] - points[i, 1], places[lamp, 2] - points[i, 2]
            square = dx * dx + dy * dy + dz * dz
            far = square**0.5
            cosine = (dx * normals[i, 0] + dy * normals[i, 1] + dz * normals[i, 2]) / far
            if cosine <= 0.0:
                continue
            if is_near[lamp]:
                cosine *= max(0.0, -(dx * looks[lamp, 0] + dy * looks[lamp, 1] + dz * looks[lamp, 2]) / far)
            u, v, w = 0.0, 0.0, 0.0
            for axis in range(3):
                u += axes[lamp, 0, axis] * points[i, axis]
                v += axes[lamp, 1, axis] * points[i, axis]
                w += axes[lamp, 2, axis] * points[i, axis]
            u = (u - low[lamp, 0]) * px_per_m[lamp] - 0.5
            v = (v - low[lamp, 1]) * px_per_m[lamp] - 0.5
            w -= low[lamp, 2]
            column, row = int(np.floor(u)), int(np.floor(v))
            reached = 1.0
            if 0 <= column < size - 1 and 0 <= row < size - 1:
                reached = 0.0
                for down in range(2):
                    for right in range(2):
                        share = (u - column if right else 1 - u + column) * (v - row if down else 1 - v + row)
                        behind = (w - maps[lamp, row + down, column + right] - _BIAS_M) / _BLEED_M
                        reached += share * (1.0 - min(1.0, max(0.0, behind)))
            out[i] += power[lamp] * cosine / square * reached
