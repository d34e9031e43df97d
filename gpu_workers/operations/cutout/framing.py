"""Masks that hold no product: inverted ones, nothing but white, and all of a photograph within a plain border.

A screenshot or a letterbox puts plain bars round a photograph. A network may then take the whole photograph, its ground
too, for what stands out.
"""

import cv2
import numpy as np

from gpu_workers.imaging.types import Code, Flags

_SOLID = 127  # of an alpha of 255: above, more product than ground
# Set by hand, none is fitted. Levels are code values of 255.
_RIM_SHARE = 0.95  # of the outermost pixels: a product that is cut off on all four sides has its ground somewhere
_HOLE_SHARE = 0.05  # of the picture: what is clear inside a rim that is solid
_WHITE, _WHITE_SHARE = 253, 0.995  # what a white product's own shading and noise never reach
_SAMPLES = 500  # of a row: enough to tell a bar from a photograph
_PLAIN_LEVELS = 8  # JPEG's noise in a bar of one colour
_BAR_SHARE, _INSIDE_SHARE = 0.02, 0.3  # of a side: a bar is no thinner, and what it frames no smaller
_SHARP_PX = 3  # JPEG smears the end of a bar as far
_DEPTH_SHARE = 0.01  # of the shorter side: how near to the frame a mask must come


def emptiness(rgba: Code) -> str:
    """Why a cutout (h, w, 4), sRGB with straight alpha, shows no product; "" where it does."""
    solid = rgba[..., 3] > _SOLID
    rim = np.concatenate([solid[0], solid[-1], solid[:, 0], solid[:, -1]])
    clear = (rgba[..., 3] == 0).mean()
    if rim.mean() >= _RIM_SHARE and clear >= _HOLE_SHARE:
        return "its mask is inverted: the picture's rim is solid, and what it surrounds is clear"
    white = np.count_nonzero(cv2.inRange(rgba, (_WHITE, _WHITE, _WHITE, _SOLID + 1), (255, 255, 255, 255)))
    if solid.any() and white / np.count_nonzero(solid) >= _WHITE_SHARE:
        return "nothing but white is in its mask"
    return ""


def framed_share(codes: Code, solid: Flags) -> float:
    """How much of the frame within plain bars the mask `solid` (h, w) lies along, 0..1; 0 where there are no bars."""
    height, width = solid.shape
    top, bottom = _bars(codes[:, :: max(1, width // _SAMPLES)], along=1)
    within = codes[top : height - bottom]
    left, right = _bars(within[:: max(1, len(within) // _SAMPLES)], along=0) if len(within) else (0, 0)
    bars = (top / height, bottom / height, left / width, right / width)
    inside = solid[top : height - bottom, left : width - right]
    too_small = inside.shape[0] < _INSIDE_SHARE * height or inside.shape[1] < _INSIDE_SHARE * width
    if too_small or sum(bar >= _BAR_SHARE for bar in bars) < 2:
        return 0.0
    depth = max(1, round(_DEPTH_SHARE * min(inside.shape)))
    sides = (inside[:depth].any(0), inside[-depth:].any(0), inside[:, :depth].any(1), inside[:, -depth:].any(1))
    ends = _ends(codes[top : height - bottom, left : width - right], (top, bottom, left, right), codes)
    return float(np.mean([(side & end).mean() for side, end in zip(sides, ends, strict=True)]))


def _ends(inside: Code, bars: tuple[int, int, int, int], codes: Code) -> list[Flags]:
    """Where, along each side, the bar ends within the same few lines; everywhere where there is no bar.

    A screen cuts a picture to the pixel. A rectangular product on a plain ground was photographed, and stands a little
    askew.
    """
    lines = (inside[:_SHARP_PX], inside[-_SHARP_PX:], inside[:, :_SHARP_PX], inside[:, -_SHARP_PX:])
    colours = (codes[0, 0], codes[-1, -1], codes[0, 0], codes[-1, -1])
    ends = []
    for side, (part, bar, colour) in enumerate(zip(lines, bars, colours, strict=True)):
        off = np.abs(part.astype(np.int16) - colour.astype(np.int16)).max(axis=2) > _PLAIN_LEVELS
        ends.append(off.any(axis=0 if side < 2 else 1) | (bar == 0))
    return ends


def _bars(sampled: Code, along: int) -> tuple[int, int]:
    """How many lines `along` an axis of (h, w, 3) are all of one colour at the first end and at the last, each end
    having its own."""
    sampled = np.ascontiguousarray(sampled)
    most, least, total = (
        cv2.reduce(sampled, along, kind, dtype=depth).reshape(-1, 3)
        for kind, depth in ((cv2.REDUCE_MAX, -1), (cv2.REDUCE_MIN, -1), (cv2.REDUCE_SUM, cv2.CV_64F))
    )
    spread, mean = (most - least).max(axis=1), total / sampled.shape[along]
    ends = []
    for rows, colour in ((spread, mean), (spread[::-1], mean[::-1])):
        plain = (rows <= _PLAIN_LEVELS) & (np.abs(colour - colour[0]).max(axis=1) <= _PLAIN_LEVELS / 2)
        ends.append(len(plain) if plain.all() else int(np.argmin(plain)))
    return ends[0], ends[1]
