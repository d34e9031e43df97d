"""Cloth that hangs on a body: extended position-based dynamics (Macklin, Müller and Chentanez 2016), compiled.

Lengths of edges hold firmly, those across two triangles softly, which is what keeps cloth from folding sharply. Bodies
are points with normals, found through a grid of cells. The body begins with its arms out and lowers them while the
cloth follows; friction holds cloth where it lies. One thread, in one order, without fast arithmetic: equal inputs give
equal bytes in every process of a machine. Other kinds of processors were not tried.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpu_workers.library.bodies import Model
from gpu_workers.operations.model.cloth_steps import CELL_M, frame, nearest_skin, outer_normals
from gpu_workers.operations.model.pattern import Pattern

Points = NDArray[np.float64]

# Set by hand on the gallery's garments, none is fitted.
_FRAMES = (8, 12, 24, 40)  # of a thirtieth of a second: falling, lying, arms going down, coming to rest
_SUBSTEPS = 22  # small steps instead of many rounds in each (Macklin et al. 2019)
_DT_S = 1 / 30 / _SUBSTEPS
_GRAVITY = (0.6, 7.0, 7.0, 7.0)  # m/s², by phase: it is laid on gently, and heavier cloth would only stretch
_KEPT = (0.968, 0.968, 0.975, 0.985)  # of the speed after each substep
_BEND = 2e-5  # compliance of a length across two triangles
_APART_M = 0.006  # cloth from skin
_DEEP_M = 0.06  # cloth farther inside than this is on a limb's other side
_FRICTION = 0.15  # of how far skin pushes cloth off: so much of its sliding stops (Coulomb's law)
_FACES = (
    -0.1
)  # least cosine between cloth's and skin's normals: a sleeve's lower side lies on the arm, not on the trunk
_FAST_M_S = 2.0  # nothing moves faster
_LOOKED_EVERY = 11  # substeps
ARMHOLE_CM = 1.5  # to either side of it cloth lies on arm and trunk


@dataclass(frozen=True)
class Wearer:
    """The points of a body with arms out and at ease, (n, 3) m, its faces (m, 4), and how much of a point an arm moves
    (n,), 0..1."""

    start: Points
    stands: Points
    faces: NDArray[np.int32]
    arms: NDArray[np.float64]


def wearer(model: Model) -> Wearer:
    """A mannequin as cloth meets it."""
    mesh = model.arrays
    return Wearer(mesh["start"], mesh["stands"], mesh["faces"], mesh["arms"][: len(mesh["stands"])])


@dataclass(frozen=True)
class Cloth:
    """Where the cloth's points lie, (n, 3) m, and how much each edge is stretched (1: not at all)."""

    points: Points
    stretch: NDArray[np.float64]
    edges: NDArray[np.int32]


def hang(cut: Pattern, start: Points, wearer: Wearer) -> Cloth:
    """The cloth at rest on the body at ease; `start` (n, 3) m is where it begins, around the body with arms out."""
    edges, across = _edges(cut)
    lengths, wide = (np.linalg.norm(cut.rest[e[:, 0]] - cut.rest[e[:, 1]], axis=1) / 100 for e in (edges, across))
    points, speed = np.ascontiguousarray(start, np.float64).copy(), np.zeros_like(start)
    cloth = points, speed, cut.triangles, edges, lengths, across, wide
    before, parts = wearer.start, cut.parts(cut.flat, ARMHOLE_CM)
    for phase, lowered in _lowered():
        body = wearer.start + (wearer.stands - wearer.start) * lowered
        skin = _skin(body, (body - before) / _SUBSTEPS, wearer)
        pace = _SUBSTEPS, _LOOKED_EVERY, _DT_S, _GRAVITY[phase], _KEPT[phase], _FAST_M_S
        frame(*cloth, *skin, parts, *pace, _BEND, _FACES, _APART_M, _DEEP_M, _FRICTION)
        before = body
    apart = np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1)
    return Cloth(points, apart / lengths, edges)


def _lowered() -> Iterator[tuple[int, float]]:
    """For each frame its phase, and how far the arms are down, 0..1."""
    for phase, frames in enumerate(_FRAMES):
        for number in range(frames):
            yield phase, 0.0 if phase < 2 else 1.0 if phase > 2 else (number + 1) / frames


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
    low = points.min(0) - 2 * CELL_M
    shape = np.ceil((points.max(0) + 2 * CELL_M - low) / CELL_M).astype(np.int64) + 1
    at = ((points - low) / CELL_M).astype(np.int64)
    key = (at[:, 0] * shape[1] + at[:, 1]) * shape[2] + at[:, 2]
    order = np.argsort(key, kind="stable")
    return order, np.searchsorted(key[order], np.arange(shape.prod() + 1)), low, shape


def _skin(body: Points, moves: Points, wearer: Wearer):  # type: ignore[no-untyped-def]
    """Points of the skin, their normals and moves a substep, sorted by cells, with each cell's first; and how much of
    them is an arm."""
    faces = wearer.faces
    flat, at = skin_normals(body, faces)
    arms = np.concatenate([wearer.arms, wearer.arms[faces].mean(1)])
    points = np.vstack([body, body[faces].mean(1)])
    normals, moved = np.vstack([at, flat]), np.vstack([moves, moves[faces].mean(1)])
    order, *grid = _cells(points)
    return points[order], normals[order], moved[order], *grid, arms[order]


def outwards(points: Points, triangles: NDArray[np.int32]) -> Points:
    """Unit normals of the cloth's points (n, 3), on its outer side."""
    out = np.empty_like(points)
    outer_normals(points, triangles, out)
    return out


@dataclass(frozen=True)
class Skin:
    """A body at ease, as cloth lies on it: for each of the cloth's points the nearest skin's normal (n, 3), how far
    (m) it is in front of that, negative inside, and whether there is any within two cells."""

    normals: Points
    far_m: NDArray[np.float64]
    near: NDArray[np.bool_]


def skin_under(points: Points, normals: Points, parts: NDArray[np.float64], wearer: Wearer) -> Skin:
    """What of a body lies under points (n, 3) m of cloth; `parts` as `Pattern.parts` has them."""
    skin, its, _, first, low, shape, arms = _skin(wearer.stands, np.zeros_like(wearer.stands), wearer)
    nearest = np.full(len(points), -1, np.int64)
    nearest_skin(points, normals, skin, its, first, low, shape, arms, parts, _FACES, nearest)
    normal = its[nearest]
    return Skin(normal, ((points - skin[nearest]) * normal).sum(1), nearest >= 0)


def pushed_out(points: Points, normals: Points, parts: NDArray[np.float64], on: Wearer, apart_m: float) -> Points:
    """The same points of cloth, none nearer than `apart_m` to the skin it lies on."""
    under = skin_under(points, normals, parts, on)
    short = np.where(under.near & (under.far_m < apart_m) & (under.far_m > -_DEEP_M), apart_m - under.far_m, 0.0)
    return points + short[:, None] * under.normals
