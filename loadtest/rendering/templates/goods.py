"""Hard goods: mug, box, poster. Lengths in centimetres, facing -Y."""

from __future__ import annotations

import math

import bpy
import geometry as geo
import materials as mats
import settings_scenes as scenes
from mathutils import Vector
from setting import Setting, Surface
from settings_scenes import Key

MUG_RADIUS, WRAP = 4.1, (20.0, 8.4)


def camera(target, azimuth: float, elevation: float, distance: float, lens: float) -> None:
    """Look at a point from a direction (degrees) and a distance (cm); everything is in focus, as maps need it."""
    data = bpy.data.cameras.new("camera")
    data.lens, data.sensor_width, data.clip_end = lens, 36.0, 5000.0
    eye = geo.link(bpy.data.objects.new("camera", data))
    eye.location = Vector(target) + scenes.direction(azimuth, elevation) * distance
    geo.aim(eye, target)
    bpy.context.scene.camera = eye


def lay_out(obj: bpy.types.Object, layer: str, place, printable) -> None:
    """Give a UV layer to the faces that `printable(centre, normal)` takes: `place(point)` says where they are on it."""
    uv = obj.data.uv_layers.new(name=layer)
    for polygon in obj.data.polygons:
        taken = printable(polygon.center, polygon.normal)
        for loop in polygon.loop_indices:
            point = obj.data.vertices[obj.data.loops[loop].vertex_index].co
            uv.data[loop].uv = place(point) if taken else (-9.0, -9.0)


def mug() -> Setting:
    """An 11 oz mug; its print runs from one side of the handle to the other."""
    glaze = mats.plain("glaze", "#f4f2ee", 0.12, variation=0.03, spread=0.0, coat=0.3)
    profile = geo.fillet(
        [
            (0, 0.45),
            (2.9, 0.45, 0.2),
            (3.0, 0, 0.1),
            (3.45, 0, 0.2),
            (MUG_RADIUS, 0.75, 0.5),
            (MUG_RADIUS, 9.6, 0.17),
            (3.74, 9.6, 0.17),
            (3.74, 1.0, 0.8),
            (0, 0.75),
        ]
    )
    body = geo.lathe("mug", profile, glaze, segments=288, step=0.2)
    path = geo.spline(
        [
            (3.9, 0, 8.2),
            (4.8, 0, 8.35),
            (6.1, 0, 8.0),
            (7.0, 0, 6.7),
            (7.0, 0, 4.9),
            (6.2, 0, 3.3),
            (4.9, 0, 2.45),
            (3.9, 0, 2.3),
        ],
        12,
    )
    handle = geo.tube("handle", path, lambda t: 0.42 + 0.34 * abs(2 * t - 1) ** 9, glaze, 32, flat=1.6)
    lay_out(body, "print-wrap", _on_wrap, lambda c, _: math.hypot(c.x, c.y) > MUG_RADIUS - 0.03)
    geo.parent_all([body, handle], 12)
    ground = mats.flat("sweep", "#e2ddd3", 0.0)
    scenes._sweep(11, ground)
    light_studio(11, 9.6, Key(-62, 36, 0.95))
    camera((1.3, 0, 4.6), 0, 12, 58, 120)
    return Setting([body, handle], [glaze], [ground], {"wrap": Surface([body], "print-wrap", *WRAP)}, [glaze])


def _on_wrap(point: Vector) -> tuple[float, float]:
    angle = math.atan2(point.y, point.x) % math.tau
    across = (angle - math.pi) * MUG_RADIUS / WRAP[0] + 0.5
    return across, (9.25 - point.z) / WRAP[1]


def light_studio(size: float, height: float, key: Key, fill: float = 0.14) -> None:
    """A large soft window, a weak fill, light from above and behind, and some on the backdrop."""
    scenes.world("#8a8a88", "#9a9a98", "#d8d8d6", 0.5)
    aim = (0, 0, height * 0.45)
    scenes.soft_box("key", aim, key.azimuth, key.elevation, 3 * size, (1.8 * size, 2.2 * size), key.level)
    scenes.soft_box("fill", aim, 70, 24, 3.4 * size, (1.5 * size, 2.4 * size), fill * key.level, scenes.COOL)
    scenes.soft_box("top", aim, 180, 66, 3.4 * size, (3 * size, 1.6 * size), 0.3 * key.level)
    scenes.soft_box("backdrop", (0, 3.6 * size, 1.8 * size), 0, 60, 3.2 * size, (6 * size, 1.4 * size), 0.4 * key.level)


def box() -> Setting:
    """A folding box of white board, 18 by 11 by 22 cm, its top flaps closed."""
    width, depth, height, edge = 18.0, 11.0, 22.0, 0.2
    board = mats.plain("board", "#f1efeb", 0.62, variation=0.05, spread=0.012, grain=0.004, grain_scale=14)
    body = geo.apply(geo.box("box", (width, depth, height), board, edge, 3))
    flaps = [
        geo.apply(
            geo.box(
                "flap", (width - 0.1, depth / 2 - 0.07, 0.16), board, 0.06, 2, (0, side * (depth / 4), height - 0.04)
            )
        )
        for side in (-1, 1)
    ]
    flat = {"front": (width - 2 * edge, height - 2 * edge), "side": (depth - 2 * edge, height - 2 * edge)}
    lay_out(body, "print-front", lambda p: _on_face(p.x, p.z - height / 2, flat["front"]), lambda _, n: n.y < -0.999)
    lay_out(body, "print-side", lambda p: _on_face(p.y, p.z - height / 2, flat["side"]), lambda _, n: n.x > 0.999)
    ground = mats.flat("sweep", "#d5d9d6", 0.0)
    scenes._sweep(24, ground)
    light_studio(24, height, Key(-22, 40, 0.98), fill=0.04)
    camera((0.6, 0, 10.4), 36, 16, 118, 122)
    maps = {name: Surface([body], f"print-{name}", *size) for name, size in flat.items()}
    return Setting([body, *flaps], [board], [ground], maps, [board])


def _on_face(x: float, z: float, size: tuple[float, float]) -> tuple[float, float]:
    return x / size[0] + 0.5, 0.5 - z / size[1]


def poster() -> Setting:
    """A framed poster on a wall, above a sideboard, in window light."""
    width, height, centre = 50.0, 70.0, 128.0
    paper = mats.plain("paper", "#f5f4f1", 0.5, variation=0.05, spread=0.0)
    sheet = geo.grid("poster", lambda u, v: ((u - 0.5) * width, -0.9, centre + (v - 0.5) * height), 8, 8, paper)
    lay_out(sheet, "print-poster", lambda p: _on_face(p.x, p.z - centre, (width, height)), lambda *_: True)
    _frame(width, height, centre, mats.wood("oak", ("#8a6238", "#b48a58", "#cfa877"), 0.45, scale=1.5))
    scenes.wall(0, "#d8d5ce", low=-10)
    geo.box(
        "board", (190, 42, 4), mats.wood("walnut", ("#3f2717", "#67432a", "#8a5f3e"), 0.4), 0.4, location=(20, -24, 70)
    )
    geo.box("chest", (184, 38, 60), mats.plain("chest", "#4f5a55", 0.5), 0.5, location=(20, -23, 10))
    scenes.plant(44, -22, 74, 46, 5, pot="#c9c1b4")
    scenes.books(-40, -24, 74, 3, 4, standing=False, yaw=8)
    scenes.world("#55504a", "#a5a29c", "#d6d8da", 0.55)
    scenes.soft_box("window", (0, 0, 120), -52, 26, 260, (150, 190), 0.8, scenes.COOL)
    scenes.soft_box("room", (0, 0, 120), 50, 30, 300, (200, 200), 0.12, scenes.WARM)
    camera((3, 0, 121), -14, 2, 300, 92)
    return Setting(
        [sheet],
        [paper],
        [bpy.data.materials["wall"]],
        {"poster": Surface([sheet], "print-poster", width, height)},
        [paper],
    )


def _frame(width: float, height: float, centre: float, timber: bpy.types.Material) -> None:
    """Four mitre-less laths, 1.8 cm wide and 2.6 cm deep."""
    for side in (-1, 1):
        geo.box(
            "upright",
            (1.8, 2.6, height + 3.2),
            timber,
            0.12,
            3,
            (side * (width / 2 + 0.7), -1.3, centre - height / 2 - 1.6),
        )
        geo.box("lath", (width - 0.4, 2.6, 1.8), timber, 0.12, 3, (0, -1.3, centre + side * (height / 2 + 0.7) - 0.9))
