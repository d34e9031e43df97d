"""What products do to the scene about them: shadows, contact, mirror images; and what of the scene hides them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.operations.harmonising import LUMINANCE, grained
from gpu_workers.operations.scene_ground import Ground, seen_from
from gpu_workers.operations.scene_light import Lit
from gpu_workers.operations.scene_placing import Drawn
from gpu_workers.operations.scene_reflection import reflection
from gpu_workers.operations.scene_shadow import Caster, Frame, shadows
from gpu_workers.operations.scene_variation import View
from gpu_workers.scenes import Scene

Plane = NDArray[np.float32]

_SHADOW_COARSE, _CANVAS_COARSE = 4, 2
_PRINT_OPACITY = 0.45
_PRINT_CM, _PRINT_OF_CM = 0.25, 20.0
_OFF_GROUND_SHARE = 0.15
_SKY_SHARE = np.float32(0.88)  # the rest is light that product and ground send to and fro
_GLOSS_MIN = 0.01
_REFLECTION_COARSE = 2
_BEHIND_CM = 1.0


@dataclass(frozen=True)
class Pictures:
    """A scene on its canvas, linear light: `bare` (h, w, 3) as it was, `ground` (h, w, 3) with what the products do to
    it, and what is in front of them, `occluder` (h, w, 4), premultiplied."""

    bare: Plane
    ground: Plane
    occluder: Plane | None

    def times(self, gain: NDArray[np.float32]) -> "Pictures":
        """All of it in other light, `gain` (3,)."""
        front = None if self.occluder is None else self.occluder * np.append(gain, np.float32(1))
        return Pictures(self.bare * gain, self.ground * gain, front)

    def grained(self, steps: float, seed: int) -> "Pictures":
        """The same with noise of so many 8-bit steps."""
        bare, ground = (grained(light, steps, seed) for light in (self.bare, self.ground))
        return Pictures(bare, ground, self.occluder)

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
    if shadow_mode == "scene":
        cast, around = _shadows(scene, view, light, drawn)
        ground = light.ambient * (1 - around[..., None]) + light.key * (1 - cast[..., None])
    if scene.surface.gloss > _GLOSS_MIN:
        ground = ground.copy() if ground is bare else ground
        for one in drawn:
            _mirror(ground, one, scene)
    return Pictures(bare, ground, light.occluder)


def _shadows(scene: Scene, view: View, light: Lit, drawn: Sequence[Drawn]) -> tuple[Plane, Plane]:
    """The shares (h, w) of the main light and of the light all round that the products take from the scene."""
    main = drawn[0].ground
    cell_cm = _SHADOW_COARSE / main.px_per_cm
    cast, around, frame = shadows([_caster(one, main) for one in drawn], main, scene.light, cell_cm)
    size = tuple(math.ceil(side / _CANVAS_COARSE) for side in (view.canvas.width_px, view.canvas.height_px))
    tallest_cm = max(one.standing.height_cm for one in drawn)
    on_cast, on_around, near_ground = _lookup(scene, view, light, main, frame, size, tallest_cm)
    seen = []
    for hidden, (x, y), share in ((cast, on_cast, None), (around * _SKY_SHARE, on_around, near_ground)):
        soft = cv2.GaussianBlur(hidden, (0, 0), 0.7)
        found = cv2.remap(soft, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        found = cv2.blur(found if share is None else found * share, (3, 3))
        seen.append(found)
    full = [
        cv2.resize(part, (view.canvas.width_px, view.canvas.height_px), interpolation=cv2.INTER_LINEAR) for part in seen
    ]
    for one in drawn:
        _print(full, one)
    return full[0], full[1]


def _caster(one: Drawn, main: Ground) -> Caster:
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
    coarse = main.in_view(0, 0, 1 / _CANVAS_COARSE)
    if light.depth_cm is not None:
        # A pixel of an edge shows more of the nearer thing than its one distance says: the picture is blurred there.
        nearest = cv2.erode(light.depth_cm, np.ones((3, 3), np.uint8))
        depth = cv2.resize(nearest, size, interpolation=cv2.INTER_NEAREST)
        return seen_from(coarse, depth, scene.camera.focal_px * view.scale / _CANVAS_COARSE)
    y, x = np.mgrid[: size[1], : size[0]].astype(np.float32) + np.float32(0.5)
    inverse = np.linalg.inv(coarse.to_picture())
    ground = np.dstack([x, y, np.ones_like(x)]) @ inverse.T.astype(np.float32)
    far = (scene.surface.far.y_px - view.top) * view.scale / _CANVAS_COARSE
    beyond = (y < max(far, coarse.horizon_px + 1))[..., None]
    flat = np.concatenate([ground[..., :2] / ground[..., 2:], np.zeros_like(ground[..., :1])], axis=2)
    return np.where(beyond, np.float32(1e6), flat).astype(np.float32)


def _cells(frame: Frame, right: Plane, away: Plane) -> tuple[Plane, Plane]:
    x = (right - frame.left_cm) / frame.cell_cm - 0.5
    y = (frame.top_cm - away) / frame.cell_cm - 0.5
    return np.asarray(x, np.float32), np.asarray(y, np.float32)


def _contact(one: Drawn, columns: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The rows in which a product meets the ground in these columns of the canvas, and where it stands on it (0..1)."""
    stands, there = one.standing.stance, np.arange(len(one.standing.stance.contact))
    source = (columns - one.placement.x_px) / one.placement.scale - 0.5
    rows = np.interp(source, there, stands.contact) * one.placement.scale + one.placement.y_px
    return rows, np.interp(source, there, stands.stands.astype(np.float64))


def _print(shadows_taken: Sequence[Plane], one: Drawn) -> None:
    """Darkens the line where a product touches the ground: narrower than the coarse shadows can be."""
    contact, touches = _contact(one, np.arange(one.box[1].start, one.box[1].stop) + 0.5)
    sigma = max(_PRINT_CM * one.ground.px_per_cm * math.sqrt(one.standing.height_cm / _PRINT_OF_CM), 1.0)
    top, bottom = math.floor(contact.min() - 4 * sigma), math.ceil(contact.max() + 4 * sigma)
    rows = slice(max(top, 0), min(bottom, shadows_taken[0].shape[0]))
    y = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] + 0.5
    prints = (np.exp(-0.5 * ((y - contact) / sigma) ** 2) * touches).astype(np.float32)
    prints = cv2.GaussianBlur(prints, (0, 0), sigmaX=sigma, sigmaY=sigma / 2) * np.float32(_PRINT_OPACITY)
    for taken in shadows_taken:
        part = taken[rows, one.box[1]]
        part += (1 - part) * prints


def _mirror(ground: Plane, one: Drawn, scene: Scene) -> None:
    """The product's mirror image on glossy ground."""
    top, columns = one.box[0].start, one.box[1]
    bottom = min(2 * one.box[0].stop - top, ground.shape[0])
    tall = np.zeros((bottom - top, one.light.shape[1], 4), np.float32)
    tall[: one.light.shape[0]] = one.light
    size = tuple(math.ceil(side / _REFLECTION_COARSE) for side in tall.shape[1::-1])
    small = cv2.resize(tall, size, interpolation=cv2.INTER_AREA)
    middles = columns.start + (np.arange(size[0]) + 0.5) * tall.shape[1] / size[0]
    contact = ((_contact(one, middles)[0] - top) * size[1] / len(tall)).astype(np.float32)
    image = reflection(small, contact, scene.surface.roughness, one.light.shape[0] / _REFLECTION_COARSE)
    image = cv2.resize(image, tall.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    part = ground[top:bottom, columns]
    part += np.float32(scene.surface.gloss) * (image[..., :3] - image[..., 3:] * part)


def hidden_share(one: Drawn, light: Lit, scene: Scene, view: View) -> Plane:
    """How much of each of the product's pixels is behind something that is nearer to the camera, 0..1."""
    if light.depth_cm is None:
        return np.zeros(one.light.shape[:2], np.float32)
    focal_px = scene.camera.focal_px * view.scale
    stands = one.standing.stance
    left, _, right, _ = stands.box
    deep_cm = stands.depth_share(one.ground.sine) * (right - left) * one.placement.scale / one.ground.px_per_cm / 2
    nearest_cm = focal_px / one.ground.px_per_cm - deep_cm - _BEHIND_CM
    depth_cm = np.ascontiguousarray(light.depth_cm[one.box])
    nearer = (depth_cm < nearest_cm) & (depth_cm > 0)
    # Below its foot the ground is nearer than the product, and hides nothing.
    up = seen_from(one.ground.in_view(one.box[1].start, one.box[0].start, 1.0), depth_cm, focal_px)[..., 2]
    return np.asarray(cv2.blur((nearer & (up > _BEHIND_CM)).astype(np.float32), (3, 3)), np.float32)
