"""How far pictures are apart, and how steeply they change: what tells a product from its ground, pixel by pixel.

Compiled, because numpy and OpenCV go through a picture of three channels once for every step of these: a tenth of the
time, and the same bits.
"""

import math

import cv2
import numpy as np

from gpu_workers.imaging.compiled import compiled
from gpu_workers.imaging.types import Plane

_DARKEST = 1e-3  # light of a ground, below which nothing is divided by it


def largest_difference(one: Plane, other: Plane) -> Plane:
    """How far two pictures (h, w, 3) are apart, (h, w): the largest difference of a channel."""
    out = np.empty(one.shape[:2], np.float32)
    _largest_difference(one, other, out)
    return out


def light_and_tint(rgb: Plane, background: Plane) -> tuple[Plane, Plane]:
    """How bright the picture (h, w, 3) is beside the background, and how far its colour is from that in this light."""
    light = np.asarray(mean_channel(rgb) / np.maximum(mean_channel(background), _DARKEST), np.float32)
    tint = np.empty(light.shape, np.float32)
    _tint(rgb, background, light, tint)
    return light, tint


def mean_channel(picture: Plane) -> Plane:
    """The mean (h, w) of the channels of (h, w, 3)."""
    return np.asarray(cv2.transform(picture, np.full((1, 3), 1 / 3)), np.float32)


def edges(rgb: Plane) -> Plane:
    """How steeply the steepest channel of (h, w, 3) changes, per pixel, (h, w)."""
    red, green, blue = (steepness(channel) for channel in cv2.split(cv2.GaussianBlur(rgb, (0, 0), 0.7)))
    return np.asarray(cv2.max(cv2.max(red, green), blue), np.float32)


def steepness(values: Plane) -> Plane:
    """Length of the gradient, per pixel."""
    across, down = (cv2.Sobel(values, cv2.CV_32F, dx, 1 - dx, scale=1 / 8) for dx in (1, 0))
    _length(across, down)
    return np.asarray(across, np.float32)


@compiled("void(f4[:, :, :], f4[:, :, :], f4[:, ::1])")
def _largest_difference(one, other, out):  # type: ignore[no-untyped-def]
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            red = abs(one[row, column, 0] - other[row, column, 0])
            green = abs(one[row, column, 1] - other[row, column, 1])
            blue = abs(one[row, column, 2] - other[row, column, 2])
            out[row, column] = max(max(red, green), blue)


@compiled("void(f4[:, :, :], f4[:, :, :], f4[:, ::1], f4[:, ::1])")
def _tint(rgb, background, light, out):  # type: ignore[no-untyped-def]
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            lit = light[row, column]
            red = abs(rgb[row, column, 0] - lit * background[row, column, 0])
            green = abs(rgb[row, column, 1] - lit * background[row, column, 1])
            blue = abs(rgb[row, column, 2] - lit * background[row, column, 2])
            out[row, column] = max(max(red, green), blue)


@compiled("void(f4[:, ::1], f4[:, ::1])")
def _length(across, down):  # type: ignore[no-untyped-def]
    for row in range(across.shape[0]):
        for column in range(across.shape[1]):
            x, y = np.float64(across[row, column]), np.float64(down[row, column])
            across[row, column] = np.float32(math.sqrt(x * x + y * y))
