"""Where in a picture a doubt lies, drawn over it: the edge's band, colours that differ, lines of text, the shadow.

A picture is shown grey, so that what is drawn is the only colour; canvases and what is drawn are uint8 sRGB (h, w, 3).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.colour_difference import ciede2000, srgb_to_lab
from gpu_workers.imaging.types import HALF, Code, Mask, Plane
from gpu_workers.imaging.writing import Line, Writing, at, corners
from gpu_workers.reading.comparing import ALIKE_MIN, X_HEIGHT_PX_MIN, likeness
from gpu_workers.reading.photograph import INSIDE, SURE
from gpu_workers.reading.recognising import cut_line

DIFFERENCE_MAX = 10.0  # ΔE00 at which a colour is another one; the scale's end
_DARKER_MAX = 60.0  # levels of 255 by which a full shadow darkens
_FAINT = 0.04  # of a scale: less is the picture's noise and is not drawn
_SAME, _OTHER, _NOT_COMPARED = (0, 174, 239), (230, 40, 70), (150, 150, 150)  # lines of text
_EDGE = (0, 174, 239)
_PALE = 0.45  # of the picture's contrast under what is drawn


@dataclass(frozen=True)
class Shown:
    """A picture, where its product is (h, w), and how the points of what it was made of, uint8 RGB (h', w', 3) with
    its `writing`, come onto it: a (3, 3) matrix."""

    canvas: Code
    mask: Mask
    source: Code
    transform: NDArray[np.float64]
    writing: Writing | None


def edge_band(shown: Shown) -> Code:
    """Where the product is mixed with what is behind it, as wide as it can be seen."""
    share = shown.mask.astype(np.float32) / 255
    band = cv2.dilate(4 * share * (1 - share), np.ones((3, 3), np.uint8))
    return _over(_pale(shown.canvas), np.full_like(shown.canvas, _EDGE), band)


def colour_map(shown: Shown) -> Code:
    """How far each of the product's colours is from the photograph's, blue 0 to red at ΔE00 of 10."""
    height, width = shown.mask.shape
    before = cv2.warpPerspective(shown.source, shown.transform, (width, height), flags=cv2.INTER_AREA)
    blurred = [cv2.GaussianBlur(each, (0, 0), 1.5) for each in (shown.canvas, np.asarray(before, np.uint8))]
    far = ciede2000(*map(srgb_to_lab, blurred)) / DIFFERENCE_MAX
    inside = cv2.erode((shown.mask >= HALF).astype(np.float32), np.ones((3, 3), np.uint8))
    return _scaled(shown.canvas, np.asarray(far, np.float32), inside)


def shadow_map(shown: Shown) -> Code:
    """How much darker than the lightest of its row each place beside the product is, blue to red."""
    light = cv2.GaussianBlur(cv2.cvtColor(shown.canvas, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 2)
    beside = 1 - cv2.dilate((shown.mask > 0).astype(np.float32), np.ones((7, 7), np.uint8))  # the blur's reach
    darker = (np.max(light * beside, axis=1, keepdims=True) - light) / _DARKER_MAX
    return _scaled(shown.canvas, darker, beside * (darker > _FAINT))


def text_boxes(shown: Shown) -> Code:
    """Each line on the product: blue where it looks as in the photograph, red where it does not, grey where it is too
    small, or was read too unsurely, to be compared."""
    drawn = _pale(shown.canvas)
    thick = max(2, max(shown.mask.shape) // 400)
    for line in () if shown.writing is None else shown.writing.lines:
        box = np.rint(at(line.quad, shown.transform)).astype(np.int32)
        cv2.polylines(drawn, [box], True, _colour_of(line, shown), thick, cv2.LINE_AA)
    return drawn


def _colour_of(line: Line, shown: Shown) -> tuple[int, int, int]:
    scale = float(np.sqrt(abs(np.linalg.det(shown.transform[:2, :2]))))
    if line.confidence < SURE or line.inside < INSIDE or line.x_height_px * scale < X_HEIGHT_PX_MIN:
        return _NOT_COMPARED
    there = cut_line(shown.canvas, at(line.quad, shown.transform))
    before = cv2.resize(cut_line(shown.source, corners(line.quad)), there.shape[1::-1], interpolation=cv2.INTER_AREA)
    return _SAME if likeness(there, np.asarray(before, np.uint8)) >= ALIKE_MIN else _OTHER


OVERLAYS: Mapping[str, Callable[[Shown], Code]] = MappingProxyType(
    {"edges": edge_band, "colour": colour_map, "text": text_boxes, "shadow": shadow_map}
)


def _scaled(canvas: Code, values: Plane, where: Plane) -> Code:
    levels = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
    colours = cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_TURBO), cv2.COLOR_BGR2RGB)
    return _over(_pale(canvas), np.asarray(colours, np.uint8), 0.8 * where)


def _pale(canvas: Code) -> Code:
    grey = cv2.cvtColor(canvas, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.convertScaleAbs(cv2.merge([grey, grey, grey]), alpha=_PALE, beta=255 * (1 - _PALE)), np.uint8)


def _over(ground: Code, drawn: Code, share: Plane) -> Code:
    weight = np.clip(np.asarray(share, np.float32), 0, 1)
    return np.asarray(cv2.blendLinear(ground, drawn, 1 - weight, weight), np.uint8)
