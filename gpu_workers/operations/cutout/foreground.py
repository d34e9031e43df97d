"""The product's own colours where alpha is partial, level by level, compiled.

T. Germer et al., Fast Multi-Level Foreground Estimation, 2020. As in shared_matting.py the steps, the constants and the
bits are those of the reference implementation in pymatting, single-threaded.
"""

import numpy as np

from gpu_workers.imaging.compiled import compiled
from gpu_workers.imaging.types import Plane

_REGULARIZATION = 1e-5
_SMALL_PX, _SMALL_PASSES, _BIG_PASSES = 32, 10, 2  # up to this side a level is gone over so often, above it so often
_SURELY = (0.1, 0.9)  # of alpha: below is background, above product, whose means the solution begins with


def estimate_foreground(rgb: Plane, alpha: Plane) -> Plane:
    """The product's colours (h, w, 3) of a picture and its matte."""
    found: Plane = _foreground(np.ascontiguousarray(rgb, np.float32), np.ascontiguousarray(alpha, np.float32))
    return found


@compiled("f4[:, :, ::1](f4[:, :, ::1], i8, i8)")
def _resized(picture, height, width):  # type: ignore[no-untyped-def]
    """`picture` by its nearest pixels."""
    h, w, depth = picture.shape
    resized = np.empty((height, width, depth), np.float32)
    for y in range(height):
        row = max(0, min(h - 1, y * h // height))
        for x in range(width):
            column = max(0, min(w - 1, x * w // width))
            for c in range(depth):
                resized[y, x, c] = picture[row, column, c]
    return resized


@compiled("void(f4[:, :, ::1], f4[:, :, ::1], f4[:, :, ::1], f4[:, :, ::1])")
def _relax(foreground, background, rgb, alpha):  # type: ignore[no-untyped-def]
    """One pass over a level: each pixel's two colours given those about it."""
    h, w, _ = rgb.shape
    for y in range(h):
        above, below = max(0, y - 1), min(h - 1, y + 1)
        for x in range(w):
            left, right = max(0, x - 1), min(w - 1, x + 1)
            a = alpha[y, x, 0]
            to_left = np.float32(_REGULARIZATION) + abs(a - alpha[y, left, 0])
            to_right = np.float32(_REGULARIZATION) + abs(a - alpha[y, right, 0])
            to_above = np.float32(_REGULARIZATION) + abs(a - alpha[above, x, 0])
            to_below = np.float32(_REGULARIZATION) + abs(a - alpha[below, x, 0])
            a1 = 1.0 - a
            a00, a01, a11 = a * a + to_left + to_right + to_above + to_below, a * a1, a1 * a1
            a11 = a11 + to_left + to_right + to_above + to_below
            inverse = 1.0 / (a00 * a11 - a01 * a01)
            b00, b01, b11 = inverse * a11, inverse * -a01, inverse * a00
            for c in range(3):
                f = a * rgb[y, x, c]
                f += to_left * foreground[y, left, c]
                f += to_right * foreground[y, right, c]
                f += to_above * foreground[above, x, c]
                f += to_below * foreground[below, x, c]
                b = np.float32(a1 * rgb[y, x, c])
                b += to_left * background[y, left, c]
                b += to_right * background[y, right, c]
                b += to_above * background[above, x, c]
                b += to_below * background[below, x, c]
                foreground[y, x, c] = max(0.0, min(1.0, b00 * f + b01 * b))
                background[y, x, c] = max(0.0, min(1.0, b01 * f + b11 * b))


@compiled("f4[:, :, ::1](f4[:, :, ::1], f4[:, ::1])")
def _foreground(rgb, alpha):  # type: ignore[no-untyped-def]
    """Solves for the colours on ever finer levels, each beginning with what the one before found."""
    h0, w0 = alpha.shape
    mean_f, mean_b = np.zeros(3, np.float32), np.zeros(3, np.float32)
    count_f = count_b = 0
    for y in range(h0):
        for x in range(w0):
            if alpha[y, x] > _SURELY[1]:
                for c in range(3):
                    mean_f[c] += rgb[y, x, c]
                count_f += 1
            if alpha[y, x] < _SURELY[0]:
                for c in range(3):
                    mean_b[c] += rgb[y, x, c]
                count_b += 1
    mean_f /= count_f + 1e-5
    mean_b /= count_b + 1e-5
    foreground = np.zeros((1, 1, 3), np.float32) + mean_f
    background = np.zeros((1, 1, 3), np.float32) + mean_b
    levels = int(np.ceil(np.log2(max(w0, h0))))
    for level in range(levels + 1):
        w, h = round(w0 ** (level / levels)), round(h0 ** (level / levels))
        small, matte = _resized(rgb, h, w), _resized(alpha.reshape((h0, w0, 1)), h, w)
        foreground, background = _resized(foreground, h, w), _resized(background, h, w)
        passes = _SMALL_PASSES if w <= _SMALL_PX and h <= _SMALL_PX else _BIG_PASSES
        for _ in range(passes):
            _relax(foreground, background, small, matte)
    return foreground
