"""Sewn cloth: panels cut from outlines, sewn at their edges, and hung until they are at rest.

Lengths in cm. The solver is position based with compliance (M. Macklin et al., XPBD, 2016), in small steps with one
iteration each (Macklin et al., Small Steps in Physics Simulation, 2019); front and back keep their order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from mathutils import Vector
from mathutils.geometry import delaunay_2d_cdt

GRAVITY = 981.0
STEP_S = 1 / 900
DRAG = 2.2  # of speed, a second
GAP = 0.25  # between front and back

Segment = tuple[Sequence[tuple[float, float]], bool]  # a line, and whether it is sewn to the other panel's


@dataclass(frozen=True)
class Panel:
    """`flat`: (n, 2) as it was cut; `triangles`: (m, 3); `sewn`: its point by (segment, sample) of the outline."""

    flat: np.ndarray
    triangles: np.ndarray
    sewn: dict[tuple[int, int], int]


@dataclass(frozen=True)
class Garment:
    """`points`: (n, 3); `flat`: (n, 2); `triangles`: (m, 3), the front's `front_count` first; `partner`: for each
    point the nearest of the other panel, -1 where it is sewn; `front`: (n,) whether a point is the front's."""

    points: np.ndarray
    flat: np.ndarray
    triangles: np.ndarray
    front_count: int
    partner: np.ndarray
    front: np.ndarray
    rest: np.ndarray  # (m, 3, 2): each triangle's corners as they were cut
    seams: dict[tuple[int, int], float]  # points of the front's seams that are near each other, and how far apart


def cut(outline: Sequence[Segment], spacing: float) -> Panel:
    """Triangles of about `spacing` inside an outline that is given counter-clockwise, segment by segment."""
    keys, line = [], []
    for s, (points, sewn) in enumerate(outline):
        for k, point in enumerate(_divided(points, spacing)):
            keys.append((s, k) if sewn or k == 0 else None)
            line.append(point)
    line = np.array(line)
    inner = _inside(_lattice(line, spacing), line, 0.55 * spacing)
    given = [Vector(p) for p in np.concatenate([line, inner])]
    edges = [(i, (i + 1) % len(line)) for i in range(len(line))]
    found, _, faces, origins, _, _ = delaunay_2d_cdt(given, edges, [], 1, 1e-6)
    sewn_at = {keys[o]: i for i, where in enumerate(origins) for o in where if o < len(line) and keys[o]}
    return Panel(np.array([tuple(p) for p in found]), np.array([tuple(f) for f in faces]), sewn_at)


def _divided(points, spacing: float) -> np.ndarray:
    points = np.array(points, float)
    lengths = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    at = np.linspace(0, lengths[-1], max(2, round(lengths[-1] / spacing)) + 1)[:-1]
    return np.column_stack([np.interp(at, lengths, points[:, axis]) for axis in (0, 1)])


def _lattice(line: np.ndarray, spacing: float) -> np.ndarray:
    low, high = line.min(0), line.max(0)
    rows = np.arange(low[1], high[1], spacing * 0.866)
    half = int(max(abs(low[0]), high[0]) / spacing) + 1
    across = np.arange(-half, half + 1) * spacing
    return np.concatenate(
        [np.column_stack([across + (k % 2) * spacing / 2, np.full(len(across), z)]) for k, z in enumerate(rows)]
    )


def _inside(points: np.ndarray, line: np.ndarray, margin: float) -> np.ndarray:
    a, b = line, np.roll(line, -1, axis=0)
    x, y = points[:, :1], points[:, 1:]
    crossing = ((a[:, 1] > y) != (b[:, 1] > y)) & (
        x < (b[:, 0] - a[:, 0]) * (y - a[:, 1]) / np.where(b[:, 1] == a[:, 1], 1e-9, b[:, 1] - a[:, 1]) + a[:, 0]
    )
    near = np.min(np.hypot(x - a[:, 0], y - a[:, 1]), axis=1)
    return points[(crossing.sum(axis=1) % 2 == 1) & (near > margin)]


def sew(front: Panel, back: Panel, puff: Callable[[np.ndarray], np.ndarray]) -> Garment:
    """Both panels as one mesh; `puff` says how far apart a point (n, 2) lies from the middle before it hangs."""
    count = len(front.flat)
    index = np.full(len(back.flat), -1)
    for key, i in back.sewn.items():
        index[i] = front.sewn[key]
    loose = np.flatnonzero(index < 0)
    index[loose] = count + np.arange(len(loose))
    flat = np.concatenate([front.flat, back.flat[loose]])
    is_sewn = np.zeros(len(flat), bool)
    is_sewn[list(front.sewn.values())] = True
    is_front = np.arange(len(flat)) < count
    side = np.where(is_sewn, 0.0, np.where(is_front, -1.0, 1.0))
    points = np.column_stack([flat[:, 0], side * puff(flat), flat[:, 1]])
    flipped = index[back.triangles][:, ::-1]
    triangles = np.concatenate([front.triangles, flipped])
    rest = np.concatenate([front.flat[front.triangles], back.flat[back.triangles][:, ::-1]])
    return Garment(
        points, flat, triangles, len(front.triangles), _partners(flat, is_front, is_sewn), is_front, rest, _seams(front)
    )


def _seams(panel: Panel) -> dict[tuple[int, int], float]:
    """Neighbours on a seam, and every second point, and how far apart they are."""
    pairs = {
        tuple(sorted((i, panel.sewn[s, k + step])))
        for (s, k), i in panel.sewn.items()
        for step in (1, 2)
        if (s, k + step) in panel.sewn
    }
    pairs |= {
        tuple(sorted((i, panel.sewn[s + 1, 0])))
        for (s, k), i in panel.sewn.items()
        if k > 0 and (s, k + 1) not in panel.sewn and (s + 1, 0) in panel.sewn
    }
    return {(i, j): float(np.hypot(*(panel.flat[i] - panel.flat[j]))) for i, j in sorted(pairs)}


def _partners(flat: np.ndarray, is_front: np.ndarray, is_sewn: np.ndarray) -> np.ndarray:
    partner = np.full(len(flat), -1)
    for mine, others in ((is_front, ~is_front), (~is_front, is_front)):
        rows, there = np.flatnonzero(mine & ~is_sewn), np.flatnonzero(others & ~is_sewn)
        for part in np.array_split(rows, 16):
            square = ((flat[part, None] - flat[None, there]) ** 2).sum(-1)
            best = square.argmin(1)
            partner[part] = np.where(square[np.arange(len(part)), best] < 4.0, there[best], -1)
    return partner


# --- hanging ------------------------------------------------------------------------------------


def hang(
    garment: Garment,
    pinned: dict[int, tuple[float, float, float]],
    seconds: float,
    bend: float,
    obstacles: Callable[[np.ndarray], None],
) -> np.ndarray:
    """Where the points come to rest, (n, 3). `pinned` points go to their places in the first third; `obstacles` moves
    points out of what they may not be in; `bend` is how little a fold resists, in cm a unit of force."""
    points, speed = garment.points.copy(), np.zeros_like(garment.points)
    weight = np.ones(len(points))
    held = np.array(list(pinned), int)
    weight[held] = 0
    start, goal = points[held].copy(), np.array(list(pinned.values()), float).reshape(-1, 3)
    stretch, folds = _constraints(garment, weight)
    pairs = np.flatnonzero(garment.front & (garment.partner >= 0))
    steps = round(seconds / STEP_S)
    for k in range(steps):
        speed[:, 2] -= GRAVITY * STEP_S
        before = points.copy()
        points += speed * STEP_S
        share = min(1.0, 3 * (k + 1) / steps)
        points[held] = start + (goal - start) * share
        for batch in stretch:
            _project(points, batch, 0.0)
        for batch in folds:
            _project(points, batch, bend / STEP_S**2)
        _keep_order(points, pairs, garment.partner[pairs], weight)
        obstacles(points)
        speed = (points - before) / STEP_S * max(0.0, 1 - DRAG * STEP_S)
        speed[held] = 0
    return points


def _constraints(garment: Garment, weight: np.ndarray) -> tuple[list, list]:
    """Batches of (i, j, length, weight i, weight j) in which no point comes twice: of edges and seams, which are
    stiff, and across edges."""
    lengths, opposite = {}, {}
    for corners, place in zip(garment.triangles.tolist(), garment.rest, strict=False):
        for a in range(3):
            i, j = corners[a], corners[(a + 1) % 3]
            key = (min(i, j), max(i, j))
            lengths.setdefault(key, float(np.hypot(*(place[a] - place[(a + 1) % 3]))))
            opposite.setdefault(key, []).append(
                (corners[(a + 2) % 3], place[(a + 2) % 3], place[a], place[(a + 1) % 3])
            )
    across = {}
    for sides in opposite.values():
        if len(sides) == 2 and sides[0][0] != sides[1][0] and np.allclose(sides[0][2], sides[1][3], atol=1e-6):
            across[(sides[0][0], sides[1][0])] = float(np.hypot(*(sides[0][1] - sides[1][1])))
    return _batches(lengths | garment.seams, weight), _batches(across, weight)


def _batches(lengths: dict, weight: np.ndarray) -> list[tuple[np.ndarray, ...]]:
    batches, taken = [], []
    for (i, j), length in lengths.items():
        if weight[i] + weight[j] == 0:
            continue
        at = next((k for k, used in enumerate(taken) if i not in used and j not in used), None)
        if at is None:
            at = len(taken)
            taken.append(set()), batches.append([])
        taken[at] |= {i, j}
        batches[at].append((i, j, length))
    arrays = []
    for batch in batches:
        i, j, length = (np.array(column) for column in zip(*batch, strict=False))
        arrays.append((i, j, length, weight[i], weight[j]))
    return arrays


def _project(points: np.ndarray, batch: tuple[np.ndarray, ...], compliance: float) -> None:
    i, j, length, wi, wj = batch
    apart = points[i] - points[j]
    now = np.sqrt(np.einsum("ij,ij->i", apart, apart))
    move = apart * ((now - length) / ((wi + wj + compliance) * np.maximum(now, 1e-6)))[:, None]
    points[i] -= wi[:, None] * move
    points[j] += wj[:, None] * move


def _keep_order(points: np.ndarray, front: np.ndarray, back: np.ndarray, weight: np.ndarray) -> None:
    over = np.maximum(points[front, 1] + GAP - points[back, 1], 0)
    np.subtract.at(points[:, 1], front, over * 0.5 * weight[front])
    np.add.at(points[:, 1], back, over * 0.5 * weight[back])
