"""Moiré: a pattern in a picture that its source has not, as a weave finer than the pixels leaves when it is made
smaller without a filter. It is one wave over many pixels; noise and JPEG's losses are many, in all directions.
"""

import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.types import Code, Flags, Plane

# Set by hand, none is fitted.
_SIDE_PX = 64  # of a window: a wave of 24 px lies nearly three times in it
_WITHIN = 0.95  # of a window that must lie within the product
_MOST = 32  # windows, those that differ the most from their source: each takes 0.1 ms
_PERIODS_PX = (3.0, 24.0)  # a shorter wave is noise to the eye, a longer one a shade of light
_HANN = np.outer(np.hanning(_SIDE_PX), np.hanning(_SIDE_PX)).astype(np.float32)


def moire(true: Code, found: Code, inside: Flags) -> float | None:
    """How high, of 255, the strongest wave in grey `found` (h, w) is above the same in `true`, in windows `inside` the
    product (h, w); 0 where it is nowhere above. None where no window lies within the product."""
    windows = [_windows(part) for part in (true, found, inside)]
    whole = windows[2].mean(axis=(1, 2)) >= _WITHIN
    if not whole.any():
        return None
    source, written = (part[whole].astype(np.float32) for part in windows[:2])
    apart = np.square(written - source).mean(axis=(1, 2))
    most = np.argsort(apart)[-_MOST:]
    above = _waves(written[most]) - _waves(source[most])
    return float(max(0.0, above.max()))


def _windows(plane: NDArray[np.generic]) -> NDArray[np.generic]:
    """The windows (n, side, side) of a plane (h, w), side by side."""
    down, across = (length // _SIDE_PX for length in plane.shape)
    cut = plane[: down * _SIDE_PX, : across * _SIDE_PX]
    return cut.reshape(down, _SIDE_PX, across, _SIDE_PX).swapaxes(1, 2).reshape(-1, _SIDE_PX, _SIDE_PX)


def _waves(windows: Plane) -> Plane:
    """The height, of 255, of every wave of a period that counts in windows (n, side, side): (n, waves)."""
    level = windows - windows.mean(axis=(1, 2), keepdims=True)
    height = np.abs(np.fft.rfft2(level * _HANN)) * (2 / _HANN.sum())
    rows, columns = np.fft.fftfreq(_SIDE_PX)[:, None], np.fft.rfftfreq(_SIDE_PX)[None]
    frequency = np.hypot(rows, columns)
    counts = (frequency >= 1 / _PERIODS_PX[1]) & (frequency <= 1 / _PERIODS_PX[0])
    return np.asarray(height[:, counts], np.float32)
