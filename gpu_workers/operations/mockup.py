"""Mockup: products at their real size in a scene, lit by it, standing on its ground.

The product is never warped nor softened. Everything else gives way: the scene is cropped, recoloured, its light moved
towards the product's; its ground takes the products' shadows and mirror images.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.linear_light import opacity, to_linear, to_srgb
from gpu_workers.operations import harmonising
from gpu_workers.operations.packshot import Placement, cut_off
from gpu_workers.operations.resampling import resample
from gpu_workers.operations.scene_ground import Ground, ground_of, seen_from
from gpu_workers.operations.scene_layers import Layers, layers_of
from gpu_workers.operations.scene_light import Lit, lit
from gpu_workers.operations.scene_reflection import reflection
from gpu_workers.operations.scene_shadow import Caster, Frame, shadows
from gpu_workers.operations.scene_variation import (
    Box,
    Variation,
    View,
    mirrored,
    moved_cm,
    sharp_cm,
    variation_of,
    view_of,
)
from gpu_workers.operations.standing import Stance, stance
from gpu_workers.scenes import BadScene, Light, Place, Scene, load
from schemas.channels import Channel
from schemas.parameters import BadParameters, MockupParameters

Plane = NDArray[np.float32]
Code = NDArray[np.uint8]

AUTO = "auto"
_SHADOW_COARSE = 4
_WIDTH_TOLERANCE = 1.1
_PRINT_OPACITY = 0.45
_PRINT_CM = 0.25
_OFF_GROUND_SHARE = 0.15
_GLOSS_MIN = 0.01
_REFLECTION_COARSE = 2
_BEHIND_CM = 1.0
_CORE = 0.99


@dataclass(frozen=True)
class Product:
    """What is put into a scene: `rgba` (h, w, 4; uint8 or uint16 sRGB, straight alpha), and how tall it is."""

    rgba: NDArray[np.uint8] | NDArray[np.uint16]
    height_cm: float | None


@dataclass(frozen=True)
class Placed:
    """A product on the canvas. `product` (h, w, 4) uint8 is its cut-out, `placement` says where it lies, `mask` (h, w)
    uint8 what of its alpha is to be seen there, `hidden` (h, w) uint8 how much of it is behind something. `place` is
    the scene's name for where it stands, `ground` the scene's ground on the canvas with its origin there."""

    product: Code
    placement: Placement
    mask: Code
    hidden: Code
    stance: Stance
    height_cm: float
    place: str
    ground: Ground


@dataclass(frozen=True)
class Mockup:
    """A mockup before it is encoded.

    `canvas` (h, w, 3) uint8 sRGB. `ground` is the same without the products, with their shadows and mirror images;
    `bare` without those too. `shadow` (h, w) float32, 0..1, is how much of the light the shadows take. `products` are
    as they were given, `light` is the scene's, as the picture shows it.
    """

    canvas: Code
    ground: Code
    bare: Code
    shadow: Plane
    products: tuple[Placed, ...]
    light: Light
    scene: str

    @property
    def mask(self) -> Code:
        """What of the first product's alpha is to be seen, (h, w) uint8."""
        return self.products[0].mask

    @property
    def product(self) -> Code:
        """The first product's cut-out, (h, w, 4) uint8."""
        return self.products[0].product

    @property
    def placement(self) -> Placement:
        """Where the first product lies."""
        return self.products[0].placement


@dataclass(frozen=True)
class _Standing:
    """A product whose size and place in the plate are known: `scale` and (x_px, y_px) as in Placement."""

    product: Product
    code: Code
    stance: Stance
    place: str
    ground: Ground
    height_cm: float
    scale: float
    x_px: float
    y_px: float

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
class _Drawn:
    """A product on the canvas: `light` (h, w, 4; linear, premultiplied) at the box (rows, columns) of the canvas."""

    standing: _Standing
    placement: Placement
    ground: Ground
    light: Plane
    box: tuple[slice, slice]


def mockup(
    products: Sequence[Product], scene: Scene, channel: Channel, parameters: MockupParameters | None = None
) -> Mockup:
    """The products in the scene as `channel` wants its pictures; the first is the main one.

    They stand on the scene's places from `place` on, each as large as it is. The canvas shrinks, not below the
    channel's smallest, before pixels of a product are enlarged beyond its `scale_max`. Raises BadParameters naming
    the parameter, BadScene, EmptyCutout.
    """
    parameters = parameters or MockupParameters()
    variation, layers = variation_of(parameters.seed), layers_of(scene)
    if variation.mirrored:
        scene, layers = mirrored(scene, layers)
    ground = ground_of(scene, layers.plate.shape[1])
    places = _places(scene, len(products), parameters.place)
    standing = [
        _stand(product, scene, place, ground, variation, layers.plate.shape[1])
        for product, place in zip(products, places, strict=True)
    ]
    view = _view(layers, standing, channel, parameters, variation)
    light = lit(scene, layers, view, variation, [place.name for place in places], parameters.colours)
    drawn = [_draw(one, view) for one in standing]
    return _composed(scene, view, light, drawn, parameters)


def choose(scenes: Mapping[str, Scene], category: str, height_cm: float, seed: int = 0) -> str:
    """The name of a scene that suits products of this category and height; another seed may choose another one.

    Scenes that name the category go before those that suit all. Raises BadScene when none is for this height.
    """
    fitting = [
        scene
        for _, scene in sorted(scenes.items())
        if scene.height_cm[0] <= height_cm <= scene.height_cm[1] and scene.covers(category)
    ]
    if not fitting:
        known = ", ".join(sorted(scenes)) or "none"
        raise BadScene(f"no scene suits {category!r} of {height_cm:g} cm; there are: {known}")
    named = [scene.name for scene in fitting if scene.suits] or [scene.name for scene in fitting]
    return named[int(np.random.default_rng((seed, 2)).integers(len(named)))] if seed else named[0]


def scene_for(folders: Mapping[str, Path], parameters: MockupParameters, category: str = "") -> Scene:
    """The scene that `parameters` ask for, of those in these folders by name. Raises BadScene, BadParameters."""
    if parameters.scene != AUTO:
        if parameters.scene not in folders:
            raise BadScene(
                f"no scene is called {parameters.scene!r}; there are: {', '.join(sorted(folders)) or 'none'}"
            )
        return load(folders[parameters.scene])
    scenes = {name: load(folder) for name, folder in folders.items()}
    return scenes[choose(scenes, category, _height(parameters.height_cm), parameters.seed)]


def _height(height_cm: float | None) -> float:
    if height_cm is None or not 0 < height_cm < math.inf:
        raise BadParameters(
            "`height_cm`: how tall the product is must be known to show it at its real size", "height_cm"
        )
    return height_cm


def _places(scene: Scene, count: int, first: str | None) -> list[Place]:
    names = [place.name for place in scene.places]
    if first is not None and first not in names:
        raise BadParameters(f"`place`: {scene.name} has no place {first!r}; there are: {', '.join(names)}", "place")
    start = 0 if first is None else names.index(first)
    if count > len(names):
        raise BadScene(f"{scene.name} has places for {len(names)} products and not for {count}")
    return [scene.places[(start + number) % len(names)] for number in range(count)]


def _stand(
    product: Product, scene: Scene, place: Place, ground: Ground, variation: Variation, width_px: int
) -> _Standing:
    """A product on its place in the plate, as large as it is."""
    height_cm = _height(product.height_cm)
    if height_cm > place.height_cm_max:
        limit = f"is for products up to {place.height_cm_max:g} cm, not for {height_cm:g}"
        raise BadParameters(f"`height_cm`: the place {place.name!r} of {scene.name} {limit}", "height_cm")
    code = _eight_bits(product.rgba)
    stands = stance(code[..., 3])
    there = ground.at(place.x_px, place.y_px)
    px_per_cm = stands.height_px / (height_cm * there.cosine)
    width_cm = (stands.box[2] - stands.box[0]) / px_per_cm
    if width_cm > place.width_cm * _WIDTH_TOLERANCE:
        limit = f"is {place.width_cm:g} cm wide, and a product of this height is {width_cm:.0f} cm wide"
        raise BadParameters(f"`height_cm`: the place {place.name!r} of {scene.name} {limit}", "height_cm")
    number = scene.places.index(place)
    free_cm = sharp_cm(scene, width_px)
    there = there.at(*there.point(*moved_cm(place, number, width_cm, variation, free_cm)))
    scale = there.px_per_cm / px_per_cm
    x_px = there.x_px - sum(stands.foot_px) / 2 * scale
    return _Standing(
        product, code, stands, place.name, there, height_cm, scale, x_px, there.y_px - stands.axis_px * scale
    )


def _eight_bits(rgba: NDArray[np.uint8] | NDArray[np.uint16]) -> Code:
    if rgba.dtype == np.uint8:
        return np.asarray(rgba, np.uint8)
    return ((rgba.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)


def _view(
    layers: Layers,
    standing: Sequence[_Standing],
    channel: Channel,
    parameters: MockupParameters,
    variation: Variation,
) -> View:
    """The part of the plate that is shown, on a canvas that enlarges neither products nor plate too far."""
    height, width = layers.plate.shape[:2]
    canvas = parameters.size or channel.canvas
    view = view_of((height, width), canvas, [one.box for one in standing], variation)
    enlarged = view.scale * max(1.0, *(one.scale for one in standing))
    if enlarged > channel.scale_max and parameters.size is None:
        least = max(channel.smallest.width_px / canvas.width_px, channel.smallest.height_px / canvas.height_px)
        canvas = canvas.shrunk(max(channel.scale_max / enlarged, min(least, 1.0)))
    return View(view.left, view.top, view.width, view.height, canvas)


def _draw(standing: _Standing, view: View) -> _Drawn:
    scale = standing.scale * view.scale
    x_px, y_px = (standing.x_px - view.left) * view.scale, (standing.y_px - view.top) * view.scale
    placement = Placement(scale, x_px, y_px, view.canvas, cut_off(standing.code[..., 3]))
    alpha = standing.code[..., 3]
    rows, columns = np.flatnonzero(alpha.any(axis=1)), np.flatnonzero(alpha.any(axis=0))
    inner = (slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
    source = _linear(standing.product.rgba[inner])
    left, top = x_px + inner[1].start * scale, y_px + inner[0].start * scale
    reach = 3 * max(scale, 1.0)
    x0, y0 = max(math.floor(left - reach), 0), max(math.floor(top - reach), 0)
    x1 = min(math.ceil(left + source.shape[1] * scale + reach), view.canvas.width_px)
    y1 = min(math.ceil(top + source.shape[0] * scale + reach), view.canvas.height_px)
    found = resample(source, scale, (left - x0, top - y0), (x1 - x0, y1 - y0))
    solid = np.clip(found[..., 3:], 0, 1)
    light = np.concatenate([np.clip(found[..., :3], 0, solid), solid], axis=2)
    return _Drawn(
        standing,
        placement,
        standing.ground.in_view(view.left, view.top, view.scale),
        light,
        (slice(y0, y1), slice(x0, x1)),
    )


def _linear(rgba: NDArray[np.uint8] | NDArray[np.uint16]) -> Plane:
    """Linear light with premultiplied alpha."""
    if rgba.dtype == np.uint8:
        alpha = opacity(np.asarray(rgba[..., 3:], np.uint8))
        return np.concatenate([to_linear(np.asarray(rgba[..., :3], np.uint8)) * alpha, alpha], axis=2)
    value = rgba.astype(np.float32) / np.float32(65535)
    light = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)
    return np.concatenate([light[..., :3] * value[..., 3:], value[..., 3:]], axis=2)


def _composed(scene: Scene, view: View, light: Lit, drawn: Sequence[_Drawn], parameters: MockupParameters) -> Mockup:
    occluder = light.occluder
    bare, ground = _ground(scene, view, light, drawn, parameters)
    if parameters.lighting_mode != "none":
        gain = _gain(drawn, bare)
        bare, ground = bare * gain, ground * gain
        occluder = None if occluder is None else occluder * np.append(gain, np.float32(1))
    missing = _missing_noise(drawn, bare)
    if missing > 0:
        noise = harmonising.grain(bare, missing, parameters.seed)
        bare, ground = np.maximum(bare + noise, 0), np.maximum(ground + noise, 0)
    canvas, visible = ground.copy(), [np.zeros(bare.shape[:2], np.float32) for _ in drawn]
    hidden = [_hidden(one, light, scene, view) for one in drawn]
    for number in sorted(range(len(drawn)), key=lambda number: drawn[number].ground.y_px):
        _over(canvas, visible, number, drawn[number], hidden[number])
    shadow = 1 - (ground @ harmonising.LUMINANCE) / np.maximum(bare @ harmonising.LUMINANCE, 1e-5)
    if occluder is not None:
        bare, ground, canvas = (
            picture * (1 - occluder[..., 3:]) + occluder[..., :3] for picture in (bare, ground, canvas)
        )
        visible = [alpha * (1 - occluder[..., 3]) for alpha in visible]
    placed = tuple(_placed(one, alpha) for one, alpha in zip(drawn, visible, strict=True))
    return Mockup(
        canvas=to_srgb(canvas),
        ground=to_srgb(ground),
        bare=to_srgb(bare),
        shadow=np.asarray(np.clip(shadow, 0, 1), np.float32),
        products=placed,
        light=scene.light,
        scene=scene.name,
    )


def _over(canvas: Plane, visible: list[Plane], number: int, one: _Drawn, hidden: Plane) -> None:
    """One product over the canvas and over the products behind it."""
    shown = one.light * (1 - hidden[..., None])
    for alpha in visible:
        alpha[one.box] *= 1 - shown[..., 3]
    visible[number][one.box] = shown[..., 3]
    canvas[one.box] = shown[..., :3] + (1 - shown[..., 3:]) * canvas[one.box]


def _placed(one: _Drawn, visible: Plane) -> Placed:
    mask = np.rint(visible * 255).astype(np.uint8)
    full = np.zeros_like(visible)
    full[one.box] = one.light[..., 3]
    return Placed(
        product=one.standing.code,
        placement=one.placement,
        mask=mask,
        hidden=np.rint(np.clip(full - visible, 0, 1) * 255).astype(np.uint8),
        stance=one.standing.stance,
        height_cm=one.standing.height_cm,
        place=one.standing.place,
        ground=one.ground,
    )


def _ground(
    scene: Scene, view: View, light: Lit, drawn: Sequence[_Drawn], parameters: MockupParameters
) -> tuple[Plane, Plane]:
    """The scene's light without the products, and with their shadows and mirror images."""
    bare = light.ambient + light.key
    ground = bare
    if parameters.shadow_mode == "scene":
        cast, around = _shadows(scene, view, light, drawn)
        ground = light.ambient * (1 - around[..., None]) + light.key * (1 - cast[..., None])
    if scene.surface.gloss > _GLOSS_MIN:
        ground = ground.copy() if ground is bare else ground
        for one in drawn:
            _mirror(ground, one, scene)
    return bare, ground


def _shadows(scene: Scene, view: View, light: Lit, drawn: Sequence[_Drawn]) -> tuple[Plane, Plane]:
    """The shares (h, w) of the main light and of the light all round that the products take from the scene."""
    main = drawn[0].ground
    cell_cm = _SHADOW_COARSE / main.px_per_cm
    cast, around, frame = shadows([_caster(one, main) for one in drawn], main, scene.light, cell_cm)
    size = tuple(math.ceil(side / _SHADOW_COARSE) for side in (view.canvas.width_px, view.canvas.height_px))
    on_cast, on_around, near_ground = _lookup(
        scene, view, light, main, frame, size, max(one.standing.height_cm for one in drawn)
    )
    seen = []
    for hidden, (x, y), share in ((cast, on_cast, None), (around, on_around, near_ground)):
        soft = cv2.GaussianBlur(hidden, (0, 0), 0.7)
        found = cv2.remap(soft, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        seen.append(found if share is None else found * share)
    full = [
        cv2.resize(part, (view.canvas.width_px, view.canvas.height_px), interpolation=cv2.INTER_LINEAR) for part in seen
    ]
    for one in drawn:
        _print(full, one)
    return full[0], full[1]


def _caster(one: _Drawn, main: Ground) -> Caster:
    stands = one.standing.stance
    x, y, w = np.linalg.inv(main.to_picture()) @ (one.ground.x_px, one.ground.y_px, 1.0)
    px_per_cm = stands.height_px / (one.standing.height_cm * one.ground.cosine)
    return Caster(one.standing.code[..., 3], stands, px_per_cm, (float(x / w), float(y / w)))


def _lookup(
    scene: Scene, view: View, light: Lit, main: Ground, frame: Frame, size: tuple[int, ...], height_cm: float
) -> tuple[tuple[Plane, Plane], tuple[Plane, Plane], Plane]:
    """For every coarse pixel of the canvas the point of the shadow's grid that says how it is lit: by the main light,
    by the light all round, and how near it is to the ground (0..1).

    The ray of the main light that meets a wall would meet the ground behind it: that is where the wall's shadow
    stands. Without distances everything below the horizon is ground, as far as the surface's far row.
    """
    points = _points(scene, view, light, main, size)
    right, away = (np.sin(np.radians(scene.light.azimuth_deg)), np.cos(np.radians(scene.light.azimuth_deg)))
    length = 1 / math.tan(math.radians(max(scene.light.elevation_deg, 1.0)))
    up = points[..., 2]
    level = [_cells(frame, points[..., 0], points[..., 1])]
    level.append(_cells(frame, points[..., 0] - up * right * length, points[..., 1] + up * away * length))
    near = np.clip(1 - np.abs(up) / (_OFF_GROUND_SHARE * height_cm), 0, 1)
    return level[1], level[0], np.asarray(near, np.float32)


def _points(scene: Scene, view: View, light: Lit, main: Ground, size: tuple[int, ...]) -> Plane:
    """(right, away, up) in cm of every coarse pixel; far away where nothing is known."""
    coarse = main.in_view(0, 0, 1 / _SHADOW_COARSE)
    if light.depth_cm is not None:
        depth = cv2.resize(light.depth_cm, size, interpolation=cv2.INTER_NEAREST)
        return seen_from(coarse, depth, scene.camera.focal_px * view.scale / _SHADOW_COARSE)
    y, x = np.mgrid[: size[1], : size[0]].astype(np.float32) + np.float32(0.5)
    inverse = np.linalg.inv(coarse.to_picture())
    ground = np.dstack([x, y, np.ones_like(x)]) @ inverse.T.astype(np.float32)
    far = (scene.surface.far.y_px - view.top) * view.scale / _SHADOW_COARSE
    beyond = (y < max(far, coarse.horizon_px + 1))[..., None]
    flat = np.concatenate([ground[..., :2] / ground[..., 2:], np.zeros_like(ground[..., :1])], axis=2)
    return np.where(beyond, np.float32(1e6), flat).astype(np.float32)


def _cells(frame: Frame, right: Plane, away: Plane) -> tuple[Plane, Plane]:
    x = (right - frame.left_cm) / frame.cell_cm - 0.5
    y = (frame.top_cm - away) / frame.cell_cm - 0.5
    return np.asarray(x, np.float32), np.asarray(y, np.float32)


def _print(shadows_taken: Sequence[Plane], one: _Drawn) -> None:
    """Darkens the line where a product touches the ground: narrower than the coarse shadows can be."""
    stands, scale = one.standing.stance, one.placement.scale
    columns = np.arange(one.box[1].start, one.box[1].stop)
    source = np.clip((columns + 0.5 - one.placement.x_px) / scale - 0.5, 0, len(stands.contact) - 1)
    contact = np.interp(source, np.arange(len(stands.contact)), stands.contact) * scale + one.placement.y_px
    touches = np.interp(source, np.arange(len(stands.contact)), stands.stands.astype(np.float64))
    sigma = max(_PRINT_CM * one.ground.px_per_cm * math.sqrt(one.standing.height_cm / 20), 1.0)
    top, bottom = math.floor(contact.min() - 4 * sigma), math.ceil(contact.max() + 4 * sigma)
    rows = slice(max(top, 0), min(bottom, shadows_taken[0].shape[0]))
    y = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] + 0.5
    prints = (np.exp(-0.5 * ((y - contact) / sigma) ** 2) * touches).astype(np.float32)
    prints = cv2.GaussianBlur(prints, (0, 0), sigmaX=sigma, sigmaY=sigma / 2) * np.float32(_PRINT_OPACITY)
    for taken in shadows_taken:
        part = taken[rows, one.box[1]]
        part += (1 - part) * prints


def _mirror(ground: Plane, one: _Drawn, scene: Scene) -> None:
    """The product's mirror image on glossy ground."""
    stands, scale = one.standing.stance, one.placement.scale
    columns = np.arange(one.box[1].start, one.box[1].stop, _REFLECTION_COARSE) + _REFLECTION_COARSE / 2
    source = np.clip((columns - one.placement.x_px) / scale - 0.5, 0, len(stands.contact) - 1)
    contact = np.interp(source, np.arange(len(stands.contact)), stands.contact) * scale + one.placement.y_px
    bottom = min(2 * one.box[0].stop - one.box[0].start, ground.shape[0])
    tall = np.zeros((bottom - one.box[0].start, one.light.shape[1], 4), np.float32)
    tall[: one.light.shape[0]] = one.light[: len(tall)]
    size = (len(columns), max(1, len(tall) // _REFLECTION_COARSE))
    small = cv2.resize(tall, size, interpolation=cv2.INTER_AREA)
    row = ((contact - one.box[0].start) * size[1] / len(tall)).astype(np.float32)
    image = reflection(small, row, scene.surface.roughness, one.light.shape[0] / _REFLECTION_COARSE)
    image = cv2.resize(image, (tall.shape[1], tall.shape[0]), interpolation=cv2.INTER_LINEAR)
    part = ground[one.box[0].start : bottom, one.box[1]]
    part += np.float32(scene.surface.gloss) * (image[..., :3] - image[..., 3:] * part)


def _hidden(one: _Drawn, light: Lit, scene: Scene, view: View) -> Plane:
    """How much of each of the product's pixels is behind something that is nearer to the camera, 0..1."""
    if light.depth_cm is None:
        return np.zeros(one.light.shape[:2], np.float32)
    focal_px = scene.camera.focal_px * view.scale
    stands = one.standing.stance
    left, _, right, _ = stands.box
    deep_cm = stands.depth_share(one.ground.sine) * (right - left) * one.placement.scale / one.ground.px_per_cm / 2
    nearest_cm = focal_px / one.ground.px_per_cm - deep_cm - _BEHIND_CM
    nearer = (light.depth_cm[one.box] < nearest_cm) & (light.depth_cm[one.box] > 0)
    # Below its foot the ground is nearer than the product, and hides nothing.
    up = seen_from(one.ground, light.depth_cm, focal_px)[one.box][..., 2]
    return cv2.blur((nearer & (up > _BEHIND_CM)).astype(np.float32), (3, 3))


def _gain(drawn: Sequence[_Drawn], bare: Plane) -> NDArray[np.float32]:
    """What brings the scene's light about the main product nearer to the product's."""
    one = drawn[0]
    inside = one.light[::4, ::4]
    product = inside[inside[..., 3] > _CORE][:, :3]
    pad_y, pad_x = (side // 3 for side in one.light.shape[:2])
    rows = slice(max(one.box[0].start - pad_y, 0), one.box[0].stop + pad_y, 4)
    columns = slice(max(one.box[1].start - pad_x, 0), one.box[1].stop + pad_x, 4)
    return harmonising.scene_gain(product, bare[rows, columns].reshape(-1, 3))


def _missing_noise(drawn: Sequence[_Drawn], bare: Plane) -> float:
    one = drawn[0]
    solid = one.light[..., 3] > _CORE
    product = harmonising.noise_steps(to_srgb(np.ascontiguousarray(one.light[..., :3])), solid)
    around = to_srgb(np.ascontiguousarray(bare[one.box]))
    return harmonising.missing_noise(product, harmonising.noise_steps(around, np.ones_like(solid)))
