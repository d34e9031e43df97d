"""Packshot: a cut-out on a channel's canvas, as large and as placed as the channel wants it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from gpu_workers.imaging.linear_light import coded, colour, levels, premultiplied_light, resampled_light, to_linear
from gpu_workers.imaging.resampling import resample, resample_turned
from gpu_workers.imaging.types import Codes, Mask, Plane
from gpu_workers.imaging.wide_gamut import in_srgb
from gpu_workers.operations.packshot import light as lights
from gpu_workers.operations.packshot import lighting, shadow, straightening
from gpu_workers.operations.packshot.footing import Footing, footing
from gpu_workers.operations.packshot.light import Light
from gpu_workers.operations.packshot.placement import EDGES, Edge, EmptyCutout, Placement, box_of, cut_off, place, turn
from schemas.channels import Channel, ShadowMode
from schemas.operations.packshot import PackshotParameters

__all__ = [
    "EDGES",
    "EmptyCutout",
    "Placement",
    "Rendered",
    "behind",
    "box_of",
    "cut_off",
    "on_canvas",
    "packshot",
    "place",
]


_SEEN = 10  # of an alpha of 255: less is not seen on the canvas


@dataclass(frozen=True)
class Rendered:
    """A packshot before it is encoded.

    `canvas`: (h, w, 3), or (h, w, 4) with straight alpha on a transparent background; uint8 sRGB or uint16 WIDE, as
    `product` is. `mask`: (h, w) uint8, the product's alpha on the canvas. `shadow`: (h, w) float32, 0..1, how much of
    the background's light it takes; `reflection`: (h, w, 4) float32 premultiplied linear light over that, or None.
    `background`: (3,) uint8, or None. `product`: (h, w, 4) uint8 or uint16, the cut-out that was placed, without the
    supplier's shadow, which took `own_shadow` (0..1) of the pixels that are not empty.

    `shadow_mode` is what was asked for and `shadow_made` whether it could be: a supplier's shadow may not be there, and
    what does not stand flat has no reflection. `light` is the light of a shadow that has a direction on the ground.
    `gain` is what the product's linear light was multiplied with, `lit` whether the ground told what to correct,
    or None where nobody asked.
    """

    canvas: Codes
    mask: NDArray[np.uint8]
    shadow: Plane
    background: NDArray[np.uint8] | None
    product: Codes
    placement: Placement
    own_shadow: float
    reflection: Plane | None = None
    shadow_mode: ShadowMode = "none"
    shadow_made: bool = True
    light: Light | None = None
    gain: lighting.Light = lighting.NO_CHANGE
    lit: bool | None = None


def packshot(
    rgba: Codes,
    channel: Channel,
    parameters: PackshotParameters | None = None,
    photographed_on: lighting.Light | None = None,
    *,
    worn: bool = False,
) -> Rendered:
    """`rgba` (h, w, 4; straight alpha, uint8 sRGB or uint16 WIDE) as `channel` wants it.

    `photographed_on` is the linear light of the plain ground that it was cut out of, where that is known;
    `worn` says that it shows who wears it. Resampled in linear light with premultiplied alpha; the background is
    exactly the colour asked for. Raises EmptyCutout, and BadParameters for margins that leave no room.
    """
    parameters = parameters or PackshotParameters()
    product = shadow.strip(rgba)
    mode = parameters.shadow_mode or channel.shadow
    placement = _placement(rgba, product, channel, parameters, mode, worn)
    light = on_canvas(product, placement)
    gain = lighting.NO_CHANGE
    if parameters.lighting_mode == "auto" and photographed_on is not None:
        gain = lighting.correction(product, photographed_on)
        light[..., :3] *= np.array(gain, np.float32)
    mask = np.rint(light[..., 3] * 255).astype(np.uint8)
    if parameters.shadow_mode is None and mode in ("soft", "hard"):
        mode = _tellable(mask, mode)
    hex_code = parameters.background_color or channel.background
    background = colour(hex_code) if hex_code else None
    darkness, reflection, made = _ground(rgba, product, light, mask, placement, mode)
    if background is None:
        canvas = _straight(light, product.dtype)
    else:
        canvas = _over(light, background, darkness, reflection, product.dtype)
    return Rendered(
        canvas=canvas,
        mask=mask,
        shadow=darkness,
        background=background,
        product=product,
        placement=placement,
        own_shadow=1 - int(np.count_nonzero(product[..., 3])) / int(np.count_nonzero(rgba[..., 3])),
        reflection=reflection,
        shadow_mode=mode,
        shadow_made=made,
        light=shadow.LIGHTS[mode] if mode in ("soft", "hard") else None,
        gain=gain,
        lit=None if parameters.lighting_mode == "none" else photographed_on is not None,
    )


def _tellable(mask: Mask, mode: ShadowMode) -> ShadowMode:
    """`mode`, or what of it can be told of a product whose outline does not say how it meets the ground."""
    allowed: dict[Footing, ShadowMode] = {"stands": mode, "oblique": "contact", "lies": "floating"}
    return allowed[footing(mask)]


def _placement(
    rgba: Codes, product: Codes, channel: Channel, parameters: PackshotParameters, mode: ShadowMode, worn: bool
) -> Placement:
    """Where the product goes, straightened; with its own shadow where that is kept."""
    alpha = levels(product[..., 3])
    angle_deg = straightening.requested_angle(alpha, parameters, worn=worn)
    placed = _with_shadow(rgba, alpha) if mode == "own" else alpha
    return place(placed, channel, parameters, angle_deg, worn=worn)


def _ground(
    rgba: Codes, product: Codes, light: Plane, mask: NDArray[np.uint8], placement: Placement, mode: ShadowMode
) -> tuple[Plane, Plane | None, bool]:
    """The darkness of the ground (h, w), what it mirrors (h, w, 4) or None, and whether `mode` could be made."""
    if mode == "own":
        taken = shadow.stripped_off(rgba, product)
        return shadow.darkness_of(_placed(taken[..., None], 0, 0, placement)[..., 0]), None, bool(taken.any())
    darkness = shadow.cast(mask, mode)
    if mode != "reflection":
        return darkness, None, True
    stance = lights.stand(mask)
    flat = lights.is_flat(stance)
    return darkness, lights.mirrored(light, stance) if flat else None, flat


def behind(background: NDArray[np.uint8], darkness: Plane, reflection: Plane | None) -> Plane:
    """Linear light (h, w, 3) of the ground behind a product: `background` (3,) in its shadow and with its mirror."""
    ground = to_linear(background) * (1 - darkness[..., None])
    return ground if reflection is None else ground * (1 - reflection[..., 3:]) + reflection[..., :3]


def on_canvas(product: Codes, placement: Placement) -> Plane:
    """`product` (h, w, 4; straight alpha) where it was placed: linear light with premultiplied alpha, (h, w, 4).

    Alpha is 0..1; the light of what sRGB does not hold leaves that.
    """
    rows, columns = np.flatnonzero(product[..., 3].any(axis=1)), np.flatnonzero(product[..., 3].any(axis=0))
    top, left = int(rows[0]), int(columns[0])
    part = product[top : rows[-1] + 1, left : columns[-1] + 1]
    source, left, top = _extended(premultiplied_light(part), left, top, placement.cropped)
    light = _placed(source, left, top, placement)
    light[..., 3:] = light[..., 3:].clip(0, 1)
    light[..., :3] = resampled_light(light[..., :3], light[..., 3:], part)
    return light


def _placed(source: Plane, left: int, top: int, placement: Placement) -> Plane:
    """`source` (h, w, c), whose corner is at (left, top) of the cut-out, on an empty canvas."""
    size = (placement.canvas.width_px, placement.canvas.height_px)
    canvas = np.zeros((size[1], size[0], source.shape[2]), np.float32)
    scale, corner = placement.scale, turn(placement.angle_deg) @ (left, top)
    offset = (placement.x_px + corner[0] * scale, placement.y_px + corner[1] * scale)
    if placement.angle_deg:
        return resample_turned(source, scale, placement.angle_deg, offset, size)
    if scale == 1.0:
        _paste(canvas, source, round(offset[0]), round(offset[1]))
        return canvas
    reach = 3 * max(scale, 1.0)
    x0, y0 = (max(0, int(np.floor(start - reach))) for start in offset)
    x1 = min(size[0], int(np.ceil(offset[0] + source.shape[1] * scale + reach)))
    y1 = min(size[1], int(np.ceil(offset[1] + source.shape[0] * scale + reach)))
    canvas[y0:y1, x0:x1] = resample(source, scale, (offset[0] - x0, offset[1] - y0), (x1 - x0, y1 - y0))
    return canvas


def _extended(source: Plane, left: int, top: int, cropped: tuple[Edge, ...]) -> tuple[Plane, int, int]:
    """`source` continued beyond the edges that cut it off, so that the canvas' edge does not fade."""
    if not cropped:
        return source, left, top
    pad = 8
    before_x, before_y, after_x, after_y = (pad * (edge in cropped) for edge in EDGES)
    wider = np.pad(source, ((before_y, after_y), (before_x, after_x), (0, 0)), mode="edge")
    return wider, left - before_x, top - before_y


def _paste(canvas: Plane, source: Plane, x: int, y: int) -> None:
    x0, y0 = max(x, 0), max(y, 0)
    part = source[y0 - y : canvas.shape[0] - y, x0 - x : canvas.shape[1] - x]
    canvas[y0 : y0 + part.shape[0], x0 : x0 + part.shape[1]] = part


def _over(
    light: Plane, background: NDArray[np.uint8], darkness: Plane, reflection: Plane | None, depth: DTypeLike
) -> Codes:
    canvas = _coded(light[..., :3] + (1 - light[..., 3:]) * behind(background, darkness, reflection), depth)
    untouched = (light[..., 3] == 0) & (darkness == 0)
    if reflection is not None:
        untouched &= reflection[..., 3] == 0
    canvas[untouched] = coded(to_linear(background), depth)
    return canvas


def _straight(light: Plane, depth: np.dtype[Any]) -> Codes:
    alpha = np.rint(light[..., 3:] * np.iinfo(depth).max).astype(depth)
    solid = np.maximum(light[..., 3:], 1e-6).astype(np.float32)
    return np.concatenate([_coded(light[..., :3] / solid, depth) * (alpha > 0), alpha], axis=2)


def _coded(light: Plane, depth: DTypeLike) -> Codes:
    """In eight bits what became too bright for sRGB is brought into it, or its hue would turn."""
    return coded(in_srgb(light) if depth == np.uint8 else light, depth)


def _with_shadow(rgba: Codes, alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The product's `alpha` and, as solid, what is to be seen of the supplier's shadow, which needs room too."""
    return np.where(levels(rgba[..., 3]) >= _SEEN, np.uint8(255), alpha)
