"""What a cutout's soft edge shows of the ground that it was photographed on."""

import numpy as np

from gpu_workers.imaging.compiled import compiled
from gpu_workers.imaging.types import LUMINANCE_WEIGHTS, Code

_RED, _GREEN, _BLUE = LUMINANCE_WEIGHTS
# Set by hand, none is fitted.
_EDGE_SAMPLES = 200_000  # of the soft edge, which fur makes as large as the product
_BESIDE_PX, _INSIDE_SHARE = 7, 0.1  # about a pixel of the edge, and of that window what must be the product's inside


def edge_measures(product: Code) -> dict[str, float]:
    """How far the colours of a product's soft edge (h, w, 4; uint8) are from those of its inside beside it, in code
    values: how much lighter, and how much more coloured."""
    rows, columns = (np.flatnonzero(product[..., 3].any(axis=axis)) for axis in (1, 0))
    part = product[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    rows, columns = np.nonzero((part[..., 3] > 25) & (part[..., 3] < 230))
    few = slice(None, None, max(len(rows) // _EDGE_SAMPLES, 1))
    count, lightness, chroma = _beside_inside(part, rows[few], columns[few])
    return {"edge_lightness": lightness / max(count, 1), "edge_chroma": chroma / max(3 * count, 1)}


# Compiled: the edge is a hundredth of a large picture, all of which numpy and OpenCV would blur.
@compiled("Tuple((i8, f8, f8))(u1[:, :, :], i8[:], i8[:])")
def _beside_inside(part, rows, columns):  # type: ignore[no-untyped-def]
    """How many of these pixels of RGBA (h, w, 4) have enough of the product's inside about them, and the sums of how
    much lighter, and of how much more coloured in each channel, they are than its mean."""
    height, width = part.shape[0], part.shape[1]
    count, lighter, coloured = 0, 0.0, 0.0
    for k in range(len(rows)):
        y, x = rows[k], columns[k]
        inside = red = green = blue = 0
        for row in range(max(0, y - _BESIDE_PX), min(height, y + _BESIDE_PX + 1)):
            for column in range(max(0, x - _BESIDE_PX), min(width, x + _BESIDE_PX + 1)):
                if part[row, column, 3] >= 250:
                    inside += 1
                    red += part[row, column, 0]
                    green += part[row, column, 1]
                    blue += part[row, column, 2]
        if inside <= _INSIDE_SHARE * (2 * _BESIDE_PX + 1) ** 2:
            continue
        apart_red, apart_green = part[y, x, 0] - red / inside, part[y, x, 1] - green / inside
        apart_blue = part[y, x, 2] - blue / inside
        lightness = _RED * apart_red + _GREEN * apart_green + _BLUE * apart_blue
        count += 1
        lighter += lightness
        coloured += abs(apart_red - lightness) + abs(apart_green - lightness) + abs(apart_blue - lightness)
    return count, lighter, coloured
