"""Where lines of text are: boxes round what PP-OCR's detector marks.

It marks the middle of each line, by M. Liao et al., Real-Time Scene Text Detection with Differentiable Binarization,
AAAI 2020; as there a box is widened by its area × ratio ÷ perimeter. The limits are those that PP-OCR ships with.
"""

from collections.abc import Callable, Iterator

import cv2
import numpy as np

from gpu_workers.imaging.types import Code, Plane
from gpu_workers.imaging.writing import Points

_MARKED_MIN = 0.3  # of a pixel's likelihood
_LIKELY_MIN = 0.5  # of a box' mean
_WIDEN = 1.6
_SIDE_PX_MIN = 3.0  # of a box as it is marked, at the size at which it is looked for
_ENLARGED_MAX = 2.0  # a small picture is looked at so many times as large at most
_TALL = 1.5  # a box so many times as high as wide is a line that was turned
_BOXES_MAX = 500


def found_lines(rgb: Code, side_px: int, mark: Callable[[Code], Plane]) -> list[Points]:
    """The corners (4, 2) of each line in uint8 RGB (h, w, 3), in its pixels, the largest first.

    `mark` says for uint8 RGB (side_px, side_px, 3) how likely each pixel is in a line, (side_px, side_px), 0..1.
    """
    height, width = rgb.shape[:2]
    scale = min(side_px / max(height, width), _ENLARGED_MAX)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    frame = np.full((side_px, side_px, 3), 127, np.uint8)
    frame[: size[1], : size[0]] = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    marked = mark(frame)[: size[1], : size[0]]
    back = np.array([width / size[0], height / size[1]])
    boxes = [box * back for box in _boxes(marked)]
    return sorted(boxes, key=lambda box: -line_size(box)[1])


def line_size(box: Points) -> tuple[float, float]:
    """Width along the line and height across it, px."""
    return float(np.hypot(*(box[1] - box[0]))), float(np.hypot(*(box[3] - box[0])))


def _boxes(marked: Plane) -> Iterator[Points]:
    solid = cv2.dilate((marked > _MARKED_MIN).astype(np.uint8), np.ones((2, 2), np.uint8))
    outlines, _ = cv2.findContours(solid, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    for outline in outlines[:_BOXES_MAX]:
        (x, y), (width, height), angle = cv2.minAreaRect(outline)
        if min(width, height) < _SIDE_PX_MIN or _likelihood(marked, outline) < _LIKELY_MIN:
            continue
        wider = width * height * _WIDEN / (width + height)  # twice its area × ratio ÷ perimeter, for both sides
        yield _read_from(cv2.boxPoints(((x, y), (width + wider, height + wider), angle)).astype(np.float64))


def _likelihood(marked: Plane, outline: np.ndarray[tuple[int, ...], np.dtype[np.int32]]) -> float:
    left, top, width, height = cv2.boundingRect(outline)
    within = np.zeros((height, width), np.uint8)
    cv2.fillPoly(within, [outline - np.array([left, top])], 1)
    return float(cv2.mean(marked[top : top + height, left : left + width], within)[0])


def _read_from(points: Points) -> Points:
    """Corners from the start of the line on; a line that stands on end is read from below."""
    first = int(np.argmin(points.sum(axis=1)))
    points = np.roll(points, -first, axis=0)  # OpenCV's go clockwise
    if points[1][0] - points[0][0] < abs(points[1][1] - points[0][1]):
        points = np.roll(points, 1, axis=0)
    width, height = line_size(points)
    return np.roll(points, 1, axis=0) if height > _TALL * width else points
