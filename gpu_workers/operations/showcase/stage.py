"""What a clip moves: the scene as the still has it, with more of it at the sides, and the product before it."""

from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from gpu_workers.imaging.types import Codes, Plane
from gpu_workers.library.scenes import Scene
from gpu_workers.operations.mockup.mockup import Staged, staged
from gpu_workers.operations.mockup.scene_ground import Ground
from gpu_workers.operations.mockup.scene_layers import Layers
from gpu_workers.operations.mockup.scene_placing import Product
from gpu_workers.operations.mockup.scene_variation import View
from gpu_workers.operations.packshot.packshot import Placement
from gpu_workers.operations.showcase.layer import Box, Layer, layer_of
from schemas.channels import Channel, Size
from schemas.operations.showcase import ShowcaseParameters

# Set by hand, none is fitted.
_ROOM_SHARE = 0.05  # of the frame's width at either side, which a slide may bring in
_COARSE = 2  # px of the canvas a cell of what tells where things are
_NEAREST, _FURTHEST = 1.6, 0.0  # of the product's distance to a thing's: what is nearer or farther moves as that does
_EDGE_CELLS = 5  # about a nearer thing that move as it does, so that its edge is not torn


@dataclass(frozen=True)
class Stage:
    """What a clip is made of. The canvas is the frame with more at its sides; the frame begins at its column `left`.

    Linear light: `ground` (h, w, 3) is the scene with what the product does to it, `key` (h, w, 3) what of that is the
    main light's, None where nobody asked, and `front` (h, w, 4; premultiplied) what stands before the product, or None.
    `layer` is the product, `laid` that as the still has it, `middle` (x, y) its middle in the still's frame, in px, and
    `hidden` (h, w; 0..1) how much of that frame is behind something nearer than the product, or None. `nearness` (h, w;
    a cell for two by two px) is the product's distance to that of what is seen there: 1 beside the product, 0 far away.
    `room_px` is how much there is at either side of the frame, `px_per_cm` the scale where the product stands.
    `placement` is where the still has it in the frame, `cutout` (h, w, 4) what was placed. `points` (h, w, 3) is where
    everything is in cm, (right, away, up), cells as those of `nearness`; `light` the main light's azimuth and elevation
    in degrees.
    """

    ground: Plane
    key: Plane | None
    front: Plane | None
    layer: Layer
    laid: tuple[Plane, Box]
    middle: tuple[float, float]
    hidden: Plane | None
    nearness: Plane
    left: int
    size: Size
    room_px: int
    px_per_cm: float
    placement: Placement
    cutout: Codes
    points: Plane
    light: tuple[float, float]


def stage_of(product: Product, scene: Scene, channel: Channel, parameters: ShowcaseParameters, growth: float) -> Stage:
    """The stage of a clip, in which the product grows by `growth` at most. Raises as a mockup does."""
    still = parameters.still
    frame: list[View] = []
    made = staged(
        [product],
        scene,
        channel,
        still,
        partial(_widened, frame),
        with_key=parameters.motion == "light_sweep",
    )
    (one,), (hidden,), view = made.drawn, made.hidden, made.view
    size, left = frame[0].canvas, round((frame[0].left - view.left) * view.scale)
    place, (rows, columns) = one.placement, one.box
    placement = Placement(place.scale, place.x_px - left, place.y_px, size, place.cropped)
    layer = layer_of(one.placed.code, place.scale * growth)
    return Stage(
        ground=made.pictures.ground,
        key=made.key,
        front=made.pictures.occluder,
        layer=layer,
        laid=layer.laid(placement),
        middle=((columns.start + columns.stop) / 2 - left, (rows.start + rows.stop) / 2),
        hidden=_in_frame(hidden, one.box, left, size) if hidden.any() else None,
        nearness=_nearness(made, one.ground),
        left=left,
        size=size,
        room_px=min(left, view.canvas.width_px - size.width_px - left),
        px_per_cm=one.ground.px_per_cm,
        placement=placement,
        cutout=one.placed.code,
        points=made.pictures.points,
        light=(made.scene.light.azimuth_deg, made.scene.light.elevation_deg),
    )


def _in_frame(part: Plane, box: Box, left: int, size: Size) -> Plane:
    """A `part` of the canvas at its `box` (rows, columns), as the whole frame has it."""
    whole = np.zeros((size.height_px, size.width_px + 2 * left), np.float32)
    whole[box] = part
    return np.ascontiguousarray(whole[:, left : left + size.width_px])


def _widened(frame: list[View], view: View, layers: Layers) -> View:
    """The view with as much more at both sides as its plate holds; what was asked for is noted in `frame`."""
    frame.append(view)
    plate_px = layers.plate.shape[1]
    room = min(round(view.width * _ROOM_SHARE), view.left, plate_px - view.left - view.width)
    room = max(room, 0)
    width_px = round((view.width + 2 * room) * view.scale / _COARSE) * _COARSE
    canvas = Size(width_px, view.canvas.height_px)
    return View(view.left - room, view.top, view.width + 2 * room, view.height, canvas)


def _nearness(made: Staged, ground: Ground) -> Plane:
    """See `Stage`. Without distances everything is ground, up to its horizon."""
    height, width = made.pictures.points.shape[:2]
    if made.depth_cm is None:
        rows = (np.arange(height, dtype=np.float32) + np.float32(0.5)) * _COARSE
        scales = np.array([ground.scale_at(float(row)) for row in rows], np.float32) / np.float32(ground.px_per_cm)
        near = np.repeat(scales[:, None], width, axis=1)
    else:
        at_cm = made.scene.camera.focal_px * made.view.scale / ground.px_per_cm
        depth = cv2.resize(made.depth_cm, (width, height), interpolation=cv2.INTER_NEAREST)
        near = np.float32(at_cm) / np.maximum(depth, 1)
    near = np.clip(near, _FURTHEST, _NEAREST).astype(np.float32)
    near = cv2.dilate(near, np.ones((_EDGE_CELLS, _EDGE_CELLS), np.uint8))
    return np.asarray(cv2.blur(near, (3, 3)), np.float32)
