"""The first step of Shared Matting: what is unknown of a trimap, but surely of one side, becomes known.

See shared_matting.py for the paper. As there the constants are the reference implementation's.
"""

import numpy as np

from gpu_workers.imaging.compiled import compiled

_REACH_PX = 10
_COLOUR_APART_MAX = 0.02  # distance of code values 0..1


@compiled("f4[:, ::1](f4[:, ::1], f4[:, :, ::1], u1[:, ::1])")
def expanded(known, rgb, away):  # type: ignore[no-untyped-def]
    """`known` with what is unknown as the nearest known pixel of nearly its colour, if one is near.

    `away` is how many steps off the nearest known pixel is.
    """
    h, w = known.shape
    side = 2 * _REACH_PX + 1
    distances = np.empty(side * side)
    for k in range(side * side):
        distances[k] = np.hypot(k // side - _REACH_PX, k % side - _REACH_PX)
    order = np.argsort(distances, kind="mergesort")
    first = np.zeros(_REACH_PX + 1, np.int64)
    for step in range(1, _REACH_PX + 1):
        first[step] = first[step - 1]
        while distances[order[first[step]]] < step:
            first[step] += 1
    grown = known.copy()
    near = np.float32(_COLOUR_APART_MAX)
    for y in range(h):
        for x in range(w):
            if known[y, x] == 0 or known[y, x] == 1 or away[y, x] > _REACH_PX:
                continue
            for k in order[first[away[y, x]] :]:
                if distances[k] > _REACH_PX:
                    break
                y2, x2 = y + k // side - _REACH_PX, x + k % side - _REACH_PX
                if x2 < 0 or x2 >= w or y2 < 0 or y2 >= h or (known[y2, x2] != 0 and known[y2, x2] != 1):
                    continue
                d0, d1, d2 = rgb[y, x, 0] - rgb[y2, x2, 0], rgb[y, x, 1] - rgb[y2, x2, 1], rgb[y, x, 2] - rgb[y2, x2, 2]
                if np.sqrt(d0 * d0 + d1 * d1 + d2 * d2) <= near:
                    grown[y, x] = known[y2, x2]
                    break
    return grown
