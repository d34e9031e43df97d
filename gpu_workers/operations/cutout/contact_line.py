"""The dark line under a product's foot: to a matte it is no ground, and so it stays with the product.

Into the gap between a foot and the ground it stands on hardly any light comes. From the product down, the picture gets
darker than both product and ground, and lighter again: a valley of the ground's own colour, a few pixels wide. The
product ends on its upper side. A sole that is as dark is thicker, a rim that is goes round the top too, and what stands
above ground without shade touches nothing.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
Flags = NDArray[np.bool_]
Index = NDArray[np.intp]

_WIDTH_SHARE = 0.009
_ABOVE_PX = 4
_BELOW_PX = 5
_SOFT_PX = 3
_WHOLLY = 0.6  # the product itself is darker there
_DARKER_SHARE, _DARKER = 0.8, 0.06
_OF_GROUND = 0.75
_TINT_MAX = 0.11
_SHADED = 0.995
_GROUND_MIN = 0.2
_OWN_RIM_SHARE = 0.2
_ALONG_PX = 41
_ALONG_SHARE = 0.7
_STEP_PX = 5  # from one column to the next an edge may rise or fall by as much
_BETWEEN_PX = 6  # as far from what was found is still between


@dataclass(frozen=True)
class _Edges:
    """Lower edges of a matte: the pixels from each `up` (n, k) in its column (n,), their `colours` (n, k, 3) and
    the `ground` (n, 3) there; of these the product's own (n, 3), further up, the `dark` one (n, 3), and where that is.
    `valleys` (n,) says which of them are darker just there."""

    up: Index
    columns: Index
    colours: Plane
    ground: Plane
    product: Plane
    dark: Plane
    darkest: Index
    valleys: Flags


def without(rgb: Plane, ground: Plane, alpha: Plane) -> Plane:
    """`alpha` (h, w) of the picture (h, w, 3), without the line under what stands on a plain `ground` (h, w, 3).

    All are 0..1, colours as code values.
    """
    edges = _edges(rgb, ground, alpha)
    if not edges.valleys.any():
        return alpha
    # A rim that is as dark at the top is the product's own: a seam, piping, a frame.
    above = _edges(rgb[::-1], ground[::-1], alpha[::-1])
    if above.valleys.mean() > _OWN_RIM_SHARE:
        return alpha
    found = edges.valleys & _is_shaded(rgb[edges.up[:, 0] + _BELOW_PX, edges.columns], edges.ground)
    line, model = _along(found, edges.up[:, 0], edges.columns, alpha.shape)
    return _cut(alpha, edges, line, model)


def _edges(rgb: Plane, ground: Plane, alpha: Plane) -> _Edges:
    width_px = max(3, round(_WIDTH_SHARE * max(alpha.shape)))
    solid = alpha > 0.5
    rows, columns = np.nonzero(solid[:-1] & ~solid[1:])
    inside = (rows >= width_px + _ABOVE_PX) & (rows + _BELOW_PX < len(alpha))
    rows, columns = rows[inside], columns[inside]
    up = rows[:, None] - np.arange(width_px + _ABOVE_PX)
    colours, here = rgb[up, columns[:, None]], ground[rows, columns]
    product = colours[:, width_px:].mean(axis=1)
    darkest = colours.mean(axis=2)[:, :width_px].argmin(axis=1)
    dark = colours[np.arange(len(rows)), darkest]
    valleys = solid[up, columns[:, None]].all(axis=1) & _is_valley(product, dark, here)
    return _Edges(up, columns, colours, here, product, dark, darkest, valleys)


def _is_valley(product: Plane, dark: Plane, ground: Plane) -> Flags:
    """Whether colours (n, 3) are darker than the product's and the ground's (n, 3), and a shade of the latter."""
    level, above, below = (colours.mean(axis=1) for colours in (dark, product, ground))
    tint = np.abs(dark - (level / np.maximum(below, 1e-3))[:, None] * ground).max(axis=1)
    darker = (level < _DARKER_SHARE * above) & (above - level > _DARKER) & (level < _OF_GROUND * below)
    return np.asarray(darker & (tint < _TINT_MAX) & (below > _GROUND_MIN))


def _is_shaded(below: Plane, ground: Plane) -> Flags:
    return np.asarray(below.mean(axis=1) < _SHADED * ground.mean(axis=1))


def _along(found: Flags, rows: Index, columns: Index, shape: tuple[int, ...]) -> tuple[Flags, Index]:
    """Which edges (n,) lie where most of those about them were found: a line, and not a spot of the product; and of
    each the found one (n,) that is nearest, itself if it was. In a line those between are part of it, or they would
    stay as teeth."""
    edge, line = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    edge[rows, columns] = 1
    line[rows, columns] = found
    near = [cv2.blur(plane, (_ALONG_PX, _ALONG_PX))[rows, columns] for plane in (line, edge)]
    is_line = near[0] > _ALONG_SHARE * near[1]
    if not is_line.any():
        return is_line, np.arange(len(found))
    away, labels = cv2.distanceTransformWithLabels(
        (line == 0).astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    of_label = np.zeros(int(labels.max()) + 1, np.intp)
    of_label[labels[rows[found], columns[found]]] = np.flatnonzero(found)
    is_line &= away[rows, columns] <= _BETWEEN_PX
    return _long(is_line, rows, columns, shape), of_label[labels[rows, columns]]


def _long(line: Flags, rows: Index, columns: Index, shape: tuple[int, ...]) -> Flags:
    """What of a line (n,) is part of a piece that is long enough: a short one, cut out, is a bite of the product."""
    pieces = np.zeros(shape, np.uint8)
    pieces[rows[line], columns[line]] = 1
    joined = cv2.dilate(pieces, np.ones((_STEP_PX, _STEP_PX), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    return np.asarray(line & (stats[:, cv2.CC_STAT_WIDTH] >= _ALONG_PX + _STEP_PX)[labels[rows, columns]])


def _share(edges: _Edges) -> Plane:
    """How much of the product is in the colours from the edge up (n, k), 0..1: none up to the line's darkest."""
    way = edges.product - edges.dark
    share = np.einsum("nkc,nc->nk", edges.colours - edges.dark[:, None], way)
    share /= np.maximum((way * way).sum(axis=1), 1e-6)[:, None]
    share[np.arange(share.shape[1]) <= edges.darkest[:, None]] = 0
    return np.asarray(np.maximum.accumulate(np.clip(share / _WHOLLY, 0, 1), axis=1), np.float32)


def _cut(alpha: Plane, edges: _Edges, line: Flags, model: Index) -> Plane:
    """`alpha` with no more than the product's share above the edges of a line, and nothing below them; the share is
    that of the edge each has for a `model` (n,)."""
    up, columns = edges.up[line], edges.columns[line][:, None]
    cut = alpha.copy()
    cut[up, columns] = np.minimum(alpha[up, columns], _share(edges)[model[line]])
    below = np.minimum(up[:, :1] + np.arange(1, _SOFT_PX + 1), len(alpha) - 1)
    part = cut[below, columns]
    cut[below, columns] = np.where(part <= 0.5, 0, part)
    return cut
