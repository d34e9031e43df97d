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

from gpu_workers.imaging.types import Flags, Plane

Index = NDArray[np.intp]


@dataclass(frozen=True)
class _Limits:
    """What such a line is. Set by hand, none is fitted.

    Levels are means of the channels' code values, 0..1.
    """

    width_share: float = 0.009  # of the picture's longer side: a line is no wider
    above_px: int = 4  # above the line, where the product's own colour is read
    below_px: int = 5  # below the edge, where a ground that is stood on is in shade
    soft_px: int = 3  # below the edge, which the matte leaves soft
    of_product_max: float = 0.8  # of the product's level; a line is darker than that
    below_product_min: float = 0.06  # and darker by that
    of_ground_max: float = 0.75  # of the ground's level
    tint_max: float = 0.11  # the largest channel's distance from a shade of the ground
    shaded_max: float = 0.995  # of the ground's level: what is stood on has a shade, however faint
    ground_min: float = 0.2  # the level of a ground on which a line can be told
    own_rim_share: float = 0.2  # of the upper edges: where so many are as dark, the rim is the product's own
    along_px: int = 41  # the side of the window in which edges are counted
    along_share: float = 0.7  # of the edges in it, or it is a spot of the product
    even_px: int = 21  # the side of the window over which a line is cut as deep: it begins and ends without a step
    near_px: int = 9  # the side of the window in which the deepest counts
    least_px: float = 0.2  # of depth: less is not cut
    step_px: int = 5  # from one column to the next an edge may rise or fall by as much
    between_px: int = 6  # as far from what was found is still between
    wholly: float = 0.6  # of the product's colour, from which it is all product: it is darker there itself


_LINE = _Limits()


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
    if above.valleys.mean() > _LINE.own_rim_share:
        return alpha
    found = edges.valleys & _is_shaded(rgb[edges.up[:, 0] + _LINE.below_px, edges.columns], edges.ground)
    line, model = _along(found, edges.up[:, 0], edges.columns, alpha.shape)
    return _cut(alpha, edges, line, model)


def _edges(rgb: Plane, ground: Plane, alpha: Plane) -> _Edges:
    width_px = max(3, round(_LINE.width_share * max(alpha.shape)))
    solid = alpha > 0.5
    rows, columns = np.nonzero(solid[:-1] & ~solid[1:])
    inside = (rows >= width_px + _LINE.above_px) & (rows + _LINE.below_px < len(alpha))
    rows, columns = rows[inside], columns[inside]
    up = rows[:, None] - np.arange(width_px + _LINE.above_px)
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
    darker = (
        (level < _LINE.of_product_max * above)
        & (above - level > _LINE.below_product_min)
        & (level < _LINE.of_ground_max * below)
    )
    return np.asarray(darker & (tint < _LINE.tint_max) & (below > _LINE.ground_min))


def _is_shaded(below: Plane, ground: Plane) -> Flags:
    return np.asarray(below.mean(axis=1) < _LINE.shaded_max * ground.mean(axis=1))


def _along(found: Flags, rows: Index, columns: Index, shape: tuple[int, ...]) -> tuple[Flags, Index]:
    """Which edges (n,) lie where most of those about them were found: a line, and not a spot of the product; and of
    each the found one (n,) that is nearest, itself if it was. In a line those between are part of it, or they would
    stay as teeth."""
    edge, line = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    edge[rows, columns] = 1
    line[rows, columns] = found
    near = [cv2.blur(plane, (_LINE.along_px, _LINE.along_px))[rows, columns] for plane in (line, edge)]
    is_line = near[0] > _LINE.along_share * near[1]
    if not is_line.any():
        return is_line, np.arange(len(found))
    away, labels = cv2.distanceTransformWithLabels(
        (line == 0).astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    of_label = np.zeros(int(labels.max()) + 1, np.intp)
    of_label[labels[rows[found], columns[found]]] = np.flatnonzero(found)
    is_line &= away[rows, columns] <= _LINE.between_px
    return _long(is_line, rows, columns, shape), of_label[labels[rows, columns]]


def _long(line: Flags, rows: Index, columns: Index, shape: tuple[int, ...]) -> Flags:
    """What of a line (n,) is part of a piece that is long enough: a short one, cut out, is a bite of the product."""
    pieces = np.zeros(shape, np.uint8)
    pieces[rows[line], columns[line]] = 1
    joined = cv2.dilate(pieces, np.ones((_LINE.step_px, _LINE.step_px), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    return np.asarray(line & (stats[:, cv2.CC_STAT_WIDTH] >= _LINE.along_px + _LINE.step_px)[labels[rows, columns]])


def _share(edges: _Edges) -> Plane:
    """How much of the product is in the colours from the edge up (n, k), 0..1: none up to the line's darkest."""
    span = edges.product - edges.dark
    share = np.einsum("nkc,nc->nk", edges.colours - edges.dark[:, None], span)
    share /= np.maximum((span * span).sum(axis=1), 1e-6)[:, None]
    share[np.arange(share.shape[1]) <= edges.darkest[:, None]] = 0
    return np.asarray(np.maximum.accumulate(np.clip(share / _LINE.wholly, 0, 1), axis=1), np.float32)


def _cut(alpha: Plane, edges: _Edges, line: Flags, model: Index) -> Plane:
    """`alpha` without what of a line is no product above its edges, and nothing below them; each is as dark as the one
    it has for a `model` (n,)."""
    depth_px = _even(np.where(line, (1 - _share(edges)[model]).sum(axis=1), 0), edges, alpha.shape)
    deep = depth_px >= _LINE.least_px
    up, columns, depth_px = edges.up[deep], edges.columns[deep][:, None], depth_px[deep][:, None]
    cut = alpha.copy()
    left = np.clip(np.arange(1, up.shape[1] + 1) - depth_px, 0, 1)
    cut[up, columns] = np.minimum(alpha[up, columns], left)
    below = np.minimum(up[:, :1] + np.arange(1, _LINE.soft_px + 1), len(alpha) - 1)
    part = cut[below, columns]
    cut[below, columns] = np.where(part <= 0.5, part * np.maximum(1 - depth_px, 0), part)
    return cut


def _even(depth_px: Plane, edges: _Edges, shape: tuple[int, ...]) -> Plane:
    """The depths (n,) made even along the edges: the mean of the deepest near each, or darkness stays between them."""
    depths, counts = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    rows, columns = edges.up[:, 0], edges.columns
    depths[rows, columns], counts[rows, columns] = depth_px, 1
    depths = np.where(counts > 0, cv2.dilate(depths, np.ones((_LINE.near_px, _LINE.near_px), np.uint8)), 0)
    window = (_LINE.even_px, _LINE.even_px)
    near = (cv2.blur(plane, window)[rows, columns] for plane in (depths, counts))
    return np.asarray(np.round(np.divide(*near), 2), np.float32)
