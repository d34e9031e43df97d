"""Packshot: a cut-out on a channel's canvas, as large and as placed as the channel wants it."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gpu_workers.linear_light import colour, opacity, to_linear, to_srgb
from gpu_workers.operations import shadow
from gpu_workers.operations.resampling import resample
from schemas.channels import Channel, Size
from schemas.parameters import PackshotParameters

Edge = Literal["left", "top", "right", "bottom"]
EDGES: tuple[Edge, ...] = ("left", "top", "right", "bottom")

_HALF = 128
_CUT_SHARE = 0.1


class EmptyCutout(ValueError):
    """A cut-out in which nothing is at least half opaque."""

    code = "empty_cutout"
    field = "inputs"
    transient = False


@dataclass(frozen=True)
class Placement:
    """Where the cut-out lies: its point p is at p * scale + (x_px, y_px) of the canvas.

    `cropped` names the edges at which the photograph's frame cut the product off; there it meets the canvas' edge.
    """

    scale: float
    x_px: float
    y_px: float
    canvas: Size
    cropped: tuple[Edge, ...]


@dataclass(frozen=True)
class Rendered:
    """A packshot before it is encoded.

    `canvas`: (h, w, 3) uint8 sRGB, or (h, w, 4) with straight alpha on a transparent background. `mask`: (h, w)
    uint8, the product's alpha on the canvas. `shadow`: (h, w) float32, 0..1, how much of the background's light it
    takes. `background`: (3,) uint8, or None. `product`: (h, w, 4) uint8, the cut-out that was placed, without the
    supplier's shadow, which took `own_shadow` (0..1) of the pixels that are not empty.
    """

    canvas: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    shadow: NDArray[np.float32]
    background: NDArray[np.uint8] | None
    product: NDArray[np.uint8]
    placement: Placement
    own_shadow: float


def packshot(rgba: NDArray[np.uint8], channel: Channel, parameters: PackshotParameters | None = None) -> Rendered:
    """`rgba` (h, w, 4; uint8 sRGB, straight alpha) as `channel` wants it. Raises EmptyCutout.

    Resampled in linear light with premultiplied alpha; the background is exactly the colour asked for.
    """
    parameters = parameters or PackshotParameters()
    product = shadow.strip(rgba)
    placement = place(product[..., 3], channel, parameters)
    light = _on_canvas(product, placement)
    mask = np.rint(light[..., 3] * 255).astype(np.uint8)
    hex_code = parameters.background_color or channel.background
    darkness = shadow.cast(mask, parameters.shadow_mode or channel.shadow)
    background = colour(hex_code) if hex_code else None
    return Rendered(
        canvas=_straight(light) if background is None else _over(light, background, darkness),
        mask=mask,
        shadow=darkness,
        background=background,
        product=product,
        placement=placement,
        own_shadow=1 - int(np.count_nonzero(product[..., 3])) / int(np.count_nonzero(rgba[..., 3])),
    )


def place(alpha: NDArray[np.uint8], channel: Channel, parameters: PackshotParameters) -> Placement:
    """Where a product of this `alpha` (h, w) goes on the channel's canvas. Raises EmptyCutout.

    The canvas shrinks, not below the channel's smallest, before pixels are enlarged beyond `scale_max`.
    """
    left, top, right, bottom = box_of(alpha)
    width, height = right - left, bottom - top
    fill = channel.fill.target if parameters.padding is None else 1 - 2 * parameters.padding
    canvas = parameters.size or channel.canvas
    scale = fill * min(canvas.width_px / width, canvas.height_px / height)
    if scale > channel.scale_max and parameters.size is None:
        least = max(channel.smallest.width_px / canvas.width_px, channel.smallest.height_px / canvas.height_px)
        shrink = max(channel.scale_max / scale, least)
        canvas, scale = canvas.shrunk(shrink), scale * shrink
    scale = min(scale, channel.scale_max)
    if math.isclose(scale, 1.0):
        scale = 1.0
    if channel.trim and parameters.size is None:
        canvas = Size(round(width * scale / fill), round(height * scale / fill))
    cropped = cut_off(alpha)
    x_px = _align(canvas.width_px, left * scale, right * scale, "left" in cropped, "right" in cropped)
    y_px = _align(canvas.height_px, top * scale, bottom * scale, "top" in cropped, "bottom" in cropped)
    if scale == 1.0:
        x_px, y_px = float(round(x_px)), float(round(y_px))  # whole steps: no pixel is resampled
    return Placement(scale, x_px, y_px, canvas, cropped)


def box_of(alpha: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """The box (left, top, right, bottom) round what is at least half opaque. Raises EmptyCutout."""
    solid = alpha >= _HALF
    columns, rows = np.flatnonzero(solid.any(axis=0)), np.flatnonzero(solid.any(axis=1))
    if not len(columns):
        raise EmptyCutout("nothing in the cut-out is at least half opaque")
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def cut_off(alpha: NDArray[np.uint8]) -> tuple[Edge, ...]:
    """The edges that cut the product off. A picture trimmed to the product touches all four, and is not cut."""
    solid = alpha >= _HALF
    lines = (solid[:, 0], solid[0], solid[:, -1], solid[-1])
    least = _CUT_SHARE * np.sqrt(solid.sum())
    cut = tuple(edge for edge, line in zip(EDGES, lines, strict=True) if line.sum() > least)
    return () if all(line.any() for line in lines) else cut


def _align(side_px: int, start: float, end: float, at_start: bool, at_end: bool) -> float:
    if at_start and not at_end:
        return -start
    return side_px - end if at_end and not at_start else (side_px - start - end) / 2


def _on_canvas(product: NDArray[np.uint8], placement: Placement) -> NDArray[np.float32]:
    """Linear light with premultiplied alpha, (canvas h, canvas w, 4), 0..1."""
    light = np.zeros((placement.canvas.height_px, placement.canvas.width_px, 4), np.float32)
    rows, columns = np.flatnonzero(product[..., 3].any(axis=1)), np.flatnonzero(product[..., 3].any(axis=0))
    top, left = int(rows[0]), int(columns[0])
    part = product[top : rows[-1] + 1, left : columns[-1] + 1]
    alpha = opacity(part[..., 3:])
    source = np.concatenate([to_linear(part[..., :3]) * alpha, alpha], axis=2)
    source, left, top = _extended(source, left, top, placement.cropped)
    offset = (placement.x_px + left * placement.scale, placement.y_px + top * placement.scale)
    if placement.scale == 1.0:
        _paste(light, source, round(offset[0]), round(offset[1]))
        return light
    reach = 3 * max(placement.scale, 1.0)
    x0, y0 = (max(0, int(np.floor(start - reach))) for start in offset)
    x1 = min(light.shape[1], int(np.ceil(offset[0] + source.shape[1] * placement.scale + reach)))
    y1 = min(light.shape[0], int(np.ceil(offset[1] + source.shape[0] * placement.scale + reach)))
    found = resample(source, placement.scale, (offset[0] - x0, offset[1] - y0), (x1 - x0, y1 - y0))
    alpha = np.clip(found[..., 3:], 0, 1)
    light[y0:y1, x0:x1] = np.concatenate([np.clip(found[..., :3], 0, alpha), alpha], axis=2)
    return light


def _extended(
    source: NDArray[np.float32], left: int, top: int, cropped: tuple[Edge, ...]
) -> tuple[NDArray[np.float32], int, int]:
    """`source` continued beyond the edges that cut it off, so that the canvas' edge does not fade."""
    if not cropped:
        return source, left, top
    pad = 8
    before_x, before_y, after_x, after_y = (pad * (edge in cropped) for edge in EDGES)
    wider = np.pad(source, ((before_y, after_y), (before_x, after_x), (0, 0)), mode="edge")
    return wider, left - before_x, top - before_y


def _paste(canvas: NDArray[np.float32], source: NDArray[np.float32], x: int, y: int) -> None:
    x0, y0 = max(x, 0), max(y, 0)
    part = source[y0 - y : canvas.shape[0] - y, x0 - x : canvas.shape[1] - x]
    canvas[y0 : y0 + part.shape[0], x0 : x0 + part.shape[1]] = part


def _over(
    light: NDArray[np.float32], background: NDArray[np.uint8], darkness: NDArray[np.float32]
) -> NDArray[np.uint8]:
    ground = to_linear(background) * (1 - darkness[..., None])
    canvas = to_srgb(light[..., :3] + (1 - light[..., 3:]) * ground)
    canvas[(light[..., 3] == 0) & (darkness == 0)] = background
    return canvas


def _straight(light: NDArray[np.float32]) -> NDArray[np.uint8]:
    alpha = np.rint(light[..., 3:] * 255).astype(np.uint8)
    solid = np.maximum(light[..., 3:], 1e-6).astype(np.float32)
    return np.concatenate([to_srgb(light[..., :3] / solid) * (alpha > 0), alpha], axis=2)
