"""Lanczos resampling to any scale and sub-pixel offset, as banded matrix products; turned, as a compiled loop."""

import math

import numba
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.types import Plane

_LOBES = 3
_BLOCK_PX = 32


def resample(image: Plane, scale: float, offset_px: tuple[float, float], size_px: tuple[int, int]) -> Plane:
    """The premultiplied `image` (h, w, c) times `scale`, its origin at `offset_px` (x, y) of a frame `size_px` (w, h).

    Source point p lands on p * scale + offset, pixels being squares with their centres at one half. What lies
    outside the source is zero. Returns (frame h, frame w, c) float32, which may overshoot the source's range.
    """
    height, width, bands = image.shape
    rows = _stretch(image.reshape(height, -1), scale, offset_px[1], size_px[1])
    turned = np.ascontiguousarray(rows.reshape(size_px[1], width, bands).swapaxes(0, 1))
    columns = _stretch(turned.reshape(width, -1), scale, offset_px[0], size_px[0])
    return np.ascontiguousarray(columns.reshape(size_px[0], size_px[1], bands).swapaxes(0, 1))


def resample_turned(
    image: Plane, scale: float, angle_deg: float, offset_px: tuple[float, float], size_px: tuple[int, int]
) -> Plane:
    """As `resample`, the image being turned clockwise by `angle_deg` about its origin before it is moved."""
    turn = math.radians(angle_deg)
    out = np.zeros((size_px[1], size_px[0], image.shape[2]), np.float32)
    _turned(np.ascontiguousarray(image), scale, math.cos(turn), math.sin(turn), offset_px[0], offset_px[1], out)
    return out


@numba.njit(cache=True, nogil=True)
def _turned(image, scale, cosine, sine, offset_x, offset_y, out):  # type: ignore[no-untyped-def]
    height, width, bands = image.shape
    narrow = min(scale, 1.0)
    reach = _LOBES / narrow
    taps = int(2 * reach) + 2
    weights_x, weights_y = np.empty(taps), np.empty(taps)
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            to_x, to_y = (column + 0.5 - offset_x) / scale, (row + 0.5 - offset_y) / scale
            x, y = cosine * to_x + sine * to_y, cosine * to_y - sine * to_x
            if x < -reach or y < -reach or x > width + reach or y > height + reach:
                continue
            left, top = math.floor(x - reach), math.floor(y - reach)
            total_x, total_y = 0.0, 0.0
            for tap in range(taps):
                weights_x[tap] = _weight((left + tap + 0.5 - x) * narrow)
                weights_y[tap] = _weight((top + tap + 0.5 - y) * narrow)
                total_x += weights_x[tap]
                total_y += weights_y[tap]
            for down in range(max(0, -top), min(taps, height - top)):
                for across in range(max(0, -left), min(taps, width - left)):
                    weight = weights_y[down] * weights_x[across] / (total_x * total_y)
                    for band in range(bands):
                        out[row, column, band] += weight * image[top + down, left + across, band]


@numba.njit(cache=True, nogil=True)
def _weight(distance):  # type: ignore[no-untyped-def]
    if distance == 0.0:
        return 1.0
    if abs(distance) >= _LOBES:
        return 0.0
    turn = math.pi * distance
    return _LOBES * math.sin(turn) * math.sin(turn / _LOBES) / (turn * turn)


def _stretch(lines: Plane, scale: float, offset_px: float, count: int) -> Plane:
    """`count` lines out of `lines` (n, m): each a weighted sum of the source's lines near it."""
    out = np.zeros((count, lines.shape[1]), np.float32)
    reach = _LOBES / min(scale, 1.0)
    for start in range(0, count, _BLOCK_PX):
        centres = (np.arange(start, min(start + _BLOCK_PX, count)) + 0.5 - offset_px) / scale
        first, last = int(np.floor(centres[0] - reach)), int(np.ceil(centres[-1] + reach))
        weights = _lanczos((np.arange(first, last) + 0.5 - centres[:, None]) * min(scale, 1.0))
        weights /= weights.sum(axis=1, keepdims=True)
        inside = slice(max(first, 0), min(last, len(lines)))
        if inside.start >= inside.stop:
            continue  # nothing but what lies outside
        out[start : start + _BLOCK_PX] = (
            weights[:, inside.start - first : inside.stop - first].astype(np.float32) @ lines[inside]
        )
    return out


def _lanczos(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    weights = np.sinc(distance) * np.sinc(distance / _LOBES)
    return np.where(np.abs(distance) < _LOBES, weights, 0.0)
