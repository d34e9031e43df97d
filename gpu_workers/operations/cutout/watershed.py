"""Where between product and background the edge runs: a flood from both, which meets where the picture changes most.

S. Beucher and F. Meyer, The Morphological Approach to Segmentation: the Watershed Transformation, 1993.
"""

import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.compiled import compiled
from gpu_workers.imaging.types import Plane

_LEVELS = 256  # heights that are told apart: as many as a picture's code values


def flood(known: Plane, height: Plane) -> NDArray[np.bool_]:
    """Which pixels of `known` (h, w) are product when both sides flood what is neither 0 nor 1, low `height` first.

    `height` (h, w) is 0 or more; from its highest value in the unknown part on, all is equally high.
    """
    unknown = (known != 0) & (known != 1)
    top = float(height[unknown].max(initial=0.0)) or 1.0
    levels = np.clip(height * ((_LEVELS - 1) / top), 0, _LEVELS - 1).astype(np.int32)
    return np.asarray(_flooded(np.ascontiguousarray(known, np.float32), levels) == 1)


@compiled("i1[:, ::1](f4[:, ::1])")
def _sides(known):  # type: ignore[no-untyped-def]
    """1 product, 2 background, 0 where neither is known."""
    sides = np.zeros(known.shape, np.int8)
    for y in range(known.shape[0]):
        for x in range(known.shape[1]):
            if known[y, x] == 1:
                sides[y, x] = 1
            elif known[y, x] == 0:
                sides[y, x] = 2
    return sides


@compiled("i1[:, ::1](f4[:, ::1], i4[:, ::1])")
def _flooded(known, levels):  # type: ignore[no-untyped-def]
    """1 product, 2 background. A queue for each level; who comes first goes first."""
    h, w = known.shape
    sides = _sides(known)
    following = np.full(h * w, -1, np.int64)
    first, last = np.full(_LEVELS, -1, np.int64), np.full(_LEVELS, -1, np.int64)
    for y in range(h):
        for x in range(w):
            if sides[y, x] == 0:
                continue
            beside = (y > 0 and sides[y - 1, x] == 0) or (y < h - 1 and sides[y + 1, x] == 0)
            beside = beside or (x > 0 and sides[y, x - 1] == 0) or (x < w - 1 and sides[y, x + 1] == 0)
            if beside:
                at = y * w + x
                if first[0] < 0:
                    first[0] = at
                else:
                    following[last[0]] = at
                last[0] = at
    level = 0
    while level < _LEVELS:
        at = first[level]
        if at < 0:
            level += 1
            continue
        first[level] = following[at]
        following[at] = -1
        y, x = at // w, at % w
        for turn in range(4):
            y2, x2 = y + (turn == 0) - (turn == 1), x + (turn == 2) - (turn == 3)
            if y2 < 0 or x2 < 0 or y2 >= h or x2 >= w or sides[y2, x2] != 0:
                continue
            sides[y2, x2] = sides[y, x]
            to = max(level, levels[y2, x2])
            at2 = y2 * w + x2
            if first[to] < 0:
                first[to] = at2
            else:
                following[last[to]] = at2
            last[to] = at2
    return sides
