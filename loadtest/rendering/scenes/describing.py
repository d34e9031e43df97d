"""A scene's description, read off the camera, the light and the layers rather than written down."""

from __future__ import annotations

import math

import bpy
import numpy as np
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector
from shots import Shot, Spot

LICENCE = "Apache-2.0"
SOURCE = "rendered by loadtest/rendering/scenes"
SCALE_ERROR_MAX = 1e-4
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


class NotTrue(ValueError):
    """A shot whose numbers do not fit its picture."""


def describe(shot: Shot, plate: np.ndarray, key: np.ndarray, grain_steps: float) -> dict:
    """The scene's file without its layers. `plate` and `key` are linear (height, width, 3)."""
    height, width, _ = plate.shape
    places = [place(shot, spot, width, height) for spot in shot.spots]
    main = shot.spots[0]
    return {
        "name": shot.name,
        "version": 1,
        "title": shot.title,
        "source": SOURCE,
        "licence": LICENCE,
        "kind": shot.kind,
        "camera": {
            "elevation_deg": shot.elevation_deg,
            "focal_px": rounded(focal_px(), 1),
            "focus_cm": rounded(bpy.context.scene.camera.data.dof.focus_distance, 1),
            "f_number": shot.f_number,
        },
        "surface": {**rows(height), "gloss": rounded(gloss(shot), 3), "roughness": shot.roughness},
        "light": {
            "azimuth_deg": shot.key.azimuth_deg,
            "elevation_deg": shot.key.elevation_deg,
            "softness_deg": shot.key.softness_deg,
            "colour": shot.key.colour,
            "ambient": rounded(ambient(plate, key, places[0], main), 3),
        },
        "places": places,
        "suits": list(shot.suits),
        "tags": list(shot.tags),
        "height_cm": list(shot.height_cm),
        "grain": rounded(grain_steps * linear_step(), 5),
    }


def check_room(shot: Shot) -> None:
    """Before anything is rendered: raises NotTrue where a place's room is not in the picture."""
    render = bpy.context.scene.render
    for spot in shot.spots:
        place(shot, spot, render.resolution_x, render.resolution_y)


def pixel(point: Vector) -> tuple[float, float]:
    """Where a point (cm) is in the picture, in px from the upper left."""
    scene = bpy.context.scene
    seen = world_to_camera_view(scene, scene.camera, point)
    return seen.x * scene.render.resolution_x, (1 - seen.y) * scene.render.resolution_y


def px_per_cm(point: Vector) -> float:
    """Scale at a point, by projecting one centimetre that faces the camera."""
    right = bpy.context.scene.camera.matrix_world.col[0].xyz
    return pixel(point + right / 2)[0] - pixel(point - right / 2)[0]


def focal_px() -> float:
    """Focal length in pixels."""
    camera = bpy.context.scene.camera.data
    return camera.lens / camera.sensor_width * bpy.context.scene.render.resolution_x


def depth_at(y_px: float) -> float:
    """Where along Y (cm) the surface is seen in a row."""
    scene = bpy.context.scene
    camera = scene.camera
    middle = scene.render.resolution_y / 2 + camera.data.shift_y * scene.render.resolution_x
    return camera.location.y + camera.location.z * focal_px() / (y_px - middle)


def rows(height: int) -> dict:
    """The lowest row and that three quarters of the way to the horizon, their scales, a proof of what is between."""
    near_px, far_px = float(height), rounded(0.25 * height + 0.75 * horizon(), 1)
    near, far = (px_per_cm(Vector((0, depth_at(y), 0))) for y in (near_px, far_px))
    for share in np.linspace(0, 1, 9):
        y_px = far_px + share * (near_px - far_px)
        true = px_per_cm(Vector((0, depth_at(y_px), 0)))
        if abs(far + share * (near - far) - true) > SCALE_ERROR_MAX * true:
            raise NotTrue(f"row {y_px:.0f}: the scale is {true:.4f}, not on the line from {far:.4f} to {near:.4f}")
    return {
        "near": {"y_px": near_px, "px_per_cm": rounded(near, 4)},
        "far": {"y_px": far_px, "px_per_cm": rounded(far, 4)},
    }


def horizon() -> float:
    """The row in which the surface would vanish."""
    scene = bpy.context.scene
    return scene.render.resolution_y / 2 + scene.camera.data.shift_y * scene.render.resolution_x


def place(shot: Shot, spot: Spot, width: int, height: int) -> dict:
    """A place as the file has it. Raises NotTrue where its room is not in the picture."""
    foot = Vector((spot.x_cm, spot.y_cm, 0))
    x_px, y_px = pixel(foot)
    scale = px_per_cm(foot)
    half = spot.width_cm / 2 * scale
    nearest = pixel(foot - Vector((0, spot.depth_cm, 0)))[1]
    if x_px < half or x_px + half > width or nearest > height or spot.height_cm * scale > y_px:
        raise NotTrue(
            f"{shot.name}: the room of {spot.name} is not in the picture (its foot is at {x_px:.0f}, {y_px:.0f})"
        )
    return {
        "name": spot.name,
        "x_px": rounded(x_px, 1),
        "y_px": rounded(y_px, 1),
        "width_cm": spot.width_cm,
        "depth_cm": spot.depth_cm,
        "height_cm_max": spot.height_cm,
    }


def gloss(shot: Shot) -> float:
    """Mirrored share at the camera's angle: Schlick's approximation (1994) of Fresnel's law, damped by roughness."""
    head_on = ((shot.ior - 1) / (shot.ior + 1)) ** 2
    grazing = (1 - math.sin(math.radians(shot.elevation_deg))) ** 5
    return (head_on + (1 - head_on) * grazing) * (1 - shot.roughness) ** 2


def ambient(plate: np.ndarray, key: np.ndarray, found: dict, spot: Spot) -> float:
    """Share of the light that a shadow leaves on the main place, where the main light reaches it."""
    half = spot.width_cm / 2 * px_per_cm(Vector((spot.x_cm, spot.y_cm, 0)))
    x, y = round(found["x_px"]), round(found["y_px"])
    window = (slice(y - round(half / 6), y + round(half / 6)), slice(x - round(half), x + round(half)))
    light, straight = plate[window] @ LUMINANCE, key[window] @ LUMINANCE
    lit = straight >= np.percentile(straight, 50)
    share = 1 - straight[lit].mean() / light[lit].mean()
    if share > 0.9:
        raise NotTrue(f"the main light does not reach {spot.name}: the ambient share there is {share:.2f}")
    return float(share)


def linear_step() -> float:
    """How much linear light one 8-bit sRGB step is at middle grey (0.18)."""
    coded = 1.055 * 0.18 ** (1 / 2.4) - 0.055
    return 2.4 / 1.055 * ((coded + 0.055) / 1.055) ** 1.4 / 255


def rounded(value: float, digits: int) -> float:
    """A plain float for the file."""
    return round(float(value), digits)
