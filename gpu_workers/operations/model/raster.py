"""Triangles to pixels, compiled: a depth buffer that says which triangle a pixel's centre sees, and where in it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.compiled import compiled

Points = NDArray[np.float64]
Triangles = NDArray[np.int32]


@dataclass(frozen=True)
class Camera:
    """Level, on the axis x = 0, `distance_m` before the plane y = 0, in which `bottom_m` to `top_m` fill the frame."""

    distance_m: float
    top_m: float
    bottom_m: float

    def seen(self, points: Points, height_px: int, width_px: int) -> Points:
        """Column, row and distance along the axis of points (n, 3) m."""
        focal = height_px * self.distance_m / (self.top_m - self.bottom_m)
        away = points[:, 1] + self.distance_m
        down = (self.top_m + self.bottom_m) / 2 - points[:, 2]
        return np.column_stack([width_px / 2 + focal * points[:, 0] / away, height_px / 2 + focal * down / away, away])

    def places(self, depth_m: NDArray[np.float32], rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Points:
        """The points (n, 3) m that these pixels of a depth buffer (h, w) see."""
        height_px, width_px = depth_m.shape
        focal = height_px * self.distance_m / (self.top_m - self.bottom_m)
        away = depth_m[rows, columns].astype(np.float64)
        x = (columns + 0.5 - width_px / 2) * away / focal
        z = (self.top_m + self.bottom_m) / 2 - (rows + 0.5 - height_px / 2) * away / focal
        return np.column_stack([x, away - self.distance_m, z])


@dataclass(frozen=True)
class Buffer:
    """(h, w): the distance along the axis, infinite where nothing is; the triangle, -1 where none; and its first two
    corners' shares of the point (h, w, 2), of which the third's is the rest."""

    depth: NDArray[np.float32]
    triangle: NDArray[np.int32]
    shares: NDArray[np.float32]


def rasterise(seen: Points, triangles: Triangles, height_px: int, width_px: int) -> Buffer:
    """What `triangles` of points `seen` (column, row, distance) look like; shares are true to perspective."""
    depth = np.full((height_px, width_px), np.inf, np.float32)
    which = np.full((height_px, width_px), -1, np.int32)
    shares = np.zeros((height_px, width_px, 2), np.float32)
    _drawn(np.ascontiguousarray(seen), np.ascontiguousarray(triangles), depth, which, shares)
    return Buffer(depth, which, shares)


def interpolated(buffer: Buffer, triangles: Triangles, values: Points, seen: NDArray[np.bool_]) -> Points:
    """`values` (points, k) at the pixels `seen` (h, w) of a buffer, (n, k)."""
    corners = triangles[buffer.triangle[seen]]
    first, second = buffer.shares[seen].T.astype(np.float64)
    third = 1 - first - second
    mixed = first[:, None] * values[corners[:, 0]]
    mixed += second[:, None] * values[corners[:, 1]]
    mixed += third[:, None] * values[corners[:, 2]]
    return np.asarray(mixed)


@compiled("void(f8[:, ::1], i4[:, ::1], f4[:, ::1], i4[:, ::1], f4[:, :, ::1])")
def _drawn(seen, triangles, depth, which, shares):  # type: ignore[no-untyped-def]
    height, width = depth.shape
    for t in range(triangles.shape[0]):
        i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay, bx, by, cx, cy = seen[i, 0], seen[i, 1], seen[j, 0], seen[j, 1], seen[k, 0], seen[k, 1]
        area = (by - cy) * (ax - cx) + (cx - bx) * (ay - cy)
        if abs(area) < 1e-9:
            continue
        left, right = max(0, int(np.floor(min(ax, bx, cx) - 0.5))), min(width - 1, int(np.ceil(max(ax, bx, cx) - 0.5)))
        top, bottom = max(0, int(np.floor(min(ay, by, cy) - 0.5))), min(height - 1, int(np.ceil(max(ay, by, cy) - 0.5)))
        za, zb, zc = 1.0 / seen[i, 2], 1.0 / seen[j, 2], 1.0 / seen[k, 2]
        for row in range(top, bottom + 1):
            y = row + 0.5
            for column in range(left, right + 1):
                x = column + 0.5
                first = ((by - cy) * (x - cx) + (cx - bx) * (y - cy)) / area
                second = ((cy - ay) * (x - cx) + (ax - cx) * (y - cy)) / area
                third = 1.0 - first - second
                if first < -1e-7 or second < -1e-7 or third < -1e-7:
                    continue
                far = 1.0 / (first * za + second * zb + third * zc)
                if far < depth[row, column]:
                    depth[row, column] = far
                    which[row, column] = t
                    shares[row, column, 0] = first * za * far
                    shares[row, column, 1] = second * zb * far
