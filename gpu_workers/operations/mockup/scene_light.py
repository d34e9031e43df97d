"""A scene's light on a canvas: what is all round and what comes from the main light, in linear light."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.linear_light import colour, opacity, to_linear
from gpu_workers.imaging.types import Plane
from gpu_workers.library.scenes import Paint, Prop, Scene
from gpu_workers.operations.mockup.scene_layers import Layers
from gpu_workers.operations.mockup.scene_variation import Variation, View
from schemas.channels import Size
from schemas.operations.base import BadParameters

_REPAINT_MAX = 6.0  # times as light: more would bring up noise
_DARKEST = 0.02  # of full light, below which nothing is divided by it


@dataclass(frozen=True)
class Lit:
    """A scene's light in a view, linear (h, w, 3) at the canvas' size: `ambient` remains in the main light's shadow,
    `key` does not. `occluder` (h, w, 4), premultiplied, is in front of the products; `depth_cm` (h, w) is how far
    everything else is."""

    ambient: Plane
    key: Plane
    occluder: Plane | None
    depth_cm: Plane | None


def lit(
    scene: Scene, layers: Layers, view: View, variation: Variation, places: Sequence[str], palette: Mapping[str, str]
) -> Lit:
    """The scene in this view with the props that leave the `places` free. Raises BadParameters for a paint that the
    scene does not have."""
    plate = to_linear(layers.plate[view.box])
    key = plate * (1 - scene.light.ambient) if layers.key is None else to_linear(layers.key[view.box])
    for prop in props_of(scene, variation, places):
        _put(plate, key, prop, layers, view, scene.light.ambient)
    for paint, hex_code in _colours(scene.paints, variation, palette).items():
        repaint = _repaint(paint, hex_code, layers, view)
        plate *= repaint
        key *= repaint
    key = np.minimum(key, plate)
    return Lit(
        ambient=_fitted((plate - key) * variation.ambient, view.canvas),
        key=_fitted(key * variation.key, view.canvas),
        occluder=None if layers.occluder is None else _occluder(scene, layers.occluder, view, variation),
        depth_cm=None if layers.depth is None else _depth_cm(layers.depth, view),
    )


def props_of(scene: Scene, variation: Variation, places: Sequence[str]) -> list[Prop]:
    """The props that are there: those that the seed shows and that take no room of these places."""
    return [
        prop
        for number, prop in enumerate(scene.props)
        if variation.shows(number) and not set(prop.hides_places) & set(places)
    ]


def _put(plate: Plane, key: Plane, prop: Prop, layers: Layers, view: View, ambient: float) -> None:
    patch = layers.patches[prop.file]
    x, y = prop.x_px - view.left, prop.y_px - view.top
    rows = slice(max(y, 0), min(y + patch.shape[0], view.height))
    columns = slice(max(x, 0), min(x + patch.shape[1], view.width))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    part = (slice(rows.start - y, rows.stop - y), slice(columns.start - x, columns.stop - x))
    alpha, seen = opacity(patch[part][..., 3:]), to_linear(patch[part][..., :3])
    straight = to_linear(layers.patches[prop.key_file][part]) if prop.key_file else seen * (1 - ambient)
    for layer, shown in ((plate, seen), (key, straight)):
        layer[rows, columns] += alpha * (shown - layer[rows, columns])


def _colours(paints: Sequence[Paint], variation: Variation, palette: Mapping[str, str]) -> dict[Paint, str]:
    """The paints that change, and to what: the palette's word goes before the seed's."""
    known = [paint.name for paint in paints]
    for name in palette:
        if name not in known:
            raise BadParameters(f"`palette`: the scene has no paint {name!r}; {_there_are(known)}", "palette")
    chosen = {}
    for number, paint in enumerate(paints):
        drawn = int(variation.colours[number % len(variation.colours)] * len(paint.colours))
        hex_code = palette.get(paint.name, paint.colours[drawn])
        if hex_code.upper() != paint.colours[0].upper():
            chosen[paint] = hex_code
    return chosen


def _there_are(names: Sequence[str]) -> str:
    return f"there are: {', '.join(names)}" if names else "it has none"


def _repaint(paint: Paint, hex_code: str, layers: Layers, view: View) -> Plane:
    """What the light on a paint's mask is multiplied with, so that the shading stays and the colour is another."""
    old, new = (np.maximum(to_linear(colour(code)), _DARKEST) for code in (paint.colours[0], hex_code))
    ratio = np.minimum(new / old, _REPAINT_MAX)
    return np.asarray(1 + opacity(layers.masks[paint.mask][view.box])[..., None] * (ratio - 1), np.float32)


def _occluder(scene: Scene, occluder: NDArray[np.uint8], view: View, variation: Variation) -> Plane:
    part = occluder[view.box]
    alpha = opacity(part[..., 3:])
    share = np.float32(scene.light.ambient)
    gain = share * variation.ambient + (1 - share) * variation.key
    return _fitted(np.concatenate([to_linear(part[..., :3]) * alpha * gain, alpha], axis=2), view.canvas)


def _depth_cm(depth: NDArray[np.uint16], view: View) -> Plane:
    part = np.ascontiguousarray(depth[view.box]).astype(np.float32) / 10
    size = (view.canvas.width_px, view.canvas.height_px)
    return np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_NEAREST), np.float32)


def _fitted(light: Plane, canvas: Size) -> Plane:
    size = (canvas.width_px, canvas.height_px)
    if light.shape[1::-1] == size:
        return np.ascontiguousarray(light)
    shrinks = size[0] < light.shape[1]
    resized = cv2.resize(light, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    return np.asarray(np.maximum(resized, 0), np.float32)
