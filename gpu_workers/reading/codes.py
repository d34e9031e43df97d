"""Barcodes, QR codes and the like, by zxing-cpp."""

import cv2
import numpy as np
import zxingcpp

from gpu_workers.imaging.types import Code
from gpu_workers.imaging.writing import Points

_LINEAR_SHARE = 0.3  # of its width: the lines that zxing-cpp reads a barcode along are made a box of this height


def read_codes(rgb: Code) -> list[tuple[str, str, Points]]:
    """What each code in uint8 RGB (h, w, 3) says, its kind, and its corners (4, 2)."""
    grey = np.ascontiguousarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))
    return [(each.text, str(each.format), _box(each.position)) for each in zxingcpp.read_barcodes(grey) if each.text]


def _box(position: zxingcpp.Position) -> Points:
    """A barcode's position may be a line, which is widened; a square code's is its box."""
    corners = (position.top_left, position.top_right, position.bottom_right, position.bottom_left)
    box = np.array([(each.x, each.y) for each in corners], np.float64)
    along, across = box[1] - box[0], box[3] - box[0]
    missing = _LINEAR_SHARE * float(np.hypot(*along)) - float(np.hypot(*across))
    if missing <= 0:
        return box
    normal = np.array([-along[1], along[0]]) / max(float(np.hypot(*along)), 1e-6) * missing / 2
    return np.asarray(box + np.array([-normal, -normal, normal, normal]))
