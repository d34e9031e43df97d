"""Small products drawn for the tests: straight alpha, colours that tell where they are."""

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.linear_light import to_linear
from gpu_workers.imaging.wide_gamut import SRGB_OF_WIDE

Rgba = NDArray[np.uint8]


def mug(width: int = 240, height: int = 200) -> Rgba:
    """A striped mug with a handle, its hole open, soft at the edge; its box is (50, 40) to (190, 160)."""
    fine = np.zeros((height * 4, width * 4), np.uint8)
    cv2.rectangle(fine, (80 * 4, 40 * 4), (190 * 4 - 1, 160 * 4 - 1), 255, cv2.FILLED)
    cv2.circle(fine, (90 * 4, 100 * 4), 40 * 4 - 1, 255, 48)
    fine[:, : 50 * 4] = 0
    alpha = cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA)
    y, x = np.mgrid[:height, :width]
    colours = np.dstack([40 + x * 180 // width, 30 + (y // 8 % 2) * 120, 200 - y * 150 // height])
    return np.dstack([colours.astype(np.uint8), alpha])


def wide(rgba: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """An 8-bit sRGB picture (h, w, 4) in WIDE."""
    light = np.clip(to_linear(rgba[..., :3]).astype(np.float64) @ np.linalg.inv(SRGB_OF_WIDE).T, 0, 1)
    code = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.dstack([np.rint(code * 65535), rgba[..., 3] * 257.0]).astype(np.uint16)


def block(width: int, height: int, box: tuple[int, int, int, int], colour: int = 90) -> Rgba:
    """An opaque grey block at `box` (left, top, right, bottom) of an otherwise empty picture."""
    rgba = np.zeros((height, width, 4), np.uint8)
    left, top, right, bottom = box
    rgba[top:bottom, left:right] = (colour, colour, colour, 255)
    return rgba


def with_own_shadow(rgba: Rgba) -> Rgba:
    """`rgba` with a soft black shadow beneath it in its alpha, as suppliers send it."""
    under = cv2.GaussianBlur(np.roll(rgba[..., 3], 14, axis=0).astype(np.float32), (0, 0), 7) * 0.3 / 255
    alpha = rgba[..., 3] / 255
    both = alpha + (1 - alpha) * under
    colours = rgba[..., :3] * (alpha / np.maximum(both, 1e-6))[..., None]
    return np.dstack([np.rint(colours), np.rint(both * 255)]).astype(np.uint8)


def chair() -> NDArray[np.uint8]:
    """A chair on four legs with bars between them: the front ones at columns 40 and 150, those behind at 85 and 185."""
    rgba = np.zeros((330, 240, 4), np.uint8)
    lines = [((44, 150), (44, 310)), ((154, 150), (154, 310)), ((88, 150), (88, 278)), ((188, 150), (188, 278))]
    lines += [((44, 250), (88, 226)), ((154, 250), (188, 226)), ((66, 238), (171, 238))]
    lines += [((column, 20), (column, 140)) for column in (75, 100, 125, 150, 175)]
    for start, end in lines:
        cv2.line(rgba, start, end, (150, 110, 70, 255), 6)
    cv2.ellipse(rgba, (117, 150), (90, 16), 0, 0, 360, (160, 120, 80, 255), -1)
    cv2.rectangle(rgba, (68, 14), (182, 28), (160, 120, 80, 255), -1)
    return rgba


def lamp() -> NDArray[np.uint8]:
    """A lamp on a thin bent stem, its shade beside its foot."""
    rgba = np.zeros((330, 280, 4), np.uint8)
    cv2.ellipse(rgba, (90, 300), (55, 12), 0, 0, 360, (60, 90, 80, 255), -1)
    for start, end in (((90, 300), (60, 170)), ((60, 170), (190, 50))):
        cv2.line(rgba, start, end, (60, 90, 80, 255), 5)
    cv2.fillPoly(rgba, [np.array([(180, 40), (205, 45), (245, 110), (170, 120)])], (70, 120, 100, 255))
    return rgba


def wire_bowl() -> NDArray[np.uint8]:
    """A bowl of wire, wider at its rim than at its foot."""
    rgba = np.zeros((220, 300, 4), np.uint8)
    for across, down, row in ((120, 26, 60), (92, 20, 120), (45, 10, 190)):
        cv2.ellipse(rgba, (150, row), (across, down), 0, 0, 360, (60, 60, 60, 255), 3)
    for angle in np.linspace(0, 2 * np.pi, 24, endpoint=False):
        right, near = float(np.cos(angle)), float(np.sin(angle))
        points = [(150 + a * right, row + d * near) for a, d, row in ((120, 26, 60), (92, 20, 120), (45, 10, 190))]
        cv2.polylines(rgba, [np.rint(points).astype(np.int32)], False, (60, 60, 60, 255), 2)
    return rgba
