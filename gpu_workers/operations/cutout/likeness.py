"""What of a product looks like what a person pointed at: the colours under strokes of two kinds, compared.

Histograms of colour as likelihoods are those of Y. Boykov and M.-P. Jolly, Interactive Graph Cuts for Optimal Boundary
& Region Segmentation of Objects in N-D Images, ICCV 2001. In place of their graph the matting settles what is between.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.types import Code, Flags, Plane

_SHIFT = 3  # of CIELAB's 8 bits: bins of 8 levels, about a just noticeable difference times three
_BINS = 256 >> _SHIFT
_UNSEEN = 1e-5  # the likelihood of a colour under no stroke, a third of an even one's
_SURE = 1.0  # of the logarithm of two likelihoods: e times as likely. Set by hand on the sample catalogue's wire bowl
_KEEP_CORE, _REMOVE_CORE = (
    np.ones((2, 2), np.uint8),
    np.ones((3, 3), np.uint8),
)  # px that the matting has beside an edge


def likeness(rgb: Code, taken: Flags, like: Flags, unlike: Flags) -> tuple[Flags, Flags]:
    """What of the `taken` pixels (h, w) in sRGB (h, w, 3) surely looks like what lies under `like`; and what like
    `unlike`, wherever it is.

    A stroke may cross what it does not mean, as wires, where that is more of the other's. Where there is no stroke of
    one of the two, every colour is as likely there. Nobody's are the pixels at the edges of what is alike.
    """
    bins = _bins(rgb)
    ratio = np.log(_likelihood(bins[like]) / _likelihood(bins[unlike]))[bins]
    return _core(taken & (ratio > _SURE), _KEEP_CORE), _core(ratio < -_SURE, _REMOVE_CORE)


def _bins(rgb: Code) -> NDArray[np.int32]:
    """The bin of each pixel's colour (h, w)."""
    lab = (cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2LAB) >> _SHIFT).astype(np.int32)
    return np.asarray((lab[..., 0] * _BINS + lab[..., 1]) * _BINS + lab[..., 2], np.int32)


def _likelihood(bins: NDArray[np.int32]) -> Plane:
    """How likely each bin's colour is among these (n), a neighbour's being a little so."""
    if not bins.size:
        return np.full(_BINS**3, 1 / _BINS**3 + _UNSEEN, np.float32)
    counts = np.bincount(bins, minlength=_BINS**3).astype(np.float32).reshape((_BINS,) * 3)
    for axis in range(3):
        counts = np.apply_along_axis(np.convolve, axis, counts, (0.25, 0.5, 0.25), mode="same")
    return np.asarray(counts.reshape(-1) / counts.sum() + _UNSEEN, np.float32)


def _core(alike: Flags, kernel: NDArray[np.uint8]) -> Flags:
    return np.asarray(cv2.erode(alike.astype(np.uint8), kernel) > 0)
