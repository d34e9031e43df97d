"""Where a product goes on a channel's canvas: how large, where in its room, upright or turned."""

import math
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.types import HALF
from schemas.channels import Channel, Size
from schemas.errors import InputError
from schemas.operations.base import BadParameters
from schemas.operations.packshot import PackshotParameters

Edge = Literal["left", "top", "right", "bottom"]
EDGES: tuple[Edge, ...] = ("left", "top", "right", "bottom")
Box = tuple[float, float, float, float]

CUT_SHARE = 0.1  # of the side of a square as large as the product: a longer line along the frame is a cut
_STRAIGHT_SHARE = 0.95  # of a side along which an outline runs straight: a cut of the frame, and no coincidence
_RIM_PX = 3  # a frame's cut may lie two lines within a picture that was drawn or cropped with a margin
_LEAST_ROOM = 0.05  # of the canvas' side: a product that is left less is refused
_START, _END = ("left", "top"), ("right", "bottom")


class EmptyCutout(InputError, ValueError):
    """A cut-out in which nothing is at least half opaque."""

    code = "empty_cutout"
    field = "inputs"


@dataclass(frozen=True)
class Placement:
    """Where the cut-out lies: its point p is at p * scale + (x_px, y_px) of the canvas, p being turned before.

    It is turned by `angle_deg` clockwise about the cut-out's origin. `cropped` names the edges at which the
    photograph's frame cut the product off; there it meets the canvas' edge, if it is not too wide or high for that.
    """

    scale: float
    x_px: float
    y_px: float
    canvas: Size
    cropped: tuple[Edge, ...]
    angle_deg: float = 0.0

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The same as a (3, 3) matrix for points (x, y, 1)."""
        moved = np.eye(3)
        moved[:2, :2] = turn(self.angle_deg) * self.scale
        moved[:2, 2] = self.x_px, self.y_px
        return moved


@dataclass(frozen=True)
class _Room:
    """The shares of the canvas' width and height that the product may take, and where they begin."""

    width: float
    height: float
    left: float
    top: float


def place(
    alpha: NDArray[np.uint8],
    channel: Channel,
    parameters: PackshotParameters,
    angle_deg: float = 0.0,
    *,
    worn: bool = False,
) -> Placement:
    """Where a product of this `alpha` (h, w), turned by `angle_deg` and `worn` or not, goes on the channel's canvas.

    The canvas shrinks, not below the channel's smallest, before pixels are enlarged beyond `scale_max`. Raises
    EmptyCutout, and BadParameters for margins that leave no room.
    """
    left, top, right, bottom = _turned_box(alpha, angle_deg) if angle_deg else box_of(alpha)
    width, height = right - left, bottom - top
    cropped = cut_off(alpha, worn=worn)
    room = _between_cuts(_room(channel, parameters), cropped)
    canvas, scale = _scaled(width, height, room, channel, parameters)
    x_px = _align(
        canvas.width_px,
        (room.left, room.left + room.width),
        (left * scale, right * scale),
        ("left" in cropped, "right" in cropped),
        parameters.horizontal_alignment,
    )
    y_px = _align(
        canvas.height_px,
        (room.top, room.top + room.height),
        (top * scale, bottom * scale),
        ("top" in cropped, "bottom" in cropped),
        parameters.vertical_alignment,
    )
    if scale == 1.0 and not angle_deg:
        x_px, y_px = float(round(x_px)), float(round(y_px))  # whole steps: no pixel is resampled
    return Placement(scale, x_px, y_px, canvas, cropped, angle_deg)


def _scaled(
    width: float, height: float, room: _Room, channel: Channel, parameters: PackshotParameters
) -> tuple[Size, float]:
    """The canvas, and by how much a product of this size in px is scaled on it."""
    canvas = parameters.size or channel.canvas
    sides = (room.width * canvas.width_px / width, room.height * canvas.height_px / height)
    scale = max(sides) if parameters.scaling == "fill" else min(sides)
    if scale > channel.scale_max and parameters.size is None:
        least = max(channel.smallest.width_px / canvas.width_px, channel.smallest.height_px / canvas.height_px)
        shrink = max(channel.scale_max / scale, least)
        canvas, scale = canvas.shrunk(shrink), scale * shrink
    scale = min(scale, channel.scale_max)
    if math.isclose(scale, 1.0):
        scale = 1.0
    if channel.trim and parameters.size is None:
        canvas = Size(round(width * scale / room.width), round(height * scale / room.height))
    return canvas, scale


def floating_cuts(mask: NDArray[np.uint8], cropped: tuple[Edge, ...]) -> int:
    """How many of the edges at which a product was cut off lie within the canvas, where its `mask` (h, w) ends."""
    left, top, right, bottom = box_of(mask)
    gaps = (left, top, mask.shape[1] - right, mask.shape[0] - bottom)
    return sum(gap > _RIM_PX and edge in cropped for edge, gap in zip(EDGES, gaps, strict=True))


def cut_off(alpha: NDArray[np.uint8], *, worn: bool = False) -> tuple[Edge, ...]:
    """The edges that cut the product off. A picture trimmed to the product touches all four, and is not cut.

    Nobody trims a picture to a wearer (`worn`): a torso that touches all four was cut off.
    """
    lines = cut_lines(alpha)
    least = CUT_SHARE * np.sqrt((alpha >= HALF).sum())
    cut = tuple(edge for edge, line in zip(EDGES, lines, strict=True) if line.sum() > least)
    return () if all(line.any() for line in lines) and not worn else cut


def cut_lines(alpha: NDArray[np.uint8], of: NDArray[np.uint8] | None = None) -> list[NDArray[np.bool_]]:
    """What of a product of this `alpha` (h, w) lies along each of the frame's EDGES, which may be two pixels off.

    Or what is at least half `of` (h, w) there, a part of it.
    """
    lines = []
    for turns in (-1, 0, 1, 2):  # the edge in question is on top
        rim, part = (np.rot90(plane, turns)[: 2 * _RIM_PX] >= HALF for plane in (alpha, alpha if of is None else of))
        first = int(np.argmax(rim[:_RIM_PX].any(axis=1)))
        # Off the frame itself only what is as wide further in was cut: what is round is not.
        is_cut = first == 0 or rim[first].sum() >= _STRAIGHT_SHARE * rim[first:].any(axis=0).sum()
        lines.append(part[first] & is_cut)
    return lines


def _room(channel: Channel, parameters: PackshotParameters) -> _Room:
    """What margins and padding leave; without either the channel's own fill, in the middle."""
    margins = parameters.margins
    if parameters.padding is not None:
        inner = 1 - 2 * parameters.padding
    else:
        inner = channel.fill.target if margins is None else 1.0
    left, top, right, bottom = margins or (0.0, 0.0, 0.0, 0.0)
    room = _Room(inner - left - right, inner - top - bottom, left + (1 - inner) / 2, top + (1 - inner) / 2)
    for side, share in (("left", room.width), ("top", room.height)):
        if share < _LEAST_ROOM:
            raise BadParameters(
                f"`margin.{side}`, its opposite and `padding` leave the product {share:.0%} of the canvas; "
                f"it needs {_LEAST_ROOM:.0%}",
                f"margin.{side}",
            )
    return room


def _between_cuts(room: _Room, cropped: tuple[Edge, ...]) -> _Room:
    """What was cut off at two opposite edges reaches from one edge of the canvas to the other."""
    if {"left", "right"} <= {*cropped}:
        room = replace(room, width=1.0, left=0.0)
    return replace(room, height=1.0, top=0.0) if {"top", "bottom"} <= {*cropped} else room


def box_of(alpha: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """The box (left, top, right, bottom) round what is at least half opaque. Raises EmptyCutout."""
    solid = alpha >= HALF
    columns, rows = np.flatnonzero(solid.any(axis=0)), np.flatnonzero(solid.any(axis=1))
    if not len(columns):
        raise EmptyCutout("nothing in the cut-out is at least half opaque")
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _turned_box(alpha: NDArray[np.uint8], angle_deg: float) -> Box:
    """The box about the product after it was turned: that of its convex hull's corners."""
    box_of(alpha)
    hull = cv2.convexHull(cv2.findNonZero((alpha >= HALF).astype(np.uint8)))[:, 0].astype(np.float64)
    corners = np.concatenate([hull + np.array([x, y]) for x in (0, 1) for y in (0, 1)])
    turned = corners @ turn(angle_deg).T
    (left, top), (right, bottom) = turned.min(axis=0), turned.max(axis=0)
    return float(left), float(top), float(right), float(bottom)


def turn(angle_deg: float) -> NDArray[np.float64]:
    """The matrix (2, 2) that turns points (x, y), y being down, clockwise."""
    cosine, sine = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
    return np.array([[cosine, -sine], [sine, cosine]])


def _align(
    side_px: int, room: tuple[float, float], product: tuple[float, float], cut: tuple[bool, bool], wanted: str
) -> float:
    """The offset of a product that reaches from `product[0]` to `product[1]` px; what was cut off meets the edge."""
    start, end = product
    at_start, at_end = cut
    if at_start and not at_end:
        return -start
    if at_end and not at_start:
        return side_px - end
    if wanted in _START:
        return room[0] * side_px - start
    return room[1] * side_px - end if wanted in _END else ((room[0] + room[1]) * side_px - start - end) / 2
