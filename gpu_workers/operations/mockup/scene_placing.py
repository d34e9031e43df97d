"""Putting products into a scene at their real size: on the plate first, then on the canvas that shows a part of it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.linear_light import levels, premultiplied_light, resampled_light
from gpu_workers.imaging.resampling import resample
from gpu_workers.imaging.types import Codes, Plane
from gpu_workers.library.scenes import BadScene, Place, Scene
from gpu_workers.operations.mockup.scene_framing import Frame, framed
from gpu_workers.operations.mockup.scene_ground import Ground
from gpu_workers.operations.mockup.scene_layers import Layers
from gpu_workers.operations.mockup.scene_variation import Box, Variation, View, moved_cm, sharp_cm
from gpu_workers.operations.mockup.standing import Stance, stance
from gpu_workers.operations.packshot import shadow
from gpu_workers.operations.packshot.packshot import Placement, cut_off
from schemas.channels import Channel
from schemas.operations.base import BadParameters
from schemas.operations.mockup import MockupParameters

# Set by hand, none is fitted, but where a line says so.
_WIDTH_TOLERANCE = 1.1  # times a place's width: a product may overlap its edges a little
_FILL_SHARE = 0.5  # of what a channel wants of a packshot: a scene is more than its product
_NEAR_SCALE = 2.0  # times as far as a product's may a plate's pixels be enlarged that is mostly out of focus
_SOLID, _FAINT = 250, 8  # of an alpha of 255
_EDGE_PX = 7  # the window in which an edge goes from all to nothing: wider is a soft one
# of a distance, by which a depth map says that the surface has ended; cm that things stand behind its edge
_OFF_SURFACE, _EDGE_CM = 0.004, 0.5


@dataclass(frozen=True)
class Product:
    """What is put into a scene: `rgba` (h, w, 4; uint8 sRGB or uint16 WIDE, straight alpha), and how tall it is."""

    rgba: Codes
    height_cm: float | None


@dataclass(frozen=True)
class Placed:
    """A product whose size and place in the plate are known: `scale` and (x_px, y_px) as in Placement."""

    code: Codes
    stance: Stance
    place: str
    ground: Ground
    height_cm: float
    scale: float
    x_px: float
    y_px: float
    own_shadow: float

    @property
    def box(self) -> Box:
        """Its box in the plate."""
        left, top, right, bottom = self.stance.box
        return (
            left * self.scale + self.x_px,
            top * self.scale + self.y_px,
            right * self.scale + self.x_px,
            bottom * self.scale + self.y_px,
        )


@dataclass(frozen=True)
class Drawn:
    """A product on the canvas: `light` (h, w, 4; linear, premultiplied) at the box (rows, columns) of the canvas."""

    placed: Placed
    placement: Placement
    ground: Ground
    light: Plane
    box: tuple[slice, slice]


def height_of(height_cm: float | None) -> float:
    if height_cm is None or not 0 < height_cm < math.inf:
        raise BadParameters(
            "`height_cm`: how tall the product is must be known to show it at its real size", "height_cm"
        )
    return height_cm


def places_of(scene: Scene, count: int, first: str | None) -> list[Place]:
    names = [place.name for place in scene.places]
    if first is not None and first not in names:
        raise BadParameters(f"`place`: {scene.name} has no place {first!r}; there are: {', '.join(names)}", "place")
    start = 0 if first is None else names.index(first)
    if count > len(names):
        raise BadScene(f"{scene.name} has places for {len(names)} products and not for {count}")
    return [scene.places[(start + number) % len(names)] for number in range(count)]


def stand(product: Product, scene: Scene, place: Place, ground: Ground, variation: Variation, layers: Layers) -> Placed:
    """A product on its place in the plate, as large as it is; none of its foot is over the surface's edge."""
    height_cm = height_of(product.height_cm)
    if height_cm > place.height_cm_max:
        limit = f"is for products up to {place.height_cm_max:g} cm, not for {height_cm:g}"
        raise BadParameters(f"`height_cm`: the place {place.name!r} of {scene.name} {limit}", "height_cm")
    code = without_fringe(shadow.strip(product.rgba))
    stands = stance(levels(code[..., 3]))
    there = ground.at(place.x_px, place.y_px)
    px_per_cm = stands.height_px / (height_cm * there.cosine)
    width_cm = (stands.box[2] - stands.box[0]) / px_per_cm
    if width_cm > place.width_cm * _WIDTH_TOLERANCE:
        limit = f"is {place.width_cm:g} cm wide, and a product of this height is {width_cm:.0f} cm wide"
        raise BadParameters(f"`height_cm`: the place {place.name!r} of {scene.name} {limit}", "height_cm")
    number = scene.places.index(place)
    furthest_px = there.point(0.0, place.depth_cm)[1]
    free_cm = sharp_cm(scene, layers.plate.shape[1])
    there = there.at(*there.point(*moved_cm(place, number, width_cm, variation, free_cm)))
    if layers.depth is not None:
        edge_px = _edge_px(layers.depth, there, width_cm, scene.camera.focal_px)
        there = there.at(there.x_px, max(_behind(edge_px, there, stands.rise_px / px_per_cm), furthest_px))
    scale = there.px_per_cm / px_per_cm
    return Placed(
        code=code,
        stance=stands,
        place=place.name,
        ground=there,
        height_cm=height_cm,
        scale=scale,
        x_px=there.x_px - sum(stands.foot_px) / 2 * scale,
        y_px=there.y_px - stands.axis_px * scale,
        own_shadow=1 - int(np.count_nonzero(code[..., 3])) / int(np.count_nonzero(product.rgba[..., 3])),
    )


def _edge_px(depth_mm: NDArray[np.uint16], there: Ground, width_cm: float, focal_px: float) -> float:
    """The row in front of what is `width_cm` wide `there` from which on the plate is the surface no more."""
    half = width_cm / 2 * there.px_per_cm
    columns = slice(max(round(there.x_px - half), 0), max(round(there.x_px + half), 0) + 1)
    rows = np.arange(round(there.y_px), len(depth_mm))
    seen = focal_px * 10 / np.maximum(np.median(depth_mm[rows, columns], axis=1), 1)
    beyond = np.abs(seen / (there.slope * (rows + 0.5 - there.horizon_px)) - 1) > _OFF_SURFACE
    return float(rows[beyond.argmax()] if beyond.any() else len(depth_mm))


def _behind(edge_px: float, there: Ground, rise_cm: float) -> float:
    """The row nearest to `there` on which a foot whose middle is seen `rise_cm` above its nearest point stays a little
    behind the edge; it is seen the larger the nearer it is."""
    free_px = edge_px - _EDGE_CM * there.px_per_cm * there.sine
    reach = rise_cm * there.slope
    return min(there.y_px, (free_px + reach * there.horizon_px) / (1 + reach))


def without_fringe(rgba: Codes) -> Codes:
    """`rgba` (h, w, 4) without what its soft edge has from the background it was photographed on: there no colour is
    lighter or darker than what is solid beside it. An edge with nothing solid beside it, as of a wire, stays."""
    alpha, kernel = levels(rgba[..., 3]), np.ones((_EDGE_PX, _EDGE_PX), np.uint8)
    none = rgba.dtype.type(0)
    solid = alpha >= _SOLID
    edge = ~solid & (alpha > 0) & (cv2.erode(alpha, kernel) < _FAINT) & (cv2.dilate(alpha, kernel) >= _SOLID)
    lowest = cv2.erode(np.where(solid[..., None], rgba[..., :3], ~none), kernel)
    highest = cv2.dilate(np.where(solid[..., None], rgba[..., :3], none), kernel)
    out = rgba.copy()
    out[..., :3][edge] = np.clip(rgba[..., :3], lowest, np.maximum(lowest, highest))[edge]
    return out


def view_on(
    layers: Layers,
    placed: Sequence[Placed],
    channel: Channel,
    parameters: MockupParameters,
    variation: Variation,
    azimuth_deg: float,
) -> View:
    """The part of the plate that is shown, on a canvas that enlarges neither products nor plate too far. The main
    light comes from `azimuth_deg`."""
    height, width = layers.plate.shape[:2]
    canvas = parameters.size or channel.canvas
    fill = _FILL_SHARE * channel.fill.min
    frame = Frame(parameters.framing, parameters.copy_space, azimuth_deg)
    view = framed((height, width), canvas, [one.box for one in placed], variation, fill, frame)
    plate_max = channel.scale_max if parameters.framing == "context" else _NEAR_SCALE * channel.scale_max
    allowed = min(plate_max, channel.scale_max / max(one.scale for one in placed)) / view.scale
    if allowed < 1 and parameters.size is None:
        least = max(channel.smallest.width_px / canvas.width_px, channel.smallest.height_px / canvas.height_px)
        canvas = canvas.shrunk(max(allowed, min(least, 1.0)))
    return View(view.left, view.top, view.width, view.height, canvas)


def draw(placed: Placed, view: View) -> Drawn:
    scale = placed.scale * view.scale
    x_px, y_px = (placed.x_px - view.left) * view.scale, (placed.y_px - view.top) * view.scale
    alpha = levels(placed.code[..., 3])
    placement = Placement(scale, x_px, y_px, view.canvas, cut_off(alpha))
    rows, columns = np.flatnonzero(alpha.any(axis=1)), np.flatnonzero(alpha.any(axis=0))
    inner = (slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
    code = placed.code[inner]
    source = premultiplied_light(code)
    left, top = x_px + inner[1].start * scale, y_px + inner[0].start * scale
    reach = 3 * max(scale, 1.0)
    x0, y0 = max(math.floor(left - reach), 0), max(math.floor(top - reach), 0)
    x1 = min(math.ceil(left + source.shape[1] * scale + reach), view.canvas.width_px)
    y1 = min(math.ceil(top + source.shape[0] * scale + reach), view.canvas.height_px)
    found = resample(source, scale, (left - x0, top - y0), (x1 - x0, y1 - y0))
    solid = np.clip(found[..., 3:], 0, 1)
    light = np.concatenate([resampled_light(found[..., :3], solid, code), solid], axis=2)
    return Drawn(
        placed,
        placement,
        placed.ground.in_view(view.left, view.top, view.scale),
        light,
        (slice(y0, y1), slice(x0, x1)),
    )
