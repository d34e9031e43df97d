"""The cloth as it is drawn: smoothed, its triangles divided, and nowhere in the body."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpu_workers.library.bodies import Model
from gpu_workers.operations.model import drape
from gpu_workers.operations.model.drape import Cloth, Points
from gpu_workers.operations.model.pattern import Pattern
from gpu_workers.operations.model.raster import Triangles

# Set by hand, none is fitted.
_DIVISIONS = 2  # of each triangle in four
_SMOOTHINGS, _SMOOTH, _BACK = 4, 0.5, -0.52  # Taubin's: in and out, so that nothing shrinks
_APART_M = 0.004
_ARMHOLE_CM = 5.0  # to either side of it a fold between arm and trunk is drawn before both


@dataclass(frozen=True)
class FineCloth:
    """`points` (n, 3) m with unit `normals`, on the outer side; `flat` (n, 2) cm where they are on the panels."""

    points: Points
    normals: Points
    flat: Points
    triangles: Triangles
    is_front: NDArray[np.bool_]
    is_front_point: NDArray[np.bool_]
    coarse: Points
    coarse_triangles: Triangles


def fine_cloth(cut: Pattern, cloth: Cloth, model: Model) -> FineCloth:
    """The cloth with each triangle in sixteen."""
    flat, triangles, is_front = cut.flat, cut.triangles, cut.is_front
    points = _smoothed(cloth.points, triangles)
    coarse, coarse_triangles = points, triangles
    for division in range(_DIVISIONS):
        points, flat, triangles = _divided(points, flat, triangles)
        coarse, coarse_triangles = (coarse, coarse_triangles) if division else (points, triangles)
        is_front = np.tile(is_front, 4)
        points = _smoothed(points, triangles)
    points, normals = np.ascontiguousarray(points), _normals(points, triangles)
    points = drape.pushed_out(points, normals, cut.parts(flat, _ARMHOLE_CM), drape.wearer(model), _APART_M)
    of_front = np.zeros(len(points), bool)
    of_front[triangles[is_front].ravel()] = True
    normals = _normals(points, triangles)
    triangles = np.ascontiguousarray(triangles)
    return FineCloth(points, normals, flat, triangles, is_front, of_front, coarse, coarse_triangles)


def _sides(triangles: Triangles) -> Triangles:
    return np.sort(np.vstack([triangles[:, [a, b]] for a, b in ((0, 1), (1, 2), (2, 0))]), axis=1)


def _divided(points: Points, flat: Points, triangles: Triangles) -> tuple[Points, Points, Triangles]:
    """Every triangle in four, by the middles of its sides."""
    unique, index = np.unique(_sides(triangles), axis=0, return_inverse=True)
    ab, bc, ca = index.reshape(3, -1) + len(points)
    a, b, c = triangles.T
    quarters = [np.column_stack(each) for each in ((a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca))]
    return (
        np.vstack([points, points[unique].mean(1)]),
        np.vstack([flat, flat[unique].mean(1)]),
        np.vstack(quarters).astype(np.int32),
    )


def _smoothed(points: Points, triangles: Triangles) -> Points:
    """Taubin's smoothing (1995); what is on an open edge moves along it alone."""
    unique, times = np.unique(_sides(triangles), axis=0, return_counts=True)
    rim = unique[times == 1]
    is_rim = np.zeros(len(points), bool)
    is_rim[rim.ravel()] = True
    ways = np.vstack([unique, unique[:, ::-1]])
    ways = np.vstack([ways[~is_rim[ways[:, 0]]], rim, rim[:, ::-1]])
    count = np.maximum(np.bincount(ways[:, 0], minlength=len(points)), 1)[:, None]
    for by in (_SMOOTH, _BACK) * _SMOOTHINGS:
        near = np.column_stack([np.bincount(ways[:, 0], points[ways[:, 1], k], len(points)) for k in range(3)])
        points = points + by * (near / count - points)
    return points


def _normals(points: Points, triangles: Triangles) -> Points:
    a, b, c = (points[triangles[:, k]] for k in range(3))
    across = np.repeat(np.cross(b - a, c - a), 3, axis=0)
    at = np.column_stack([np.bincount(triangles.ravel(), across[:, k], len(points)) for k in range(3)])
    return np.asarray(at / (np.linalg.norm(at, axis=1, keepdims=True) + 1e-12))
