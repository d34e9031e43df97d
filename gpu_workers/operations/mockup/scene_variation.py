"""Variations of a scene: what a seed decides, and the part of the plate that becomes the picture."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from gpu_workers.library.scenes import Place, Prop, Scene
from gpu_workers.operations.mockup.scene_layers import Layers
from schemas.channels import Size
from schemas.operations.base import BadParameters

# Set by hand, none is fitted, but where a line says so.
_CROP_SHARE_MIN = 0.8  # of the plate that a variation shows at least
_MARGIN_SHARE = 0.08  # of the canvas about the products
_TIGHT_SHARE_MIN = 0.6  # of the plate: closer, and it shows its pixels
_FILL_MIN = 1e-3  # so that nothing is divided by nothing
_KEY_GAIN = 0.12  # of the key light, up or down
_AMBIENT_GAIN = 0.06  # of the ambient light
_WARMTH = 0.04  # of red, against blue
_MOVED_SHARE = 0.6  # of the room that a place leaves
SENSOR_CM = 3.6  # the width of a full-frame sensor
_BLUR_PX_MAX = 2.0  # the disc of a point that is still sharp

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Variation:
    """What a seed decides. Without a seed (0) it is the scene as its maker meant it.

    `crop` is the picture's share of the largest there is and where in its room it lies; `moved` how far each place is
    shifted to the right and away, as shares of its room, -1..1; `key` and `ambient` (3,) what the two lights are
    multiplied with; `props` and `colours` are numbers 0..1 to choose with.
    """

    mirrored: bool = False
    crop: tuple[float, float, float] = (1.0, 0.5, 0.5)
    moved: NDArray[np.float64] = field(default_factory=lambda: np.zeros((16, 2)))
    key: NDArray[np.float32] = field(default_factory=lambda: np.ones(3, np.float32))
    ambient: NDArray[np.float32] = field(default_factory=lambda: np.ones(3, np.float32))
    props: NDArray[np.float64] = field(default_factory=lambda: np.zeros(64))
    colours: NDArray[np.float64] = field(default_factory=lambda: np.zeros(64))

    def shows(self, number: int) -> bool:
        """Whether the prop of this number may be there."""
        return bool(self.props[number % len(self.props)] < 0.5)


def variation_of(seed: int, turned: bool | None = None) -> Variation:
    """What `seed` decides; the same every time. `turned` says that the scene must be mirrored, or must not be."""
    if seed == 0:
        return Variation()
    rng = np.random.default_rng(seed)
    toss = bool(rng.random() < 0.5)
    share, across, down = rng.random(3)
    key_gain, ambient_gain, key_warmth, ambient_warmth = rng.uniform(-1, 1, 4)
    return Variation(
        mirrored=toss if turned is None else turned,
        crop=(float(_CROP_SHARE_MIN + (1 - _CROP_SHARE_MIN) * share), float(across), float(down)),
        key=_tinted(1 + _KEY_GAIN * key_gain, _WARMTH * key_warmth),
        ambient=_tinted(1 + _AMBIENT_GAIN * ambient_gain, _WARMTH / 2 * ambient_warmth),
        moved=rng.uniform(-1, 1, (16, 2)),
        props=rng.random(64),
        colours=rng.random(64),
    )


def _tinted(gain: float, warmth: float) -> NDArray[np.float32]:
    return np.array([gain * (1 + warmth), gain, gain * (1 - warmth)], np.float32)


def mirrored(scene: Scene, layers: Layers) -> tuple[Scene, Layers]:
    """Scene and layers as a mirror shows them, the light from the other side."""
    width = layers.plate.shape[1]
    light = msgspec.structs.replace(scene.light, azimuth_deg=-scene.light.azimuth_deg)
    places = tuple(msgspec.structs.replace(place, x_px=width - place.x_px) for place in scene.places)
    props = tuple(_mirrored_prop(prop, layers, width) for prop in scene.props)
    flipped = Layers(
        plate=layers.plate[:, ::-1],
        key=None if layers.key is None else layers.key[:, ::-1],
        occluder=None if layers.occluder is None else layers.occluder[:, ::-1],
        depth=None if layers.depth is None else layers.depth[:, ::-1],
        masks={name: mask[:, ::-1] for name, mask in layers.masks.items()},
        patches={name: patch[:, ::-1] for name, patch in layers.patches.items()},
    )
    return msgspec.structs.replace(scene, light=light, places=places, props=props), flipped


def _mirrored_prop(prop: Prop, layers: Layers, width: int) -> Prop:
    return msgspec.structs.replace(prop, x_px=max(width - prop.x_px - layers.patches[prop.file].shape[1], 0))


def moved_cm(place: Place, number: int, width_cm: float, variation: Variation, free_cm: float) -> tuple[float, float]:
    """How far (right, away) a product `width_cm` wide is put from the place of this number, `free_cm` at most away or
    near: what is beside the focus would be sharper than the ground it stands on."""
    right, away = variation.moved[number % len(variation.moved)] * _MOVED_SHARE
    return float(right * max(place.width_cm - width_cm, 0) / 2), float(away * min(place.depth_cm, free_cm))


def sharp_cm(scene: Scene, width_px: int) -> float:
    """How far from the focus (cm) the scene is still sharp: a point is a disc of two pixels at most, by the equation
    of a thin lens and a sensor 36 mm wide. Without a focus everything is sharp."""
    camera = scene.camera
    if camera.focus_cm is None or camera.f_number is None:
        return math.inf
    focal_cm = camera.focal_px / width_px * SENSOR_CM
    return _BLUR_PX_MAX * camera.focus_cm**2 * camera.f_number / max(focal_cm * camera.focal_px, 1e-6)


@dataclass(frozen=True)
class View:
    """The part of the plate that becomes the picture: its upper left corner and size in the plate's px."""

    left: int
    top: int
    width: int
    height: int
    canvas: Size

    @property
    def scale(self) -> float:
        """Pixels of the canvas for one of the plate."""
        return self.canvas.width_px / self.width

    @property
    def box(self) -> tuple[slice, slice]:
        """The rows and columns of the plate."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


def view_of(plate: tuple[int, int], canvas: Size, boxes: Sequence[Box], variation: Variation, fill: float) -> View:
    """The part of a `plate` (height, width) with the shape of `canvas` that keeps `boxes` (left, top, right, bottom)
    in; a closer one where they would fill less than `fill` of it. Raises BadParameters when there is none."""
    height, width = plate
    shape = canvas.width_px / canvas.height_px
    widest = min(width, height * shape)
    left, top = (min(box[side] for box in boxes) for side in (0, 1))
    right, bottom = (max(box[side] for box in boxes) for side in (2, 3))
    if left < 0 or top < 0 or right > width or bottom > height:
        raise BadParameters("`height_cm`: a product of this height and shape reaches out of the scene", "height_cm")
    needed = max(right - left, (bottom - top) * shape)
    if needed > widest:
        raise BadParameters(
            f"`outputSize`: the products take {right - left:.0f} x {bottom - top:.0f} px of a scene of {width} x "
            f"{height} px, which a picture of {canvas.width_px} x {canvas.height_px} px cannot show",
            "outputSize",
        )
    margin = _MARGIN_SHARE * widest
    share = min(variation.crop[0], max(needed / (max(fill, _FILL_MIN) * widest), _TIGHT_SHARE_MIN))
    wide = min(max(share * widest, needed + 2 * margin), widest)
    cut = (round(wide), round(wide / shape))
    x = _start(width, cut[0], left - margin, right + margin, variation.crop[1])
    y = _start(height, cut[1], top - margin, bottom + margin, variation.crop[2])
    return View(x, y, min(cut[0], width), min(cut[1], height), canvas)


def _start(side: int, length: int, low: float, high: float, share: float) -> int:
    """Where a stretch starts that keeps low..high in: as near to the middle as may be for a share of one half."""
    last = max(side - length, 0)
    first_allowed, last_allowed = min(max(high - length, 0), last), max(min(low, last), 0)
    if first_allowed > last_allowed:  # no room for the margins: equal ones
        return round(min(max((low + high - length) / 2, 0), last))
    return round(min(max(last * share, first_allowed), last_allowed))
