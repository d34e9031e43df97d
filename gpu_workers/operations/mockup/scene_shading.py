"""What products do to the scene about them: shadows, contact, mirror images; and what of the scene hides them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.linear_light import levels
from gpu_workers.imaging.types import LUMINANCE, Plane
from gpu_workers.library.scenes import Light, Scene
from gpu_workers.operations.mockup.harmonising import STRIP_ROWS, grained
from gpu_workers.operations.mockup.scene_focus import defocused
from gpu_workers.operations.mockup.scene_ground import Ground, seen_from
from gpu_workers.operations.mockup.scene_light import Lit
from gpu_workers.operations.mockup.scene_placing import Drawn
from gpu_workers.operations.mockup.scene_reflection import reflection, spread_px
from gpu_workers.operations.mockup.scene_shadow import Caster, shadows, shift
from gpu_workers.operations.mockup.scene_variation import View
from schemas.channels import Size

# Set by hand, none is fitted, but where a line says so.
_SHADOW_COARSE, _CANVAS_COARSE = 4, 2  # px of the canvas a cell: shadows are soft
# How dark, and over how many cm, for a product of 20 cm.
_PRINTS = ((0.6, 0.15), (0.35, 0.5))
_PRINT_OF_CM = 20.0
_OFF_GROUND_SHARE = 0.15  # of the tallest product's height: what is so far off the ground takes no shadow of it
_SKY_SHARE = np.float32(0.88)  # the rest is light that product and ground send to and fro
_GLOSS_MIN = 0.01  # of light: less is not seen
_SHEET_CM = 1.0  # off the ground that is still its gloss
_CELL_BLUR = 0.7  # cells, that steps are not seen
_NOWHERE_CM = 1e6  # off the ground: the far
_REFLECTION_COARSE = 2  # px of the canvas a cell
_BLUR_REACH = 2.5  # sigmas, beyond which nothing is left
_BEHIND_CM = 1.0  # of slack, as depth maps are noisy


@dataclass(frozen=True)
class Pictures:
    """A scene on its canvas, linear light: `bare` (h, w, 3) as it was, `ground` (h, w, 3) with what the products do to
    it, and what is in front of them, `occluder` (h, w, 4), premultiplied. At half the size: where everything is,
    `points` (h, w, 3), in cm, (right, away, up) from the first product's place; what of its light a shadow can take,
    `key_share` (h, w; 0..1), and how much of it is a product's mirror image, `mirrored` (h, w; 0..1)."""

    bare: Plane
    ground: Plane
    occluder: Plane | None
    points: Plane
    key_share: Plane
    mirrored: Plane

    def relight(self, gain: NDArray[np.float32]) -> None:
        """Puts all of it in other light, `gain` (3,), in place: pictures are large."""
        for picture in (self.bare,) if self.ground is self.bare else (self.bare, self.ground):
            picture *= gain
        if self.occluder is not None:
            self.occluder[..., :3] *= gain

    def grained(self, steps: float, seed: int) -> "Pictures":
        """The same with noise of so many 8-bit steps."""
        bare, ground = (grained(light, steps, seed) for light in (self.bare, self.ground))
        return replace(self, bare=bare, ground=ground)

    def defocused(self, sigma_px: Plane) -> "Pictures":
        """The same with what is out of focus: see `scene_focus.defocused`. What is in front keeps its own blur."""
        bare = defocused(self.bare, sigma_px)
        return replace(self, bare=bare, ground=bare if self.ground is self.bare else defocused(self.ground, sigma_px))

    def darkness(self) -> Plane:
        """How much of the light (h, w; 0..1) the products take from the scene."""
        before, after = (cv2.transform(light, LUMINANCE[None]) for light in (self.bare, self.ground))
        return np.asarray(np.clip(1 - after / np.maximum(before, 1e-5), 0, 1), np.float32)


def in_front(occluder: Plane | None, picture: Plane) -> Plane:
    """The `picture` (h, w, 3) behind the `occluder` (h, w, 4)."""
    return picture if occluder is None else picture * (1 - occluder[..., 3:]) + occluder[..., :3]


def shaded(scene: Scene, view: View, light: Lit, drawn: Sequence[Drawn], shadow_mode: str) -> Pictures:
    """The scene without the products, and with their shadows and mirror images."""
    bare = light.ambient + light.key
    ground = bare
    points = _points(scene, view, light, drawn[0].ground)
    open_ground, mirroring = np.ones(bare.shape[:2], np.float32), []
    if shadow_mode == "scene":
        for one in drawn:
            _print(open_ground, one)
        cast, around = _shadows(scene.light, points, drawn)
        ground = _in_shadow(light, (1 - cast) * open_ground, (1 - around) * open_ground)
    if scene.surface.gloss > _GLOSS_MIN:
        ground = ground.copy() if ground is bare else ground
        # Where a product touches the ground, what is mirrored is as dark as the gap.
        gloss = _at_full_size(_near_ground(points, _SHEET_CM), view.canvas) * np.float32(scene.surface.gloss)
        gloss *= open_ground * open_ground
        mirroring = [_mirror(ground, one, gloss, scene.surface.roughness) for one in drawn]
    return Pictures(bare, ground, light.occluder, points, _key_share(light, bare), _mirrored(mirroring, points))


def _in_shadow(light: Lit, key: Plane, ambient: Plane) -> Plane:
    """What is left (h, w, 3) of the light when these shares (h, w) of the main one and of all else reach the scene."""
    out = np.empty_like(light.ambient)
    for top in range(0, len(out), STRIP_ROWS):
        rows = slice(top, top + STRIP_ROWS)
        out[rows] = light.ambient[rows] * ambient[rows, :, None] + light.key[rows] * key[rows, :, None]
    return out


def _points(scene: Scene, view: View, light: Lit, main: Ground) -> Plane:
    """(right, away, up) in cm of every coarse pixel (h, w, 3); far away where nothing is known.

    Without distances everything is ground, up to half-way between the furthest place and the horizon.
    """
    size = tuple(math.ceil(side / _CANVAS_COARSE) for side in (view.canvas.width_px, view.canvas.height_px))
    coarse = main.in_view(0, 0, 1 / _CANVAS_COARSE)
    if light.depth_cm is not None:
        # A pixel of an edge shows more of the nearer thing than its one distance says: the picture is blurred there.
        nearest = cv2.erode(light.depth_cm, np.ones((3, 3), np.uint8))
        depth = cv2.resize(nearest, size, interpolation=cv2.INTER_NEAREST)
        return seen_from(coarse, depth, scene.camera.focal_px * view.scale / _CANVAS_COARSE)
    y, x = np.mgrid[: size[1], : size[0]].astype(np.float32) + np.float32(0.5)
    inverse = np.linalg.inv(coarse.to_picture())
    ground = np.dstack([x, y, np.ones_like(x)]) @ inverse.T.astype(np.float32)
    furthest = (min(place.y_px for place in scene.places) - view.top) * view.scale / _CANVAS_COARSE
    beyond = (y < (furthest + coarse.horizon_px) / 2)[..., None]
    flat = np.concatenate([ground[..., :2] / ground[..., 2:], np.zeros_like(ground[..., :1])], axis=2)
    return np.where(beyond, np.float32(_NOWHERE_CM), flat).astype(np.float32)


def _key_share(light: Lit, bare: Plane) -> Plane:
    """How much of what is seen of each coarse pixel (h, w; 0..1) is the main light's."""
    size = tuple(math.ceil(side / _CANVAS_COARSE) for side in bare.shape[1::-1])
    key, whole = (cv2.resize(cv2.transform(part, LUMINANCE[None]), size) for part in (light.key, bare))
    share = np.asarray(np.clip(key / np.maximum(whole, 1e-5), 0, 1), np.float32)
    return share if light.occluder is None else share * (1 - cv2.resize(light.occluder[..., 3], size))


def _mirrored(images: Sequence[tuple[tuple[slice, slice], Plane]], points: Plane) -> Plane:
    """How much of each coarse pixel (h, w; 0..1) is mirror image."""
    share = np.zeros(points.shape[:2], np.float32)
    for (rows, columns), image in images:
        part = share[rows.start // _CANVAS_COARSE :, columns.start // _CANVAS_COARSE :]
        coarse = image[::_CANVAS_COARSE, ::_CANVAS_COARSE][: part.shape[0], : part.shape[1]]
        part = part[: coarse.shape[0], : coarse.shape[1]]
        np.maximum(part, coarse, out=part)
    return share


def _near_ground(points: Plane, reach_cm: float) -> Plane:
    """1 on the ground, 0 at `reach_cm` above or below it."""
    return np.asarray(np.clip(1 - np.abs(points[..., 2]) / reach_cm, 0, 1), np.float32)


def _at_full_size(coarse: Plane, canvas: Size) -> Plane:
    size = (canvas.width_px, canvas.height_px)
    return np.asarray(cv2.resize(cv2.blur(coarse, (3, 3)), size, interpolation=cv2.INTER_LINEAR), np.float32)


def _shadows(light: Light, points: Plane, drawn: Sequence[Drawn]) -> tuple[Plane, Plane]:
    """The shares (h, w) of the main light and of the light all round that the products take from the scene.

    The ray of the main light that meets a wall would meet the ground behind it: the shadow there is the wall's.
    """
    main = drawn[0].ground
    cast, around, frame = shadows([_caster(one, main) for one in drawn], main, light, _SHADOW_COARSE / main.px_per_cm)
    right, away, up = cv2.split(points)
    to_right, to_away = shift(light.azimuth_deg, light.elevation_deg)
    near = _near_ground(points, _OFF_GROUND_SHARE * max(one.placed.height_cm for one in drawn))
    seen = (
        frame.at(_soft(cast), right + up * np.float32(to_right), away + up * np.float32(to_away)),
        frame.at(_soft(around), right, away) * near * _SKY_SHARE,
    )
    cast, around = (_at_full_size(part, drawn[0].placement.canvas) for part in seen)
    return cast, around


def _soft(hidden: Plane) -> Plane:
    """Without the steps of its cells."""
    return np.asarray(cv2.GaussianBlur(hidden, (0, 0), _CELL_BLUR), np.float32)


def _caster(one: Drawn, main: Ground) -> Caster:
    stands = one.placed.stance
    x, y, w = np.linalg.inv(main.to_picture()) @ (one.ground.x_px, one.ground.y_px, 1.0)
    px_per_cm = stands.height_px / (one.placed.height_cm * one.ground.cosine)
    return Caster(levels(one.placed.code[..., 3]), stands, px_per_cm, (float(x / w), float(y / w)))


def _contact(one: Drawn, columns: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The rows in which a product meets the ground in these columns of the canvas, and where it stands on it (0..1)."""
    stands, there = one.placed.stance, np.arange(len(one.placed.stance.contact))
    source = (columns - one.placement.x_px) / one.placement.scale - 0.5
    rows = np.interp(source, there, stands.contact) * one.placement.scale + one.placement.y_px
    return rows, np.interp(source, there, stands.stands.astype(np.float64))


def _print(open_ground: Plane, one: Drawn) -> None:
    """Takes from `open_ground`, the shares of light (h, w; 0..1) that are left, the line where a product touches the
    ground: narrowly, as the coarse shadows cannot, and softly about."""
    contact, touches = _contact(one, np.arange(one.box[1].start, one.box[1].stop) + 0.5)
    size = one.ground.px_per_cm * math.sqrt(one.placed.height_cm / _PRINT_OF_CM)
    for opacity, reach_cm in _PRINTS:
        sigma = max(reach_cm * size, 1.0)
        top, bottom = math.floor(contact.min() - 4 * sigma), math.ceil(contact.max() + 4 * sigma)
        rows = slice(max(top, 0), min(bottom, open_ground.shape[0]))
        y = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] + 0.5
        prints = (np.exp(-0.5 * ((y - contact) / sigma) ** 2) * touches).astype(np.float32)
        prints = cv2.GaussianBlur(prints, (0, 0), sigmaX=sigma, sigmaY=sigma / 2) * np.float32(opacity)
        open_ground[rows, one.box[1]] *= 1 - prints


def _mirror(ground: Plane, one: Drawn, gloss: Plane, roughness: float) -> tuple[tuple[slice, slice], Plane]:
    """The product's mirror image on the ground, as strong as `gloss` (h, w) says. Returns where, and its share there
    (h, w; 0..1)."""
    top, bottom = one.box[0].start, min(2 * one.box[0].stop - one.box[0].start, ground.shape[0])
    beside = math.ceil(_BLUR_REACH * spread_px(roughness, one.light.shape[0]))
    columns = slice(max(one.box[1].start - beside, 0), min(one.box[1].stop + beside, ground.shape[1]))
    tall = np.zeros((bottom - top, columns.stop - columns.start, 4), np.float32)
    left = one.box[1].start - columns.start
    tall[: one.light.shape[0], left : left + one.light.shape[1]] = one.light
    size = tuple(math.ceil(side / _REFLECTION_COARSE) for side in tall.shape[1::-1])
    small = cv2.resize(tall, size, interpolation=cv2.INTER_AREA)
    middles = columns.start + (np.arange(size[0]) + 0.5) * tall.shape[1] / size[0]
    contact = ((_contact(one, middles)[0] - top) * size[1] / len(tall)).astype(np.float32)
    image = reflection(small, contact, roughness, one.light.shape[0] / _REFLECTION_COARSE)
    image = cv2.resize(image, tall.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    box = (slice(top, bottom), columns)
    part, gloss = ground[box], gloss[box][..., None]
    part += gloss * (image[..., :3] - image[..., 3:] * part)
    return box, image[..., 3] * gloss[..., 0]


def hidden_share(one: Drawn, light: Lit, scene: Scene, view: View) -> Plane:
    """How much of each of the product's pixels is behind something that is nearer to the camera, 0..1."""
    if light.depth_cm is None:
        return np.zeros(one.light.shape[:2], np.float32)
    focal_px = scene.camera.focal_px * view.scale
    stands = one.placed.stance
    left, _, right, _ = stands.box
    deep_cm = stands.depth_share(one.ground.sine) * (right - left) * one.placement.scale / one.ground.px_per_cm / 2
    nearest_cm = focal_px / one.ground.px_per_cm - deep_cm - _BEHIND_CM
    depth_cm = np.ascontiguousarray(light.depth_cm[one.box])
    nearer = (depth_cm < nearest_cm) & (depth_cm > 0)
    # Below its foot the ground is nearer than the product, and hides nothing.
    up = seen_from(one.ground.in_view(one.box[1].start, one.box[0].start, 1.0), depth_cm, focal_px)[..., 2]
    return np.asarray(cv2.blur((nearer & (up > _BEHIND_CM)).astype(np.float32), (3, 3)), np.float32)
