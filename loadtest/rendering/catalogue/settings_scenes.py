"""Where the products are photographed: studio sweeps and busy real-life settings.

Lengths are in centimetres. The camera always stands on the -Y side and looks along +Y.
Light levels are relative: a key of level 1 lights a white card facing it to about display white.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import bpy
import geometry as geo
import materials as mats
from mathutils import Vector

WARM, NEUTRAL, COOL = (1.0, 0.86, 0.70), (1.0, 0.97, 0.94), (0.86, 0.93, 1.0)


@dataclass(frozen=True)
class Key:
    """Main light: azimuth 0 is from the camera, positive from the viewer's right (degrees)."""

    azimuth: float
    elevation: float
    level: float = 1.0
    spread: float = 1.0


def direction(azimuth: float, elevation: float) -> Vector:
    """Unit vector from the subject towards a light (degrees)."""
    a, e = math.radians(azimuth), math.radians(elevation)
    return Vector((math.cos(e) * math.sin(a), -math.cos(e) * math.cos(a), math.sin(e)))


def soft_box(
    name: str,
    target,
    azimuth: float,
    elevation: float,
    distance: float,
    size,
    level: float,
    colour=NEUTRAL,
    reach: float | None = None,
) -> bpy.types.Object:
    """Rectangular area light of `size` (w, h) cm at `distance` cm from the target."""
    data = bpy.data.lights.new(name, "AREA")
    data.shape, data.size, data.size_y = "RECTANGLE", size[0], size[1]
    data.color = colour
    data.energy = level * math.pi**2 * (reach or distance) ** 2
    lamp = geo.link(bpy.data.objects.new(name, data))
    lamp.location = Vector(target) + direction(azimuth, elevation) * distance
    lamp.visible_camera = False
    return geo.aim(lamp, target)


def sun(azimuth: float, elevation: float, strength: float, colour=WARM, blur: float = 2.0):
    """Sunlight; `blur` is the sun's angle in degrees."""
    data = bpy.data.lights.new("sun", "SUN")
    data.energy, data.angle, data.color = strength * math.pi, math.radians(blur), colour
    lamp = geo.link(bpy.data.objects.new("sun", data))
    lamp.location = direction(azimuth, elevation) * 300
    return geo.aim(lamp, (0, 0, 0))


def world(bottom: str, horizon: str, top: str, strength: float) -> None:
    """Surroundings that fade from floor over wall to ceiling."""
    scene = bpy.context.scene
    scene.world = bpy.data.worlds.new("world")
    scene.world.use_nodes = True
    scene.world.cycles.sampling_method = "NONE"  # smooth enough without; its map is slow to make
    tree = scene.world.node_tree
    coord = tree.nodes.new("ShaderNodeTexCoord")
    split = tree.nodes.new("ShaderNodeSeparateXYZ")
    ramp = tree.nodes.new("ShaderNodeValToRGB")
    shift = tree.nodes.new("ShaderNodeMapRange")
    shift.inputs["From Min"].default_value = -1.0
    tree.links.new(coord.outputs["Generated"], split.inputs[0])
    tree.links.new(split.outputs[2], shift.inputs["Value"])
    tree.links.new(shift.outputs["Result"], ramp.inputs["Fac"])
    elements = ramp.color_ramp.elements
    elements.new(0.5)
    for element, (position, colour) in zip(elements, ((0.2, bottom), (0.55, horizon), (0.9, top)), strict=False):
        element.position, element.color = position, mats.linear(colour)
    back = tree.nodes["Background"]
    tree.links.new(ramp.outputs["Color"], back.inputs["Color"])
    back.inputs["Strength"].default_value = strength


# --- studio -----------------------------------------------------------------------------------

SWEEPS = {
    "white": ("#f6f6f4", 0.0, 0.85),
    "grey": ("#cfd0d0", 0.0, 0.55),
    "warm": ("#ebe6de", 0.0, 0.75),
    "dark": ("#17181a", 0.2, 0.06),
}


def studio(
    size: float,
    height: float,
    key: Key,
    sweep: str = "white",
    rim: float = 0.5,
    fill: float = 0.35,
    flags: bool = False,
) -> None:
    """Paper sweep lit by a big soft box, a fill, a strip from behind; `flags` adds black cards."""
    colour, rough, ambient = SWEEPS[sweep]
    _sweep(size, mats.flat("sweep", colour, rough))
    world(
        "#8a8a88" if sweep != "dark" else "#060607",
        "#9a9a98" if sweep != "dark" else "#141416",
        "#d8d8d6" if sweep != "dark" else "#202124",
        ambient,
    )
    aim = (0, 0, height * 0.45)
    s = size
    soft_box("key", aim, key.azimuth, key.elevation, 2.6 * s, (1.7 * s * key.spread, 1.9 * s * key.spread), key.level)
    side = -math.copysign(1, key.azimuth)
    soft_box("fill", aim, side * 68, 22, 3.2 * s, (1.5 * s, 2.4 * s), fill * key.level, COOL)
    soft_box("rim", aim, side * 150, 38, 2.8 * s, (0.6 * s, 2.0 * s), rim * key.level)
    soft_box("top", aim, 180, 72, 3.0 * s, (2.6 * s, 1.4 * s), 0.45 * key.level)
    if sweep != "dark":
        soft_box("backdrop", (0, 3.2 * s, 1.6 * s), 0, 62, 3.2 * s, (5 * s, 1.2 * s), 0.55 * key.level)
    if flags:
        _flags(s, height)


def _sweep(s: float, material) -> None:
    """Floor that curves up into a wall behind a product of size s."""
    line = geo.fillet([(-14 * s, 0), (4.2 * s, 0, 2.6 * s), (4.2 * s, 14 * s)], 24)
    verts = [(x, y, z) for y, z in line for x in (-16 * s, 16 * s)]
    faces = [(2 * i, 2 * i + 1, 2 * i + 3, 2 * i + 2) for i in range(len(line) - 1)]
    geo.mesh_object("sweep", verts, faces, material)


def _flags(s: float, height: float) -> None:
    """Black cards left and right, out of frame, that draw dark edges in glass and steel."""
    black = mats.flat("flag", "#050505", 0.9)
    for x in (-1, 1):
        card = geo.box("flag", (0.04 * s, 0.55 * s, 2.0 * height), black, 0)
        geo.place(card, (x * 0.8 * s, 0.3 * s, 0), (0, 0, x * 20))
        card.visible_camera = False
        card.visible_shadow = False
        card.visible_diffuse = False


# --- things that stand about --------------------------------------------------------------------


def boards(
    tones,
    x: float,
    y0: float,
    y1: float,
    width: float,
    axis: str = "x",
    top: float = 0.0,
    rough: float = 0.42,
    seed: int = 1,
) -> None:
    """Wooden boards covering |x| and y0..y1, their upper face at z = top."""
    rng = random.Random(seed)
    timber = mats.wood(f"boards{seed}", tones, rough, axis=axis, scale=0.8)
    low, high = (y0, y1) if axis == "x" else (-x, x)
    at = low
    while at < high:
        size = (2 * x, width - 0.08, 2.5) if axis == "x" else (width - 0.08, y1 - y0, 2.5)
        spot = (0, at + width / 2, top - 2.5) if axis == "x" else (at + width / 2, (y0 + y1) / 2, top - 2.5)
        plank = geo.box(f"board{seed}_{int(at * 10)}", size, timber, 0.12, 3, spot)
        plank.location.z += rng.uniform(-0.02, 0.0)
        at += width


def wall(y: float, colour: str, rough: float = 0.7, skirting: str | None = None, low: float = -90) -> None:
    """Painted wall facing the camera."""
    paint = mats.plain("wall", colour, rough, spread=0.03, grain=0.02, grain_scale=1.5)
    geo.box("wall", (900, 10, 500), paint, 0, location=(0, y + 5, low))
    if skirting:
        geo.box("skirting", (900, 2, 11), mats.plain("skirting", skirting, 0.4), 0.4, location=(0, y - 1, low))


def tiles(y: float, colour: str, grout: str, low: float = -20) -> None:
    """Wall of glazed metro tiles, 15 x 7.5 cm."""
    glaze = [
        mats.plain(f"tile{k}", colour, 0.14, spread=0.05 + 0.03 * k, grain=0.01, grain_scale=0.4) for k in range(3)
    ]
    geo.box("grout", (360, 4, 150), mats.plain("grout", grout, 0.9), 0, location=(0, y + 2.6, low))
    rng = random.Random(8)
    base = []
    for g in glaze:
        pattern = geo.apply(geo.box("tile", (14.7, 1.0, 7.2), g, 0.18, 3))
        base.append(pattern.data)
        bpy.data.objects.remove(pattern)
    for row in range(17):
        for col in range(-9, 10):
            tile = geo.link(bpy.data.objects.new("tile", rng.choice(base)))
            geo.place(
                tile,
                (15 * col + 7.5 * (row % 2), y, low + 7.5 * row),
                (rng.uniform(-0.5, 0.5), rng.uniform(-0.3, 0.3), rng.uniform(-0.5, 0.5)),
            )


def books(x: float, y: float, z: float, count: int, seed: int, upright: bool = True, yaw: float = 0) -> None:
    """Row or stack of cloth-bound books."""
    rng = random.Random(seed)
    palette = ["#7d2f2a", "#26405c", "#c9b27c", "#385542", "#d8d2c4", "#403a3f", "#b5652f", "#8fa3a8", "#5a4668"]
    paper = mats.plain("pages", "#e8dfc8", 0.9)
    at = 0.0
    for k in range(count):
        thick, tall, deep = rng.uniform(1.8, 4.4), rng.uniform(19, 26), rng.uniform(14, 17)
        cloth = mats.plain("cover", rng.choice(palette), 0.7, grain=0.02, grain_scale=10)
        if upright:
            tilt = rng.uniform(-1, 1) if k < count - 1 else -9
            spot = (x + at + thick / 2, y, z)
            geo.box("book", (thick, deep, tall), cloth, 0.25, location=spot, rotation=(0, tilt, yaw))
            geo.box(
                "title", (thick * 0.7, 0.1, tall * 0.12), paper, 0, location=(spot[0], y - deep / 2, z + tall * 0.7)
            )
        else:
            turn = yaw + rng.uniform(-9, 9)
            geo.box("book", (tall, deep, thick), cloth, 0.25, location=(x, y, z + at), rotation=(0, 0, turn))
            geo.box(
                "leaves",
                (tall - 0.6, deep - 0.2, thick - 0.7),
                paper,
                0.05,
                location=(x + 0.4, y - 0.25, z + at + 0.35),
                rotation=(0, 0, turn),
            )
        at += thick + 0.1


def plant(x: float, y: float, z: float, height: float, seed: int, pot: str = "#b5694a", leaf: str = "#3f6b34") -> None:
    """Leafy plant in a pot."""
    rng = random.Random(seed)
    r = height * 0.2
    clay = mats.plain("pot", pot, 0.75, grain=0.02, grain_scale=5)
    pot_ = geo.lathe(
        "pot",
        geo.fillet(
            [
                (0, 0),
                (r * 0.72, 0, 0.3),
                (r * 0.95, height * 0.26, 0.2),
                (r * 1.05, height * 0.27, 0.2),
                (r * 1.05, height * 0.34, 0.2),
                (r * 0.9, height * 0.34),
                (r * 0.85, height * 0.3),
                (0, height * 0.3),
            ]
        ),
        clay,
        48,
    )
    geo.place(pot_, (x, y, z))
    greens = [mats.plain(f"leaf{k}", c, 0.38, subsurface=0.1) for k, c in enumerate((leaf, "#5d8a45", "#2f5530"))]
    stem = mats.plain("stem", "#5a6b3a", 0.7)
    blade = [_leaf_mesh(g, height * 0.3) for g in greens]
    for _k in range(26):
        yaw, lean = rng.uniform(0, 360), rng.uniform(8, 62)
        reach = height * rng.uniform(0.3, 0.62)
        tip = Vector((x, y, z + height * 0.3)) + geo.turn(geo.turn((0, 0, reach), (1, 0, 0), lean), (0, 0, 1), yaw)
        geo.between("stem", (x, y, z + height * 0.28), tip, 0.012 * height, stem, 4, segments=6)
        part = geo.link(bpy.data.objects.new("leaf", rng.choice(blade)))
        geo.place(part, tip, (lean + rng.uniform(20, 70), rng.uniform(-20, 20), yaw + 180), rng.uniform(0.7, 1.2))


def _leaf_mesh(material, length: float) -> bpy.types.Mesh:
    """Folded pointed leaf along +Z, as a mesh to be used many times."""

    def at(u: float, v: float):
        half = 0.24 * length * math.sin(math.pi * v**0.75)
        x = (2 * u - 1) * half
        return (x, 0.25 * abs(x) - 0.25 * length * v * v, length * v)

    obj = geo.grid("leaf", at, 6, 10, material)
    mesh = obj.data
    bpy.data.objects.remove(obj)
    return mesh


def bowl_of_fruit(x: float, y: float, z: float, seed: int, colours=("#d98a1f", "#e0b43a", "#b9432b")) -> None:
    """Stoneware bowl with a heap of round fruit."""
    rng = random.Random(seed)
    dish = mats.plain("dish", "#d9d4c8", 0.35, grain=0.01)
    bowl = geo.lathe(
        "bowl",
        geo.fillet(
            [
                (0, 0.4),
                (4, 0, 0.4),
                (6, 1, 1),
                (11, 6.5, 2),
                (12, 9, 0.2),
                (11.6, 9, 0.2),
                (10, 5.5, 2),
                (5, 1.8, 1),
                (0, 1.6),
            ]
        ),
        dish,
        64,
    )
    geo.place(bowl, (x, y, z))
    spots = (
        [(0, 0, 8.5)]
        + [(5.2 * math.cos(a), 5.2 * math.sin(a), 6.8) for a in (0.3, 1.6, 2.9, 4.1, 5.3)]
        + [(1.5, 1, 13)]
    )
    for k, (fx, fy, fz) in enumerate(spots):
        skin = mats.plain("fruit", colours[k % len(colours)], 0.42, grain=0.03, grain_scale=7, subsurface=0.05)
        fruit = geo.lathe("fruit", geo.spline([(0, -3.4), (2.2, -2.9), (3.6, 0), (2.5, 2.6), (0, 3.0)], 8), skin, 32)
        geo.place(fruit, (x + fx, y + fy, z + fz), (rng.uniform(-40, 40), rng.uniform(-40, 40), 0))


def jar(x: float, y: float, z: float, height: float, radius: float, content: str, lid: str = "#b08a5a") -> None:
    """Storage jar with something in it and a wooden lid."""
    stuff = mats.plain("content", content, 0.35, coat=0.8, grain=0.06, grain_scale=3, spread=0.2)
    body = geo.lathe(
        "jar",
        geo.fillet([(0, 0), (radius, 0, 0.6), (radius, height, 0.6), (radius * 0.8, height), (0, height)]),
        stuff,
        48,
    )
    cap = geo.lathe(
        "lid",
        geo.fillet([(0, height), (radius * 1.02, height, 0.2), (radius * 1.02, height + 2, 0.3), (0, height + 2)]),
        mats.plain("lid", lid, 0.5),
        48,
    )
    for part in (body, cap):
        geo.place(part, (x, y, z))


def bottle_prop(x: float, y: float, z: float, height: float, colour: str) -> None:
    """Plain tinted bottle for the background."""
    r = height * 0.13
    tint = mats.plain("bottle_prop", colour, 0.08, coat=1.0)
    obj = geo.lathe(
        "bottle_prop",
        geo.fillet(
            [
                (0, 0),
                (r, 0, 0.6),
                (r, height * 0.6, 2),
                (r * 0.35, height * 0.75, 1.5),
                (r * 0.35, height, 0.2),
                (0, height),
            ]
        ),
        tint,
        40,
    )
    geo.place(obj, (x, y, z))


def cup_prop(x: float, y: float, z: float, colour: str) -> None:
    """Coffee cup on a saucer."""
    glaze = mats.plain("cup", colour, 0.2, coat=0.4)
    cup = geo.lathe(
        "cup",
        geo.fillet([(0, 1), (2, 1, 0.4), (3.6, 3, 2), (4.1, 7.4, 0.1), (3.8, 7.4, 0.1), (3.3, 3, 1.5), (0, 1.8)]),
        glaze,
        48,
    )
    dish = geo.lathe(
        "saucer",
        geo.fillet([(0, 0.2), (4, 0.2, 0.3), (7.2, 1.5, 0.1), (7.1, 1.7, 0.1), (4, 0.7, 0.5), (0, 0.7)]),
        glaze,
        64,
    )
    coffee = geo.lathe("coffee", [(0, 6.6), (3.85, 6.6)], mats.plain("coffee", "#2a1509", 0.1), 40)
    for part in (cup, dish, coffee):
        geo.place(part, (x, y, z))


def picture(x: float, y: float, z: float, w: float, h: float, colour: str, frame: str = "#2b221b") -> None:
    """Framed print hanging on a wall at y."""
    timber = mats.plain("frame", frame, 0.4)
    geo.box("frame", (w, 2, h), timber, 0.3, location=(x, y - 1, z))
    geo.box("mount", (w - 4, 1, h - 4), mats.plain("mount", "#efece4", 0.8), 0, location=(x, y - 1.7, z + 2))
    geo.box(
        "print",
        (w * 0.55, 1, h * 0.6),
        mats.plain("print", colour, 0.6, spread=0.4),
        0,
        location=(x, y - 1.9, z + h * 0.2),
    )


def cutting_board(x: float, y: float, z: float, tilt: float = -14) -> None:
    """Round-cornered board leaning backwards."""
    timber = mats.wood("chopping", ("#5f3a20", "#96653a", "#bb8b58"), 0.5, axis="z")
    geo.box("chopping", (24, 2.2, 36), timber, 1.0, location=(x, y, z), rotation=(tilt, 0, 3))


def light_bulbs(y: float, z: float, seed: int, count: int = 26, width: float = 160, colour="#ffca80") -> None:
    """Small lamps far behind that blur into discs."""
    rng = random.Random(seed)
    for k in range(count):
        hot = mats.glow("bulb", colour if k % 4 else "#fff0d8", rng.uniform(4, 14))
        ball = geo.lathe("bulb", geo.spline([(0, -1), (0.9, 0), (0, 1)], 6), hot, 16)
        geo.place(
            ball,
            (rng.uniform(-width, width), y + rng.uniform(-60, 60), z + rng.uniform(-30, 70)),
            (0, 0, 0),
            rng.uniform(0.8, 2.2),
        )


def window_panes(
    target, azimuth: float, elevation: float, distance: float, level: float, colour=COOL, pane=(46, 62)
) -> None:
    """Key light: a window of 2 x 3 panes."""
    across = direction(azimuth + 90, 0)
    centre = Vector(target) + direction(azimuth, elevation) * distance
    for i in (-0.5, 0.5):
        for j in (-1, 0, 1):
            spot = centre + across * i * (pane[0] + 7) + Vector((0, 0, j * (pane[1] + 7)))
            lamp = soft_box("pane", target, 0, 0, 1, pane, level / 6, colour, reach=distance)
            lamp.location = spot
            geo.aim(lamp, spot - direction(azimuth, elevation * 0.5))


def window_bars(azimuth: float, elevation: float, distance: float, gap: float, leaves: int, seed: int) -> None:
    """Glazing bars and twigs that cast shadows in sunlight; unseen by the camera."""
    dark = mats.flat("bars", "#222222", 0.9)
    rng, parts = random.Random(seed), []
    for k in range(-4, 5):
        parts.append(geo.box("bar", (0.12 * gap, 1, 9 * gap), dark, 0, location=(k * gap, 0, -4.5 * gap)))
        parts.append(geo.box("bar", (9 * gap, 1, 0.12 * gap), dark, 0, location=(0, 0, k * gap * 1.4)))
    blade = _leaf_mesh(dark, 0.35 * gap)
    for _ in range(leaves):
        part = geo.link(bpy.data.objects.new("twig", blade))
        parts.append(
            geo.place(
                part, (rng.uniform(-2.5, 2.5) * gap, 1, rng.uniform(-1.5, 2.5) * gap), (0, rng.uniform(0, 360), 0)
            )
        )
    frame = geo.link(bpy.data.objects.new("bars", None))
    for part in parts:
        part.parent = frame
        part.visible_camera = part.visible_glossy = part.visible_diffuse = part.visible_transmission = False
    frame.location = direction(azimuth, elevation) * distance
    frame.rotation_euler = direction(azimuth, elevation).to_track_quat("Y", "Z").to_euler()


def curtain(x: float, y: float, z: float, width: float, height: float, colour: str) -> None:
    """Hanging cloth in folds."""
    cloth = mats.woven("curtain", colour, 3.0, depth=0.03)
    wob = geo.smooth_noise(4)
    geo.grid(
        "curtain",
        lambda u, v: (
            x + (u - 0.5) * width,
            y + 3.2 * math.sin(u * 46 + wob(u * 6)) * (1 - 0.4 * v) + 1.2 * wob(u * 9 + v * 2),
            z + height * v,
        ),
        260,
        20,
        cloth,
        (width, height),
    )


def cardboard(x: float, y: float, z: float, size, yaw: float, tone: str = "#b58a5b") -> None:
    """Shipping box with a strip of tape."""
    kraft = mats.plain("kraft", tone, 0.8, grain=0.01, grain_scale=8, spread=0.07)
    geo.box("box", size, kraft, 0.4, location=(x, y, z), rotation=(0, 0, yaw))
    tape = mats.plain("tape", "#c9a268", 0.25)
    geo.box("tape", (5, size[1] + 0.1, size[2] + 0.1), tape, 0.3, location=(x, y, z), rotation=(0, 0, yaw))


# --- busy settings ------------------------------------------------------------------------------

OAK = ("#8a6238", "#b58a56", "#d3ac78")
WALNUT = ("#2f1d12", "#523520", "#7a5335")
PINE = ("#b98a4e", "#d3aa6c", "#e5c690")
GREYED = ("#5b544c", "#7d746a", "#a0978b")


def kitchen(key: Key, table=OAK, wall_colour="#dfe3dc", herb: bool = True) -> None:
    """Kitchen table in front of a tiled wall."""
    boards(table, 120, -110, 42, 13, seed=3)
    geo.box(
        "worktop", (300, 60, 4), mats.plain("stone", "#9d9a94", 0.3, spread=0.2, grain=0.01), 0.5, location=(0, 92, 2)
    )
    geo.box("front", (300, 4, 80), mats.plain("cabinet", "#3f5560", 0.45), 0.4, location=(0, 64, -78))
    tiles(118, wall_colour, "#b9b4aa", low=4)
    cutting_board(30, 108, 6)
    for x, h, r, c in (
        (-46, 16, 5, "#c79b56"),
        (-34, 21, 5.5, "#7a3b22"),
        (-59, 12, 5, "#e3d9bd"),
        (58, 19, 6, "#3a2a1e"),
    ):
        jar(x, 96, 6, h, r, c)
    bottle_prop(12, 100, 6, 31, "#27331a")
    bowl_of_fruit(24, 28, 0, 5)
    cup_prop(-27, 24, 0, "#e6e2d8")
    if herb:
        plant(-16, 92, 6, 34, 9)
    world("#3a2f26", "#8e8a82", "#c9c9c6", 0.55)
    window_panes((0, 0, 10), key.azimuth, key.elevation, 150, key.level)
    soft_box("lamp", (0, 0, 10), -key.azimuth, 55, 170, (40, 40), 0.22 * key.level, WARM)
    soft_box("wallwash", (0, 110, 30), key.azimuth * 0.6, 50, 120, (80, 40), 0.3 * key.level)


def study(key: Key, desk=WALNUT, paint="#4d6264", near: float = 0.0) -> None:
    """Desk with books and a painted wall; `near` moves its things inwards (cm)."""
    boards(desk, 110, -110, 62, 17, seed=6, rough=0.36)
    wall(96, paint)
    books(-52 + near, 44, 0, 9, 4)
    books(34 - near, 34, 0, 4, 11, standing=False, yaw=14)
    plant(47 - near, 52, 0, 52, 2, pot="#d9d2c4")
    picture(10, 96, 26, 40, 52, "#b98a4e")
    cup_prop(30 - near, 18, 0, "#274a5c")
    jar(near - 14, 50, 0, 11, 4.4, "#38302b", "#38302b")
    world("#2c241e", "#7b766e", "#aeb4b8", 0.5)
    window_panes((0, 0, 10), key.azimuth, key.elevation, 160, key.level)
    sun(key.azimuth, key.elevation + 6, 0.55 * key.level)
    window_bars(key.azimuth, key.elevation + 6, 130, 26, 26, 3)


def cafe(key: Key, table=WALNUT, near: float = 0.0) -> None:
    """Dark cafe table, lamps far behind; `near` moves its things inwards (cm)."""
    boards(table, 70, -100, 34, 11, seed=9, rough=0.3)
    wall(330, "#3b2e28")
    light_bulbs(280, 40, 12, count=60, width=110)
    for x, y, c in ((-70, 170, "#7a3b22"), (64, 190, "#32463f"), (5, 240, "#8a6a45"), (-130, 230, "#455663")):
        geo.box("seat", (46, 30, 90), mats.plain("seat", c, 0.7), 6, location=(x, y, -60))
    bottle_prop(22 - near, 26, 0, 30, "#4a2412")
    bottle_prop(29 - near, 22, 0, 24, "#b9b08a")
    bowl_of_fruit(near - 27, 24, 0, 2, ("#c9b52e", "#7d9a2f", "#d9cf58"))
    world("#1c1512", "#4a3a30", "#6a5a4c", 0.4)
    window_panes((0, 0, 12), key.azimuth, key.elevation, 150, key.level, NEUTRAL)
    soft_box("pendant", (0, 0, 10), 170, 62, 140, (22, 22), 0.7 * key.level, WARM)
    soft_box("room", (0, 200, 0), 40, 50, 200, (100, 100), 0.5 * key.level, WARM)


def hallway(key: Key, floor=OAK, paint="#c9c2b4", back: float = 120, rug: str | None = "#8a8f94") -> None:
    """Parquet floor, wall with skirting, a bench of belongings."""
    boards(floor, 330, -420, back, 15, axis="y", seed=12, rough=0.4)
    wall(back, paint, skirting="#e9e6df", low=0)
    if rug:
        woven = mats.woven("rug", rug, 1.2, second="#c9c4b8", depth=0.15, kind="Object")
        geo.box("rug", (170, 110, 1.0), woven, 0.4, location=(-60, back - 75, 0), rotation=(0, 0, 4))
    plant(78, back - 28, 0, 120, 21, pot="#6f7775")
    picture(-64, back, 96, 60, 80, "#7d8fa0")
    geo.box(
        "basket",
        (44, 34, 34),
        mats.woven("basket", "#a9824f", 0.9, second="#c9a26b", depth=0.4, kind="Object"),
        3,
        location=(-104, back - 30, 0),
        rotation=(0, 0, 10),
    )
    cardboard(118, back - 26, 0, (40, 30, 28), 8)
    world("#4a4036", "#8f8b84", "#c4c6c8", 0.5)
    window_panes((0, 0, 40), key.azimuth, key.elevation, 260, key.level, COOL, pane=(80, 105))
    sun(key.azimuth, key.elevation + 4, 0.5 * key.level)
    window_bars(key.azimuth, key.elevation + 4, 240, 52, 10, 6)


def bench(key: Key, paint="#7d8c86") -> None:
    """Low wooden bench in a hall: shoes, scarf and umbrella behind."""
    boards(PINE, 120, -90, 70, 20, seed=14, rough=0.45)
    wall(74, paint, low=-60)
    books(44, 20, 0, 3, 5, standing=False, yaw=-12)
    curtain(-62, 60, -40, 50, 150, "#b56a4a")
    geo.box(
        "basket",
        (30, 24, 24),
        mats.woven("basket", "#8a6a3f", 0.9, second="#c9a26b", depth=0.4, kind="Object"),
        3,
        location=(30, 50, 0),
        rotation=(0, 0, -12),
    )
    jar(-34, 24, 0, 22, 7, "#55636a", "#55636a")
    plant(62, 56, 0, 70, 31, pot="#c9bba0")
    picture(-4, 74, 34, 36, 46, "#c9a24f")
    world("#3f352c", "#8d8880", "#bcc3c8", 0.5)
    window_panes((0, 0, 10), key.azimuth, key.elevation, 170, key.level)
    sun(key.azimuth, key.elevation + 5, 0.5 * key.level)
    window_bars(key.azimuth, key.elevation + 5, 140, 30, 18, 8)


def terrace(key: Key) -> None:
    """Weathered table outdoors, greenery and sky behind."""
    boards(GREYED, 90, -110, 36, 10, seed=17, rough=0.6)
    for k, (x, y, h) in enumerate(
        ((-70, 120, 120), (-22, 150, 150), (36, 130, 110), (88, 150, 160), (130, 120, 120), (-120, 140, 140))
    ):
        plant(x, y, -70, h * 1.35, 40 + k, leaf="#4f7a36")
    geo.box("lawn", (1200, 1200, 2), mats.plain("lawn", "#5f7a3a", 0.9, spread=0.3), 0, location=(0, 300, -75))
    geo.box("fence", (900, 4, 120), mats.wood("fence", GREYED, 0.7, axis="z", scale=0.4), 0, location=(0, 240, -75))
    cup_prop(24, 16, 0, "#c9d3d6")
    books(-34, 22, 0, 3, 15, standing=False, yaw=20)
    world("#5a6a3a", "#cfd8dc", "#9cc0ec", 0.85)
    sun(key.azimuth, key.elevation, 1.1 * key.level, blur=1.2)
    window_bars(key.azimuth, key.elevation, 160, 60, 26, 5)


def stockroom(key: Key) -> None:
    """Packing bench with boxes and shelving behind."""
    geo.box(
        "bench",
        (260, 170, 4),
        mats.plain("ply", "#c4a272", 0.55, spread=0.12, grain=0.01, grain_scale=4),
        0.4,
        location=(0, -30, -4),
    )
    wall(190, "#a9adae", low=-90)
    steel = mats.plain("rack", "#3b5a86", 0.4)
    for x in (-120, -30, 60, 150):
        geo.box("post", (5, 5, 300), steel, 0.5, location=(x, 130, -90))
    for z in (-20, 38, 96):
        geo.box("shelf", (330, 50, 4), mats.plain("shelf", "#8d8f90", 0.5), 0.4, location=(0, 150, z))
        rng = random.Random(int(z) + 50)
        x = -140.0
        while x < 140:
            w, h = rng.uniform(24, 44), rng.uniform(18, 40)
            cardboard(
                x + w / 2,
                150,
                z + 4,
                (w, 36, h),
                rng.uniform(-5, 5),
                rng.choice(("#b58a5b", "#a67a4c", "#c79f70", "#d9d6cf")),
            )
            x += w + rng.uniform(1, 9)
    cardboard(38, 32, 0, (34, 26, 20), 22)
    cardboard(-40, 40, 0, (26, 22, 30), -14, "#a67a4c")
    roll = geo.lathe(
        "roll", geo.fillet([(2.6, 0), (5.5, 0, 0.3), (5.5, 5, 0.3), (2.6, 5)]), mats.plain("roll", "#c9a268", 0.3), 64
    )
    geo.place(roll, (27, 6, 0))
    world("#3c3a38", "#7d8082", "#c9ccce", 0.5)
    for x in (-60, 40):
        tube = soft_box("tube", (0, 0, 0), 0, 0, 1, (150, 12), 0.42 * key.level, COOL, reach=150)
        tube.location = (x, 20, 170)
        geo.aim(tube, (0, 10, 0))
    soft_box("key", (0, 0, 10), key.azimuth, key.elevation, 150, (60, 90), 0.75 * key.level)
    soft_box("back", (0, 150, 40), -20, 40, 150, (90, 60), 0.5 * key.level)


def sofa(key: Key, cloth="#6d7a80", paint="#d6cfc2") -> None:
    """Sofa with a throw; the product leans against its back."""
    fabric = mats.woven("sofa", cloth, 2.6, second="#7d8a90", depth=0.09, kind="Object")
    geo.box("seat", (190, 86, 18), fabric, 5, 8, (0, 12, -18))
    geo.box("back", (190, 24, 49), fabric, 7, 8, (0, 33, -6), (-10, 0, 0))
    for x in (-104, 104):
        geo.box("arm", (22, 92, 46), fabric, 7, 8, (x, 10, -20))
    throw = mats.woven("throw", "#a9583f", 1.6, second="#c4785a", depth=0.12)
    wob = geo.smooth_noise(11)
    geo.grid(
        "throw",
        lambda u, v: (
            32 + 34 * u + 2 * wob(v * 2),
            -40 + 54 * v,
            1.8 + 0.7 * wob(u * 2 + v) + 0.5 * math.sin(u * 19 + 2 * wob(v)),
        ),
        120,
        80,
        throw,
        (34, 60),
    )
    wall(130, paint, low=-60)
    picture(-50, 130, 54, 54, 70, "#a06a4a")
    plant(96, 96, -40, 130, 51, pot="#d9d2c4")
    curtain(-140, 110, -60, 80, 260, "#cfc6b4")
    books(-62, -6, 0, 3, 19, standing=False, yaw=18)
    world("#3f372f", "#8d877e", "#c0c2c2", 0.5)
    window_panes((0, 0, 20), key.azimuth, key.elevation, 210, key.level, COOL, pane=(60, 80))
    sun(key.azimuth, key.elevation + 4, 0.45 * key.level)
    window_bars(key.azimuth, key.elevation + 4, 190, 40, 14, 2)


BUSY = {
    "kitchen": kitchen,
    "study": study,
    "cafe": cafe,
    "hallway": hallway,
    "bench": bench,
    "terrace": terrace,
    "stockroom": stockroom,
    "sofa": sofa,
}
