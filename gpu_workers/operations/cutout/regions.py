"""Regions of a picture: what hangs together, and what runs along its rim."""

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.compiled import compiled
from gpu_workers.imaging.types import Flags, Plane

_EDGE_SLOPE_MIN = 0.03  # a pixel, of code values 0..1: an edge that is seen; set by hand


def disc(radius: int) -> NDArray[np.uint8]:
    """A disc of ones, to grow and to shrink regions with."""
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)), np.uint8)


def joined(seeds: Flags, inside: Flags, reach_px: int) -> Flags:
    """What of `inside` is connected to a seed, and no further from one than `reach_px`."""
    if reach_px < max(seeds.shape):  # else every seed reaches all of the picture
        inside = inside & (cv2.dilate(seeds.astype(np.uint8), np.ones((2 * reach_px + 1, 2 * reach_px + 1))) > 0)
    count, labels = cv2.connectedComponents(inside.astype(np.uint8), connectivity=8)
    reached = np.zeros(count, np.bool_)
    reached[labels[seeds]] = True
    reached[0] = False
    return np.asarray(reached[labels])


def means(values: Plane, labels: NDArray[np.int32], count: int) -> NDArray[np.float64]:
    """Mean of each channel of `values` (h, w, c) in each label, (count, c); 0 for the label 0."""
    sums, areas = np.zeros((count, values.shape[2])), np.zeros(count, np.int64)
    _add_up(values, labels, sums, areas)
    return sums / np.maximum(areas, 1)[:, None]


@compiled("void(f4[:, :, :], i4[:, :], f8[:, ::1], i8[::1])")
def _add_up(values, labels, sums, areas):  # type: ignore[no-untyped-def]
    for row in range(labels.shape[0]):
        for column in range(labels.shape[1]):
            label = labels[row, column]
            if label > 0:
                areas[label] += 1
                for channel in range(values.shape[2]):
                    sums[label, channel] += values[row, column, channel]


def edged_share(
    labels: NDArray[np.int32], slope: Plane, count: int, within: Flags | None = None
) -> NDArray[np.float64]:
    """Share of each label's rim, up to three pixels out, that an edge runs along; of the rim `within`, if given."""
    grown = cv2.dilate(labels.astype(np.float32), np.ones((3, 3)))
    edge = cv2.dilate(slope, np.ones((5, 5))) > _EDGE_SLOPE_MIN
    rim = (grown > 0) & (labels == 0)
    if within is not None:
        rim &= within
    index = grown[rim].astype(np.int64)
    return np.bincount(index, edge[rim], count) / np.maximum(np.bincount(index, minlength=count), 1)


def at_the_frame(stats: NDArray[np.int32], shape: tuple[int, ...]) -> Flags:
    """Which of the components of these `stats`, as OpenCV has them, reach the frame of a picture of this `shape`."""
    left, top, width, height = stats[:, :4].T
    return np.asarray((left == 0) | (top == 0) | (left + width == shape[1]) | (top + height == shape[0]))


def largest_in_each(values: Plane, labels: NDArray[np.int32], count: int) -> Plane:
    """The largest of `values` (h, w) in each label, (count,)."""
    largest = np.zeros(count, np.float32)
    np.maximum.at(largest, labels.ravel(), values.ravel())
    return largest
