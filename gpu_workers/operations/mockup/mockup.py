"""Mockup: products at their real size in a scene, lit by it, standing on its ground.

The product is never warped nor softened. Everything else gives way: the scene is cropped, recoloured, its light moved
towards the product's; its ground takes the products' shadows and mirror images.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.linear_light import coded, eight_bit, to_srgb
from gpu_workers.imaging.types import Code, Codes, Plane
from gpu_workers.library.scenes import BadScene, Light, Scene, load
from gpu_workers.operations.mockup import harmonising, scene_focus
from gpu_workers.operations.mockup.scene_ground import Ground, ground_of
from gpu_workers.operations.mockup.scene_layers import Layers, layers_of
from gpu_workers.operations.mockup.scene_light import Lit, lit
from gpu_workers.operations.mockup.scene_placing import Drawn, Product, draw, height_of, places_of, stand, view_on
from gpu_workers.operations.mockup.scene_shading import Pictures, hidden_share, in_front, shaded
from gpu_workers.operations.mockup.scene_variation import View, mirrored, variation_of
from gpu_workers.operations.mockup.scene_words import NO_DIRECTIONS, Directions, best_for, directions
from gpu_workers.operations.mockup.standing import Stance
from gpu_workers.operations.packshot.packshot import Placement
from schemas.channels import Channel
from schemas.operations.mockup import MockupParameters
from schemas.wording import Reading

_Codes = TypeVar("_Codes", bound=NDArray[Any])

AUTO = "auto"
_CORE = 0.99  # of alpha: unmixed
_SAMPLE_STEP = 4  # px between those that are looked at


@dataclass(frozen=True)
class Placed:
    """A product on the canvas. `product` (h, w, 4; uint8 sRGB or uint16 WIDE) is its cut-out, `placement` says where it
    lies, `mask` (h, w) uint8 what of its alpha is to be seen there, `hidden` (h, w) uint8 how much of it is behind
    something. `place` is the scene's name for where it stands, `ground` the scene's ground on the canvas with its
    origin there. `own_shadow` is the share of the cut-out that was the supplier's shadow; it is taken off."""

    product: Codes
    placement: Placement
    mask: Code
    hidden: Code
    stance: Stance
    height_cm: float
    place: str
    ground: Ground
    own_shadow: float


@dataclass(frozen=True)
class Mockup:
    """A mockup before it is encoded.

    `canvas` (h, w, 3) is uint8 sRGB, or uint16 WIDE where a product is. `ground` is the same without the products, with
    their shadows and mirror images, in uint8 sRGB; `bare` without those too. `shadow` (h, w) float32, 0..1, is how much
    of the light the shadows take. `products` are as they were given, `light` is the scene's, as the picture shows it,
    `shadow_mode` what was asked for; `met` says of the words' terms whether the picture has them. At half the canvas'
    size, float32: `points` (h, w, 3) is where the scene is in cm, (right, away, up) from the first product's place,
    `key_share` (h, w) how much of its light, 0..1, the main light gives, and `mirrored` (h, w) how much is the mirror
    image of a product.
    """

    canvas: Codes
    ground: Code
    bare: Code
    shadow: Plane
    products: tuple[Placed, ...]
    light: Light
    scene: str
    scene_scale: float
    points: Plane
    key_share: Plane
    mirrored: Plane
    shadow_mode: str
    met: Mapping[str, bool] = field(default_factory=dict)

    @property
    def mask(self) -> Code:
        """What of the first product's alpha is to be seen, (h, w) uint8."""
        return self.products[0].mask

    @property
    def product(self) -> Codes:
        """The first product's cut-out, (h, w, 4)."""
        return self.products[0].product

    @property
    def placement(self) -> Placement:
        """Where the first product lies."""
        return self.products[0].placement


def mockup(
    products: Sequence[Product], scene: Scene, channel: Channel, parameters: MockupParameters | None = None
) -> Mockup:
    """The products in the scene as `channel` wants its pictures; the first is the main one.

    They stand on the scene's places from `place` on, each as large as it is. The canvas shrinks, not below the
    channel's smallest, before pixels of a product are enlarged beyond its `scale_max`. Raises BadParameters naming
    the parameter, BadScene, EmptyCutout.
    """
    parameters = parameters or MockupParameters()
    set_up = staged(products, scene, channel, parameters)
    pictures, drawn = set_up.pictures, set_up.drawn
    made = _composed(pictures, drawn, set_up.hidden, set_up.scene, set_up.view.scale, parameters.shadow_mode)
    return replace(made, met=set_up.met)


@dataclass(frozen=True)
class Staged:
    """A scene with its products before they are one picture: see `Pictures` and `Drawn`. `hidden` is how much of each
    product is behind something, `met` what became of the words. `blur_px` is how much more the scene is blurred than
    its plate, `depth_cm` (h, w) how far it is; None where it does not know. `key` (h, w, 3; linear) is what of
    `pictures.ground` is the main light's, None where nobody asked."""

    scene: Scene
    view: View
    pictures: Pictures
    drawn: Sequence[Drawn]
    hidden: Sequence[Plane]
    met: Mapping[str, bool]
    blur_px: Plane | None
    depth_cm: Plane | None
    key: Plane | None


def staged(
    products: Sequence[Product],
    scene: Scene,
    channel: Channel,
    parameters: MockupParameters,
    widened: Callable[[View, Layers], View] | None = None,
    *,
    with_key: bool = False,
) -> Staged:
    """The products and the scene as `channel` wants them, in the same light, with their shadows.

    `widened` makes of the view that is asked for one that shows more. Raises as `mockup` does.
    """
    places = [place.name for place in places_of(scene, len(products), parameters.place)]
    words = directed(parameters, scene, places)
    variation = words.directed(variation_of(parameters.seed or words.seed, _turned(products, scene)), scene)
    layers = layers_of(scene)
    if variation.mirrored:
        scene, layers = mirrored(scene, layers)
    ground = ground_of(scene, layers.plate.shape[1])
    named = {place.name: place for place in scene.places}
    placed = [
        stand(product, scene, named[place], ground, variation, layers)
        for product, place in zip(products, places, strict=True)
    ]
    view = view_on(layers, placed, channel, parameters, variation, scene.light.azimuth_deg)
    view = view if widened is None else widened(view, layers)
    light = lit(scene, layers, view, variation, places, {**words.colours, **parameters.colours})
    drawn = [draw(one, view) for one in placed]
    hidden = [hidden_share(one, light, scene, view) for one in drawn]
    pictures = shaded(scene, view, light, drawn, parameters.shadow_mode)
    key = _of_main_light(pictures, scene, view, light, drawn, parameters.shadow_mode) if with_key else None
    near = parameters.framing != "context"
    blur_px = scene_focus.blur_px(scene, layers.plate.shape[1], view, light, drawn[0]) if near else None
    depth_cm = light.depth_cm
    del light  # some of the largest pictures
    if blur_px is not None:
        pictures, key = pictures.defocused(blur_px), None if key is None else scene_focus.defocused(key, blur_px)
    pictures, drawn = _harmonised(pictures, drawn, parameters, key)
    return Staged(scene, view, pictures, drawn, hidden, words.met, blur_px, depth_cm, key)


def _of_main_light(
    pictures: Pictures, scene: Scene, view: View, light: Lit, drawn: Sequence[Drawn], shadow_mode: str
) -> Plane:
    """What of the ground is lost when the main light goes out."""
    without = shaded(scene, view, replace(light, key=np.zeros_like(light.key)), drawn, shadow_mode)
    return np.asarray(np.maximum(pictures.ground - without.ground, 0), np.float32)


def directed(parameters: MockupParameters, scene: Scene, places: Sequence[str]) -> Directions:
    """What the words among `parameters` ask of a `scene` whose `places` are taken. Raises BadParameters."""
    reading = parameters.reading
    return NO_DIRECTIONS if reading is None else directions(reading, scene, parameters.colours, places)


def _turned(products: Sequence[Product], scene: Scene) -> bool | None:
    """Whether a mirrored scene is lit from the side from which the main product was; None where it does not tell."""
    side = harmonising.lit_from(eight_bit(products[0].rgba)) if products else 0
    return None if side == 0 else side * scene.light.azimuth_deg < 0


def choose(
    scenes: Mapping[str, Scene],
    category: str,
    height_cm: float,
    seed: int = 0,
    count: int = 1,
    reading: Reading | None = None,
) -> str:
    """The name of the scene that suits products of this category and height best; another seed may choose another one.

    It has places for `count` products. Scenes that name the category go before those that suit all, and seed 0 takes
    one that names it most narrowly. What words ask for, `reading`, goes before the category and the seed. Raises
    BadScene when none is for this height, BadParameters when none is as the words want it.
    """
    as_high = [
        scene
        for _, scene in sorted(scenes.items())
        if scene.height_cm[0] <= height_cm <= scene.height_cm[1] and len(scene.places) >= count
    ]
    if reading is not None and as_high:
        return best_for(reading, as_high, category).name
    fitting = [scene for scene in as_high if scene.covers(category)]
    if not fitting:
        known = ", ".join(sorted(scenes)) or "none"
        beside = "" if count == 1 else f" and {count - 1} beside it"
        raise BadScene(f"no scene suits {category!r} of {height_cm:g} cm{beside}; there are: {known}")
    named = [scene for scene in fitting if scene.suits] or fitting
    if not seed:
        return max(named, key=lambda scene: scene.closeness(category)).name
    return named[int(np.random.default_rng((seed, 2)).integers(len(named)))].name


def scene_for(folders: Mapping[str, Path], parameters: MockupParameters, category: str = "") -> Scene:
    """The scene that `parameters` ask for, of those in these folders by name. Raises BadScene, BadParameters."""
    if parameters.scene != AUTO:
        if parameters.scene not in folders:
            raise BadScene(
                f"no scene is called {parameters.scene!r}; there are: {', '.join(sorted(folders)) or 'none'}"
            )
        return load(folders[parameters.scene])
    scenes = {name: load(folder) for name, folder in folders.items()}
    count = 1 + len(parameters.others_height_cm)
    height_cm = height_of(parameters.height_cm)
    return scenes[choose(scenes, category, height_cm, parameters.seed, count, parameters.reading)]


def _harmonised(
    pictures: Pictures, drawn: Sequence[Drawn], parameters: MockupParameters, key: Plane | None
) -> tuple[Pictures, list[Drawn]]:
    """Scene and products brought together in light, and in noise; `key`, the main light's part, with the scene."""
    products = list(drawn)
    if parameters.lighting_mode != "none":
        inside, around = _compared(drawn[0], pictures.bare)
        if parameters.lighting_mode == "both":
            products = [replace(one, light=harmonising.toned(one.light, inside, around)) for one in drawn]
        gain = harmonising.scene_gain(inside, around)
        pictures.relight(gain)
        if key is not None:
            key *= gain
    missing = _missing_noise(drawn[0], pictures.bare)
    if missing > 0:
        pictures = pictures.grained(missing, parameters.seed)
    return pictures, products


def _compared(one: Drawn, bare: Plane) -> tuple[Plane, Plane]:
    """Samples (n, 3) of the product's light and of the scene's about it."""
    inside = one.light[::_SAMPLE_STEP, ::_SAMPLE_STEP]
    pad_y, pad_x = (side // 3 for side in one.light.shape[:2])
    rows = slice(max(one.box[0].start - pad_y, 0), one.box[0].stop + pad_y, _SAMPLE_STEP)
    columns = slice(max(one.box[1].start - pad_x, 0), one.box[1].stop + pad_x, _SAMPLE_STEP)
    return inside[inside[..., 3] > _CORE][:, :3], bare[rows, columns].reshape(-1, 3)


def _missing_noise(one: Drawn, bare: Plane) -> float:
    solid = one.light[..., 3] > _CORE
    product = harmonising.noise_steps(to_srgb(np.ascontiguousarray(one.light[..., :3])), solid)
    around = harmonising.noise_steps(to_srgb(np.ascontiguousarray(bare[one.box])), np.ones_like(solid))
    return harmonising.missing_noise(product, around)


def _composed(
    pictures: Pictures,
    drawn: Sequence[Drawn],
    hidden: Sequence[Plane],
    scene: Scene,
    scene_scale: float,
    shadow_mode: str,
) -> Mockup:
    """The products over the ground, the nearer ones in front, and the scene's foreground over all."""
    canvas, visible = pictures.ground.copy(), [np.zeros(pictures.ground.shape[:2], np.float32) for _ in drawn]
    for number in sorted(range(len(drawn)), key=lambda number: drawn[number].ground.y_px):
        _over(canvas, visible, number, drawn[number], hidden[number])
    front = pictures.occluder
    if front is not None:
        visible = [alpha * (1 - front[..., 3]) for alpha in visible]
    return Mockup(
        canvas=_finished(front, canvas, partial(coded, depth=np.result_type(*(one.placed.code for one in drawn)))),
        ground=_finished(front, pictures.ground, to_srgb),
        bare=_finished(front, pictures.bare, to_srgb),
        shadow=pictures.darkness(),
        products=tuple(_placed(one, alpha) for one, alpha in zip(drawn, visible, strict=True)),
        light=scene.light,
        scene=scene.name,
        scene_scale=scene_scale,
        points=pictures.points,
        key_share=pictures.key_share,
        mirrored=pictures.mirrored,
        shadow_mode=shadow_mode,
    )


def _finished(front: Plane | None, picture: Plane, code: Callable[[Plane], _Codes]) -> _Codes:
    """The `picture` (h, w, 3; linear) behind what is in `front`, in code values, strip by strip to save memory."""
    strips = [slice(top, top + harmonising.STRIP_ROWS) for top in range(0, len(picture), harmonising.STRIP_ROWS)]
    shown = (in_front(None if front is None else front[rows], picture[rows]) for rows in strips)
    finished: Any = np.concatenate([code(strip) for strip in shown])
    return cast(_Codes, finished)


def _over(canvas: Plane, visible: list[Plane], number: int, one: Drawn, hidden: Plane) -> None:
    """One product over the canvas and over the products behind it."""
    shown = one.light * (1 - hidden[..., None])
    for alpha in visible:
        alpha[one.box] *= 1 - shown[..., 3]
    visible[number][one.box] = shown[..., 3]
    canvas[one.box] = shown[..., :3] + (1 - shown[..., 3:]) * canvas[one.box]


def _placed(one: Drawn, visible: Plane) -> Placed:
    mask = np.rint(visible * 255).astype(np.uint8)
    full = np.zeros_like(visible)
    full[one.box] = one.light[..., 3]
    return Placed(
        product=one.placed.code,
        placement=one.placement,
        mask=mask,
        hidden=np.rint(np.clip(full - visible, 0, 1) * 255).astype(np.uint8),
        stance=one.placed.stance,
        height_cm=one.placed.height_cm,
        place=one.placed.place,
        ground=one.ground,
        own_shadow=one.placed.own_shadow,
    )
