"""What a scene is before it is rendered: words, camera, light and places. Lengths are in centimetres.

The main place is the origin and the surface is z = 0. The camera stands on the -Y side, level, and looks along +Y; its
lens is shifted, as a view camera's, so that uprights stay upright and every place has one scale from foot to top.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import bpy
import geometry as geo
import materials as mats
import settings_scenes as studio
from mathutils import Vector


@dataclass(frozen=True)
class Key:
    """Main light: azimuth 0 is the camera's side, positive the viewer's right; softness is its apparent diameter. A
    level of 1 lights a white card that faces it to display white."""

    azimuth_deg: float
    elevation_deg: float
    softness_deg: float
    level: float = 1.0
    colour: str = "#FFFFFF"

    def towards(self) -> Vector:
        """Unit vector from the main place to the light."""
        return studio.direction(self.azimuth_deg, self.elevation_deg)


@dataclass(frozen=True)
class Spot:
    """A place: where its middle is on the surface, how wide it is, how far one may go to and fro, how high."""

    name: str
    x_cm: float
    y_cm: float
    width_cm: float
    depth_cm: float
    height_cm: float


@dataclass(frozen=True)
class Paint:
    """Colours for what is tagged `paint:<name>`; the first is what it is rendered in."""

    name: str
    colours: tuple[str, ...]


@dataclass(frozen=True)
class Prop:
    """Something tagged `prop:<name>` that may be there or not, and the places whose room it takes."""

    name: str
    hides_places: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shot:
    """One scene. `at` is where in the picture the main place is, as shares of its size from the upper left."""

    name: str
    title: str
    kind: str
    suits: tuple[str, ...]
    height_cm: tuple[float, float]
    build: Callable[[Key], None]
    key: Key
    spots: tuple[Spot, ...]
    distance_cm: float
    elevation_deg: float
    focal_mm: float = 65.0
    f_number: float = 5.6
    at: tuple[float, float] = (0.5, 0.76)
    size: tuple[int, int] = (1600, 1200)
    exposure: float = 0.0
    ior: float = 1.5
    roughness: float = 0.4
    occluder: bool = False
    paints: tuple[Paint, ...] = ()
    props: tuple[Prop, ...] = field(default=())
    tags: tuple[str, ...] = ()


def place_camera(shot: Shot) -> bpy.types.Object:
    """Level camera with a shifted lens, focused on the main place."""
    scene = bpy.context.scene
    data = bpy.data.cameras.new("camera")
    data.lens, data.sensor_fit, data.sensor_width = shot.focal_mm, "HORIZONTAL", 36.0
    data.clip_start, data.clip_end = 1.0, 20_000.0
    camera = geo.link(bpy.data.objects.new("camera", data))
    scene.camera = camera
    elevation = math.radians(shot.elevation_deg)
    camera.location = (0, -shot.distance_cm * math.cos(elevation), shot.distance_cm * math.sin(elevation))
    camera.rotation_euler = (math.radians(90), 0, 0)
    down = math.tan(elevation) * shot.focal_mm / 36.0
    data.shift_x = 0.5 - shot.at[0]
    data.shift_y = (shot.at[1] - 0.5) * shot.size[1] / shot.size[0] - down
    data.dof.use_dof, data.dof.focus_distance = True, -camera.location.y
    data.dof.aperture_fstop = shot.f_number / 100.0  # the scene is in cm, Blender reckons in m
    data.dof.aperture_blades = 9
    bpy.context.view_layer.update()
    return camera


def sunlight(key: Key) -> None:
    """The main light as a sun."""
    lamp = studio.sun(key.azimuth_deg, key.elevation_deg, key.level, mats.linear(key.colour)[:3], key.softness_deg)
    lamp["part"] = "key"


def window_light(key: Key, distance_cm: float) -> None:
    """The main light as a square window or soft box of the same apparent size."""
    side = 2 * distance_cm * math.tan(math.radians(key.softness_deg) / 2) * math.sqrt(math.pi) / 2
    lamp = studio.soft_box(
        "key",
        (0, 0, 0),
        key.azimuth_deg,
        key.elevation_deg,
        distance_cm,
        (side, side),
        key.level,
        mats.linear(key.colour)[:3],
    )
    lamp["part"] = "key"
