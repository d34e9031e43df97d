"""Cloth that hangs on a body: extended position-based dynamics (Macklin, Müller and Chentanez 2016), compiled.

Lengths of edges hold firmly, those across two triangles softly, which is what keeps cloth from folding sharply. Bodies
are points with normals, found through a grid of cells. The body begins with its arms out and lowers them while the
cloth follows; friction holds cloth where it lies. One thread, in one order, without fast arithmetic: equal inputs give
equal bytes in every process of a machine. Other kinds of processors were not tried.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.compiled import compiled
from gpu_workers.operations.model.pattern import Pattern

Points = NDArray[np.float64]

# Set by hand on the gallery's garments, none is fitted.
_FRAMES = (10, 14, 24, 30)  # of a thirtieth of a second: falling, lying, arms going down, coming to rest
_SUBSTEPS = 22  # small steps instead of many rounds in each (Macklin et al. 2019)
_DT_S = 1 / 30 / _SUBSTEPS
_GRAVITY = (0.6, 7.0, 7.0, 7.0)  # m/s², by phase: it is laid on gently, and heavier cloth would only stretch
_KEPT = (0.968, 0.968, 0.968, 0.99)  # of the speed after each substep
_BEND = 2e-5  # compliance of a length across two triangles
_APART_M = 0.006  # cloth from skin
_DEEP_M = 0.06  # cloth farther inside than this is on a limb's other side
_FRICTION = 0.3  # of the sliding along skin that a substep stops
_FAST_M_S = 2.0  # nothing moves faster
_CELL_M = 0.03
_LOOKED_EVERY = 11  # substeps


@dataclass(frozen=True)
class Wearer:
    """The points of a body with arms out and at ease, (n, 3) m, and its faces (m, 4)."""

    start: Points
    stands: Points
    faces: NDArray[np.int32]


@dataclass(frozen=True)
class Cloth:
    """Where the cloth's points lie, (n, 3) m, and how much each edge is stretched (1: not at all)."""

    points: Points
    stretch: NDArray[np.float64]
    edges: NDArray[np.int32]


def hang(cut: Pattern, start: Points, wearer: Wearer) -> Cloth:
    """The cloth at rest on the body at ease; `start` (n, 3) m is where it begins, around the body with arms out."""
    edges, across = _edges(cut)
    lengths, wide = (np.linalg.norm(cut.flat[e[:, 0]] - cut.flat[e[:, 1]], axis=1) / 100 for e in (edges, across))
    points, speed = np.ascontiguousarray(start, np.float64).copy(), np.zeros_like(start)
    before, done = wearer.start, 0
    for phase, frames in enumerate(_FRAMES):
        for frame in range(frames):
            lowered = 0.0 if phase < 2 else min(1.0, (frame + 1) / frames) if phase == 2 else 1.0
            body = wearer.start + (wearer.stands - wearer.start) * lowered
            skin = _skin(body, (body - before) / _SUBSTEPS, wearer.faces)
            _frame(points, speed, edges, lengths, across, wide, *skin, _GRAVITY[phase], _KEPT[phase])
            before, done = body, done + 1
    apart = np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1)
    return Cloth(points, apart / lengths, edges)


def _edges(cut: Pattern) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Pairs of points that share a side of a triangle, and those across one, both sorted."""
    triangles = cut.triangles.astype(np.int64)
    count = len(cut.flat)
    ends = np.vstack([triangles[:, [a, b]] for a, b in ((0, 1), (1, 2), (2, 0))])
    opposite = np.concatenate([triangles[:, c] for c in (2, 0, 1)])
    panel = np.tile(cut.is_front, 3)
    ends.sort(axis=1)
    key = ends[:, 0] * count + ends[:, 1]
    order = np.argsort(key, kind="stable")
    same = np.flatnonzero((np.diff(key[order]) == 0) & (panel[order][1:] == panel[order][:-1]))
    across = np.column_stack([opposite[order[same]], opposite[order[same + 1]]])
    edges = np.unique(ends, axis=0)
    across = across[across[:, 0] != across[:, 1]]
    return np.ascontiguousarray(edges, np.int32), np.ascontiguousarray(across, np.int32)


def skin_normals(points: Points, faces: NDArray[np.int32]) -> tuple[Points, Points]:
    """Unit normals of a mesh of quadrilaterals, outwards: of its faces and of its points."""
    flat = np.cross(points[faces[:, 2]] - points[faces[:, 0]], points[faces[:, 3]] - points[faces[:, 1]])
    flat /= np.linalg.norm(flat, axis=1, keepdims=True) + 1e-12
    at = np.column_stack([np.bincount(faces.ravel(), np.repeat(flat[:, k], 4), len(points)) for k in range(3)])
    return flat, at / (np.linalg.norm(at, axis=1, keepdims=True) + 1e-12)


Cells = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]


def _cells(points: Points) -> Cells:
    """Points by cells of a grid: their order, where each cell's begin in it, and the grid's corner and shape."""
    low = points.min(0) - 2 * _CELL_M
    shape = np.ceil((points.max(0) + 2 * _CELL_M - low) / _CELL_M).astype(np.int64) + 1
    at = ((points - low) / _CELL_M).astype(np.int64)
    key = (at[:, 0] * shape[1] + at[:, 1]) * shape[2] + at[:, 2]
    order = np.argsort(key, kind="stable")
    return order, np.searchsorted(key[order], np.arange(shape.prod() + 1)), low, shape


def _skin(body: Points, moves: Points, faces: NDArray[np.int32]):  # type: ignore[no-untyped-def]
    """Points of the skin, their normals and moves a substep, sorted by cells, with each cell's first."""
    flat, at = skin_normals(body, faces)
    points = np.vstack([body, body[faces].mean(1)])
    normals, moved = np.vstack([at, flat]), np.vstack([moves, moves[faces].mean(1)])
    order, *grid = _cells(points)
    return points[order], normals[order], moved[order], *grid


def nearest_of(points: Points, to: Points) -> NDArray[np.int64]:
    """For each of `points` (n, 3) m which of `to` (m, 3) is the nearest within two cells, -1 where none is."""
    order, *grid = _cells(to)
    found = np.full(len(points), -1, np.int64)
    _look(np.ascontiguousarray(points), to[order], *grid, found)
    return np.where(found >= 0, order[found], -1)


def depths(points: Points, body: Points, faces: NDArray[np.int32]) -> NDArray[np.float64]:
    """How far (m) points are in front of a body's skin, (n,); negative inside, nan where none is near."""
    skin, normals, _, first, low, shape = _skin(body, np.zeros_like(body), faces)
    nearest = np.full(len(points), -1, np.int64)
    _look(points, skin, first, low, shape, nearest)
    found = ((points - skin[nearest]) * normals[nearest]).sum(1)
    return np.where(nearest >= 0, found, np.nan)


def pushed_out(points: Points, body: Points, faces: NDArray[np.int32], apart_m: float) -> Points:
    """The same points, none nearer to the skin than `apart_m`."""
    skin, normals, _, first, low, shape = _skin(body, np.zeros_like(body), faces)
    nearest = np.full(len(points), -1, np.int64)
    _look(points, skin, first, low, shape, nearest)
    far = ((points - skin[nearest]) * normals[nearest]).sum(1)
    short = np.where((nearest >= 0) & (far < apart_m) & (far > -_DEEP_M), apart_m - far, 0.0)
    return points + short[:, None] * normals[nearest]


@compiled("void(f8[:, ::1], f8[:, ::1], i8[::1], f8[::1], i8[::1], i8[::1])")
def _look(points, skin, first, low, shape, nearest):  # type: ignore[no-untyped-def]
    for i in range(points.shape[0]):
        nearest[i] = -1
        cx = int((points[i, 0] - low[0]) / _CELL_M)
        cy = int((points[i, 1] - low[1]) / _CELL_M)
        cz = int((points[i, 2] - low[2]) / _CELL_M)
        best = 4 * _CELL_M * _CELL_M
        for x in range(max(cx - 2, 0), min(cx + 3, shape[0])):
            for y in range(max(cy - 2, 0), min(cy + 3, shape[1])):
                cell = (x * shape[1] + y) * shape[2]
                low_z, high_z = max(cz - 2, 0), min(cz + 3, shape[2])
                if high_z <= low_z:
                    continue
                for k in range(first[cell + low_z], first[cell + high_z]):
                    dx, dy, dz = points[i, 0] - skin[k, 0], points[i, 1] - skin[k, 1], points[i, 2] - skin[k, 2]
                    far = dx * dx + dy * dy + dz * dz
                    if far < best:
                        best, nearest[i] = far, k


@compiled("void(f8[:, ::1], i4[:, ::1], f8[::1], f8)")
def _hold(points, pairs, lengths, give):  # type: ignore[no-untyped-def]
    for k in range(pairs.shape[0]):
        i, j = pairs[k, 0], pairs[k, 1]
        dx, dy, dz = points[i, 0] - points[j, 0], points[i, 1] - points[j, 1], points[i, 2] - points[j, 2]
        far = (dx * dx + dy * dy + dz * dz) ** 0.5 + 1e-9
        by = (lengths[k] - far) / far / (2.0 + give)
        points[i, 0] += by * dx
        points[i, 1] += by * dy
        points[i, 2] += by * dz
        points[j, 0] -= by * dx
        points[j, 1] -= by * dy
        points[j, 2] -= by * dz


@compiled("void(f8[:, ::1], f8[:, ::1], f8[:, ::1], f8[:, ::1], f8[:, ::1], i8[::1])")
def _touch(points, before, skin, normals, moves, nearest):  # type: ignore[no-untyped-def]
    for i in range(points.shape[0]):
        k = nearest[i]
        if k < 0:
            continue
        far = 0.0
        for axis in range(3):
            far += (points[i, axis] - skin[k, axis]) * normals[k, axis]
        if far >= _APART_M or far <= -_DEEP_M:
            continue
        along = 0.0
        for axis in range(3):
            points[i, axis] += (_APART_M - far) * normals[k, axis]
            along += (points[i, axis] - before[i, axis] - moves[k, axis]) * normals[k, axis]
        for axis in range(3):
            slid = points[i, axis] - before[i, axis] - moves[k, axis] - along * normals[k, axis]
            points[i, axis] -= _FRICTION * slid


@compiled(
    "void(f8[:, ::1], f8[:, ::1], i4[:, ::1], f8[::1], i4[:, ::1], f8[::1], f8[:, ::1], f8[:, ::1], f8[:, ::1], "
    "i8[::1], f8[::1], i8[::1], f8, f8)"
)
def _frame(  # type: ignore[no-untyped-def]
    points, speed, edges, lengths, across, wide, skin, normals, moves, first, low, shape, gravity, kept
):
    nearest = np.empty(points.shape[0], np.int64)
    before = np.empty_like(points)
    for step in range(_SUBSTEPS):
        if step % _LOOKED_EVERY == 0:
            _look(points, skin, first, low, shape, nearest)
        for i in range(points.shape[0]):
            speed[i, 2] -= gravity * _DT_S
            fast = 0.0
            for axis in range(3):
                speed[i, axis] *= kept
                fast += speed[i, axis] * speed[i, axis]
            slow = min(1.0, _FAST_M_S / (fast**0.5 + 1e-9))
            for axis in range(3):
                before[i, axis] = points[i, axis]
                points[i, axis] += speed[i, axis] * slow * _DT_S
        _hold(points, edges, lengths, 0.0)
        _hold(points, across, wide, _BEND / (_DT_S * _DT_S))
        _touch(points, before, skin, normals, moves, nearest)
        for i in range(points.shape[0]):
            for axis in range(3):
                speed[i, axis] = (points[i, axis] - before[i, axis]) / _DT_S
