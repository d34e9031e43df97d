"""How sharp a picture looks, and where in it there may be text."""

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.types import Codes
from gpu_workers.operations.upscale.codes import Light, luma_of

_STROKE_PX, _STROKE_CONTRAST = 9, 0.2  # narrower than this is a stroke, by this much of the code values; set by hand
_CLEAR_EDGE = 0.15  # of the code values: an edge that is seen clearly; set by hand
_SHARP_EDGE_PX = 1.4  # how wide the sharpest edges of a picture are that was never enlarged; set by hand
_EDGES_LEAST, _ROWS = 50, 512


def text_mask(image: Codes) -> Light:
    """Where there may be text, (h, w) 0..1: bright or dark strokes narrower than nine pixels that stand out from what
    is round them by a fifth of the code values, and two pixels about them. Wires and seams count as well."""
    luma = luma_of(image)
    kernel = np.ones((_STROKE_PX, _STROKE_PX), np.uint8)
    bright = luma - cv2.morphologyEx(luma, cv2.MORPH_OPEN, kernel)
    dark = cv2.morphologyEx(luma, cv2.MORPH_CLOSE, kernel) - luma
    strokes = (np.maximum(bright, dark) > _STROKE_CONTRAST).astype(np.float32)
    return np.asarray(cv2.blur(cv2.dilate(strokes, np.ones((5, 5), np.uint8)), (3, 3)), np.float32)


def effective_resolution_px(image: Codes) -> float | None:
    """How many pixels the longer side would need for edges as sharp as the picture's; None with hardly any edge.

    An edge is as wide as its contrast is of its steepest step (P. Marziliano et al., "A no-reference perceptual blur
    metric", 2002, measure widths likewise); of those that are seen clearly the sharpest tenth counts, for what is out
    of focus on purpose is no loss. It says how sharp a picture looks, not that its details are true.
    """
    directions = (image, image.swapaxes(0, 1))
    widths = np.concatenate(
        [_edge_widths_px(luma_of(direction[:: max(1, len(direction) // _ROWS)])) for direction in directions]
    )
    if len(widths) < _EDGES_LEAST:
        return None
    return float(max(image.shape[:2]) * min(1.0, _SHARP_EDGE_PX / np.percentile(widths, 10)))


def _edge_widths_px(luma: Light) -> NDArray[np.float32]:
    """Widths of the clear edges along the rows: runs of steps up or down."""
    steps = np.diff(luma, axis=1)
    turns = np.ones(steps.shape, np.bool_)
    turns[:, 1:] = np.signbit(steps[:, 1:]) != np.signbit(steps[:, :-1])
    starts = np.flatnonzero(turns)
    if not len(starts):
        return np.zeros(0, np.float32)
    heights = np.abs(steps).ravel()
    contrasts, steepest = np.add.reduceat(heights, starts), np.maximum.reduceat(heights, starts)
    clear = contrasts > _CLEAR_EDGE
    return np.asarray(contrasts[clear] / steepest[clear], np.float32)
