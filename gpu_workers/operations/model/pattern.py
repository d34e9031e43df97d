"""Two panels cut along a top's own outline, in centimetres, and sewn where a top is sewn.

Panels lie in the cutout's plane: x to the viewer's right from the middle of the chest, y upwards from the hem. Front
and back share the points of their seams; the neck, the sleeves' ends and the hem stay open. Since the panel is the
cutout, a point of the cloth is a point of the picture: nothing of a print is warped before the cloth hangs.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.operations.model.outline import Line, Outline

# Set by hand, none is fitted.
STEP_CM = 2.0  # between the cloth's points
_OFF_RIM = 0.55  # of a step: points closer to the rim make slivers
_FLAT_CM2 = 0.02  # of twice a triangle's area: less is a line
PLAIN_FROM = 0.45  # of half the width: larger sizes are let out between here and the armpit; prints lie within
_OF_ARM = 0.15, 0.0, 0.6, 1.0  # of skin: least under a sleeve, least elsewhere, most under the body, most elsewhere
_PRINT = (0.3, 0.85)  # of the length from the hem, within which prints are
_SUBPIXELS = 32  # of a centimetre, in which the polygon's tests count
_EXACT = 64  # of a centimetre: points that single precision holds exactly


@dataclass(frozen=True)
class Pattern:
    """The cloth before it hangs. `flat` (n, 2) cm, as it was photographed; `rest` (n, 2) cm as it is cut, which differs
    where a larger size is let out; `triangles` (m, 3) wound towards the viewer on the front and away on
    the back; `is_front` (m,); `side` (n,) 1 on the front, -1 on the back, 0 on seams. `px_per_cm` (2,) and `origin_px`
    take a point to the cutout. `sleeves`: shoulder, armpit and the middle of the cuff of the viewer's left and
    right side in cm of `rest`; `necks` where shoulders meet the neck. `shoulders` are indices of the seams over the
    shoulders; `let_out_cm` of its width are let in at the sides."""

    flat: NDArray[np.float64]
    rest: NDArray[np.float64]
    triangles: NDArray[np.int32]
    is_front: NDArray[np.bool_]
    side: NDArray[np.int8]
    px_per_cm: NDArray[np.float64]
    origin_px: NDArray[np.float64]
    sleeves: NDArray[np.float64]
    necks: NDArray[np.float64]
    shoulders: NDArray[np.int32]
    width_cm: float
    length_cm: float
    let_out_cm: float

    @property
    def let_out(self) -> float:
        """How much wider the sides are cut than they were photographed, as a factor; 1: not at all."""
        return 1 + self.let_out_cm / ((1 - PLAIN_FROM) * (self.width_cm - self.let_out_cm))

    @property
    def is_print(self) -> NDArray[np.bool_]:
        """Which triangles (m,) are of the front's middle, where prints are."""
        x, y = self.flat[self.triangles].mean(1).T
        across = np.abs(x) < PLAIN_FROM * (self.width_cm - self.let_out_cm) / 2
        return np.asarray(self.is_front & across & (y > _PRINT[0] * self.length_cm) & (y < _PRINT[1] * self.length_cm))

    def at_rest(self, flat: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where points (..., 2) of `flat` are in `rest`."""
        x, y = flat[..., 0], flat[..., 1]
        half = (self.width_cm - self.let_out_cm) / 2
        share = np.clip((np.abs(x) / half - PLAIN_FROM) / (1 - PLAIN_FROM), 0.0, 1.0)
        return np.stack([x + np.sign(x) * share * self.let_out_cm / 2, y], axis=-1)

    def into_sleeve_cm(self, rest: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far points (n, 2) of `rest` are beyond their side's armhole; negative on the body."""
        far = np.full(len(rest), -np.inf)
        for shoulder, armpit, cuff in self.sleeves:
            along = (armpit - shoulder) / np.hypot(*(armpit - shoulder))
            outwards = np.array([-along[1], along[0]]) * np.sign(cuff[0] - shoulder[0]) * np.sign(-along[1])
            far = np.where(rest[:, 0] * cuff[0] > 0, (rest - shoulder) @ outwards, far)
        return far

    def parts(self, flat: NDArray[np.float64], about_cm: float) -> NDArray[np.float64]:
        """How much of an arm there must be in the skin under points (n, 2) of `flat`, at least and at most (n, 2):
        sleeves lie on arms, the body on the trunk, and what is within `about_cm` of an armhole on both."""
        far = self.into_sleeve_cm(self.at_rest(flat))
        return np.column_stack([np.where(far > about_cm, *_OF_ARM[:2]), np.where(far < -about_cm, *_OF_ARM[2:])])

    def in_cutout(self, flat: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points (..., 2) of the panels in pixels of the cutout."""
        return np.asarray(self.origin_px + flat * self.px_per_cm)


def pattern(found: Outline, width_cm: float, let_out_cm: float = 0.0) -> Pattern:
    """The panels of a top that is `width_cm` wide from armpit to armpit. `let_out_cm` of that are let in between its
    middle and its sides, as larger sizes are cut: its middle keeps its shape, and it is as much shorter."""
    across = (width_cm - let_out_cm) / found.chest_px
    scale = np.array([across, -across])
    origin = np.array([(found.left.armpit[0] + found.right.armpit[0]) / 2, float(found.hem[:, 1].mean())])

    def cm(points: Line) -> Line:
        return np.asarray((points - origin) * scale)

    seams = _rim(found, cm)
    front_neck, back_neck = (_spaced(cm(line))[1:-1] for line in (found.front_neck, found.back_neck))
    rim = [piece for piece, _ in seams]
    front, front_tri = _panel([front_neck, *rim])
    back, back_tri = _panel([back_neck, *rim])
    cut = _sewn((front, front_tri, len(front_neck)), (back, back_tri, len(back_neck)), seams, found, cm, scale, origin)
    return _let_out(cut, let_out_cm)


def _let_out(cut: Pattern, by_cm: float) -> Pattern:
    out = replace(cut, width_cm=cut.width_cm + by_cm, let_out_cm=by_cm)
    rest, sleeves, necks = (out.at_rest(each) for each in (cut.rest, cut.sleeves, cut.necks))
    return replace(out, rest=rest, sleeves=sleeves, necks=necks)


def _rim(found: Outline, cm) -> list[tuple[Line, bool]]:  # type: ignore[no-untyped-def]
    """The panels' common edge from the right neck point round to the left one, and which of its pieces are sewn."""
    right, left = found.right, found.left
    pieces = [
        (right.top, True),
        (right.cuff, False),
        (right.under, True),
        (right.side, True),
        (found.hem, False),
        (left.side[::-1], True),
        (left.under[::-1], True),
        (left.cuff[::-1], False),
        (left.top[::-1], True),
    ]
    spaced = [(_spaced(cm(line)), sewn) for line, sewn in pieces]
    return [(line[:-1], sewn) for line, sewn in spaced[:-1]] + [spaced[-1]]


def _spaced(line: Line) -> Line:
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    at = np.linspace(0.0, along[-1], max(2, round(along[-1] / STEP_CM)) + 1)
    return np.column_stack([np.interp(at, along, line[:, axis]) for axis in (0, 1)])


def _panel(pieces: list[Line]) -> tuple[Line, NDArray[np.int32]]:
    """The points of a closed edge and of the grid in it, and triangles of Delaunay's between them."""
    loop = np.vstack(pieces)
    polygon = np.round(loop * _SUBPIXELS).astype(np.int32).reshape(-1, 1, 2)
    low, high = loop.min(0), loop.max(0)
    rows = np.arange(low[1], high[1], STEP_CM * 0.866)
    grid = [
        (x, y)
        for number, y in enumerate(rows)
        for x in np.arange(low[0] + (number % 2) * STEP_CM / 2, high[0], STEP_CM)
        if cv2.pointPolygonTest(polygon, (float(x * _SUBPIXELS), float(y * _SUBPIXELS)), True)
        > _OFF_RIM * STEP_CM * _SUBPIXELS
    ]
    points = np.round(np.vstack([loop, np.array(grid).reshape(-1, 2)]) * _EXACT) / _EXACT
    return points, _triangles(points, polygon)


def _triangles(points: Line, polygon: NDArray[np.int32]) -> NDArray[np.int32]:
    low, high = points.min(0) - 1.0, points.max(0) + 1.0
    plane = cv2.Subdiv2D((0, 0, int(high[0] - low[0]) + 2, int(high[1] - low[1]) + 2))
    index = {}
    for number, (x, y) in enumerate(points - low):
        plane.insert((float(x), float(y)))
        index[float(x), float(y)] = number
    found = []
    for corners in np.asarray(plane.getTriangleList()).reshape(-1, 3, 2):
        ids = [index.get((float(x), float(y)), -1) for x, y in corners]
        if min(ids) >= 0:  # else a corner of the plane itself
            found += _wound(points, ids, polygon)
    return np.array(sorted(found), np.int32)


def _wound(points: Line, ids: list[int], polygon: NDArray[np.int32]) -> list[list[int]]:
    """The triangle, counter-clockwise, where it is within the polygon."""
    a, b, c = points[ids]
    area = float((b - a)[0] * (c - a)[1] - (b - a)[1] * (c - a)[0])
    x, y = (a + b + c) / 3 * _SUBPIXELS
    if abs(area) <= _FLAT_CM2 or cv2.pointPolygonTest(polygon, (float(x), float(y)), False) <= 0:
        return []
    return [ids if area > 0 else ids[::-1]]


def _sewn(front, back, seams, found, cm, scale, origin) -> Pattern:  # type: ignore[no-untyped-def]
    """Both panels as one cloth: the back's points on seams are the front's own."""
    (points, triangles, neck), (back_points, back_triangles, back_neck) = front, back
    flags = np.concatenate([_sewn_flags(line, sewn, n, seams) for n, (line, sewn) in enumerate(seams)])
    own = np.full(len(back_points), -1)
    on_rim = back_neck + np.arange(len(flags))
    own[on_rim[flags]] = neck + np.flatnonzero(flags)
    new = np.flatnonzero(own < 0)
    own[new] = len(points) + np.arange(len(new))
    side = np.concatenate([np.ones(len(points)), -np.ones(len(new))]).astype(np.int8)
    side[neck + np.flatnonzero(flags)] = 0
    tops = len(seams[0][0]), len(seams[-1][0])
    flat = np.vstack([points, back_points[new]])
    sleeves = np.array(
        [[cm(each.shoulder), cm(each.armpit), cm(each.cuff.mean(0))] for each in (found.left, found.right)]
    )
    count = neck + len(flags)
    shoulders = np.concatenate([neck + np.arange(tops[0]), np.arange(count - tops[1], count)]).astype(np.int32)
    return Pattern(
        flat=flat,
        rest=flat,
        triangles=np.vstack([triangles, own[back_triangles][:, ::-1]]).astype(np.int32),
        is_front=np.arange(len(triangles) + len(back_triangles)) < len(triangles),
        side=side,
        px_per_cm=1 / scale,
        origin_px=origin,
        sleeves=sleeves,
        necks=np.array([cm(found.left.neck), cm(found.right.neck)]),
        shoulders=shoulders,
        width_cm=float(cm(found.right.armpit)[0] - cm(found.left.armpit)[0]),
        length_cm=float(max(cm(found.left.neck)[1], cm(found.right.neck)[1])),
        let_out_cm=0.0,
    )


def _sewn_flags(line: Line, sewn: bool, number: int, seams) -> NDArray[np.bool_]:  # type: ignore[no-untyped-def]
    """Which points of a piece are sewn; where a seam meets an open edge the point is the seam's."""
    flags = np.full(len(line), sewn)
    if not sewn and number > 0 and seams[number - 1][1]:
        flags[0] = True
    return flags
