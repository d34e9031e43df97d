"""Things that stand about in the scenes. Lengths are in centimetres."""

from __future__ import annotations

import math
import random

import bpy
import geometry as geo
import materials as mats
import surfaces
from mathutils import Vector


def leaf(length: float, width: float, material, fold: float = 0.25, droop: float = 0.3) -> bpy.types.Mesh:
    """Pointed leaf along +Z, folded about its middle, hanging forward; a mesh to be used many times."""

    def at(u: float, v: float):
        x = (2 * u - 1) * width / 2 * math.sin(math.pi * min(1.0, v + 0.02) ** 0.8)
        return (x, fold * abs(x) - droop * length * v * v, length * v)

    obj = geo.grid("leaf", at, 6, 12, material)
    mesh = obj.data
    bpy.data.objects.remove(obj)
    return mesh


def greens(tone: str, count: int = 3) -> list[bpy.types.Material]:
    """Leaf materials around a tone; light comes through them a little."""
    made = []
    for k in range(count):
        material, g = mats.new(f"green{k}")
        colour = surfaces.scaled(tone, 0.75 + 0.3 * k)
        g.set(
            g.bsdf.inputs["Base Color"], g.mix(g.noise(g.coords(), 0.4), surfaces.scaled(tone, 0.65 + 0.3 * k), colour)
        )
        g.set(g.bsdf.inputs["Roughness"], 0.45)
        through = g.add("ShaderNodeBsdfTranslucent", {"Color": colour})
        both = g.add("ShaderNodeMixShader", {0: 0.3, 1: g.bsdf.outputs[0], 2: through.outputs[0]})
        g.set(g.output.inputs["Surface"], both.outputs[0])
        made.append(material)
    return made


def branch(
    start,
    end,
    bend: float,
    leaves: int,
    length: float,
    materials,
    seed: int,
    width: float = 0.4,
    stem: str = "#6b5a3f",
    thick: float = 0.16,
) -> None:
    """A twig from start to end, bent upwards, with leaves along its outer two thirds."""
    rng = random.Random(seed)
    a, b = Vector(start), Vector(end)
    middle = a.lerp(b, 0.5) + Vector((rng.uniform(-0.3, 0.3) * bend, rng.uniform(-0.3, 0.3) * bend, bend))
    line = geo.spline([a, middle, b], 12)
    geo.tube("twig", line, lambda t: thick * (1.1 - 0.8 * t), mats.plain("twig", stem, 0.8), 6)
    blades = [leaf(length, length * width, material) for material in materials]
    for k in range(leaves):
        t = 0.25 + 0.75 * k / max(1, leaves - 1)
        here = line[min(len(line) - 1, int(t * (len(line) - 1)))]
        blade = geo.link(bpy.data.objects.new("leaf", rng.choice(blades)))
        along = (b - a).normalized()
        side = geo.turn(
            along, geo.turn((0, 0, 1), along, rng.uniform(-70, 70)), rng.choice((-1, 1)) * rng.uniform(35, 70)
        )
        side = (side + Vector((0, 0, rng.uniform(-0.15, 0.35)))).normalized()
        blade.location = here
        blade.rotation_euler = side.to_track_quat("Z", "Y").to_euler()
        blade.rotation_euler.rotate_axis("Z", rng.uniform(-0.9, 0.9))
        blade.scale = (rng.uniform(0.7, 1.15),) * 3


def bouquet(
    x: float,
    y: float,
    z: float,
    height: float,
    spread: float,
    twigs: int,
    seed: int,
    tone: str = "#6f7f5f",
    length: float = 4.5,
    width: float = 0.4,
    leaves: int = 13,
    stem: str = "#6b5a3f",
) -> None:
    """Twigs that fan out of a vase's mouth."""
    rng = random.Random(seed)
    materials = greens(tone)
    for k in range(twigs):
        angle = 2 * math.pi * (k + rng.uniform(-0.3, 0.3)) / twigs
        reach = spread * rng.uniform(0.45, 1.0)
        tip = (x + reach * math.cos(angle), y + reach * 0.7 * math.sin(angle), z + height * rng.uniform(0.7, 1.0))
        branch((x, y, z - 2), tip, height * 0.12, leaves, length, materials, seed * 31 + k, width, stem)


def turned(name: str, profile, material, location, segments: int = 96) -> bpy.types.Object:
    """Turned thing from (radius, height[, corner radius]) points."""
    return geo.place(geo.lathe(name, geo.fillet(profile), material, segments), location)


def vase(x: float, y: float, z: float, height: float, radius: float, material) -> None:
    """Full-bodied vase with a narrow neck."""
    r, h = radius, height
    line = geo.spline(
        [
            (r * 0.55, 0),
            (r * 0.95, h * 0.22),
            (r, h * 0.42),
            (r * 0.72, h * 0.68),
            (r * 0.36, h * 0.84),
            (r * 0.34, h * 0.94),
            (r * 0.42, h),
        ],
        8,
    )
    inside = [(r * 0.36, h), (r * 0.28, h * 0.92), (r * 0.28, h * 0.8), (0, h * 0.78)]
    geo.place(geo.lathe("vase", [(0, 0), *[tuple(p) for p in line], *inside], material, 96), (x, y, z))


def bowl(x: float, y: float, z: float, radius: float, height: float, material) -> None:
    """Open bowl on a small foot."""
    r, h = radius, height
    turned(
        "bowl",
        [
            (0, h * 0.06),
            (r * 0.36, 0, 0.2),
            (r * 0.42, h * 0.08, 0.2),
            (r * 0.8, h * 0.4, r * 0.3),
            (r, h, 0.1),
            (r * 0.95, h, 0.1),
            (r * 0.74, h * 0.44, r * 0.3),
            (r * 0.3, h * 0.16, 1),
            (0, h * 0.14),
        ],
        material,
        (x, y, z),
    )


def cup(x: float, y: float, z: float, radius: float, height: float, material) -> None:
    """Straight cup without a handle."""
    r, h = radius, height
    turned(
        "cup",
        [(0, 0), (r * 0.9, 0, 0.5), (r, h, 0.12), (r - 0.35, h, 0.12), (r * 0.88 - 0.3, 0.8, 0.5), (0, 0.7)],
        material,
        (x, y, z),
    )


def lemon(x: float, y: float, z: float, yaw: float, tone: str = "#e8b92e") -> None:
    """A lemon that lies on its side."""
    peel = mats.plain("peel", tone, 0.42, spread=0.06, grain=0.05, grain_scale=5, subsurface=0.08)
    line = geo.spline(
        [(0, -4.3), (0.55, -4.0), (1.1, -3.5), (2.5, -2.0), (2.85, 0.2), (2.3, 2.2), (1.0, 3.4), (0.6, 3.8), (0, 4.1)],
        7,
    )
    geo.place(geo.lathe("lemon", [tuple(p) for p in line], peel, 48), (x, y, z + 2.8), (90, 0, yaw))


def spoons(x: float, y: float, z: float, height: float, count: int, seed: int) -> None:
    """Wooden spoons that stand in a jar."""
    rng = random.Random(seed)
    for k in range(count):
        timber = mats.wood(f"spoon{k}", ("#7a5230", "#a87845", "#c99b64"), 0.55, axis="z", scale=2)
        lean, yaw = rng.uniform(4, 14), 360 * k / count + rng.uniform(-20, 20)
        handle = geo.between("spoon", (0, 0, 0), (0, 0, height * 0.8), 0.5, timber, 6, segments=10)
        head = geo.tube(
            "spoon",
            [(0, 0, height * t) for t in (0.78, 0.84, 0.9, 0.96, 1.0)],
            lambda t: 0.6 + 1.5 * math.sin(math.pi * min(1, t * 0.9 + 0.05)),
            timber,
            16,
            flat=0.3,
        )
        for part in (handle, head):
            geo.place(part, (x, y, z), (lean, 0, yaw))


def tile_wall(
    y: float,
    low: float,
    size: tuple[float, float],
    rows: int,
    columns: int,
    colour: str,
    grout: str,
    rough: float = 0.16,
    offset: float = 0.0,
    seed: int = 8,
    uneven: float = 0.5,
) -> None:
    """Hand-made glazed tiles, `size` (width, height) cm, each a little out of true."""
    rng = random.Random(seed)
    meshes = []
    for k in range(4):
        glaze = mats.plain(f"tile{k}", colour, rough, spread=0.05 + 0.02 * k, grain=0.012, grain_scale=0.5)
        pattern = geo.apply(geo.box("pattern", (size[0] - 0.3, 0.9, size[1] - 0.3), glaze, 0.16, 3))
        meshes.append(pattern.data)
        bpy.data.objects.remove(pattern)
    geo.box(
        "grout",
        (columns * size[0] + 60, 4, rows * size[1] + 30),
        mats.plain("grout", grout, 0.9),
        0,
        location=(0, y + 2.35, low - 10),
    )
    for row in range(rows):
        for column in range(columns):
            tile = geo.link(bpy.data.objects.new("tile", rng.choice(meshes)))
            x = (column - columns / 2 + 0.5) * size[0] + offset * size[0] * (row % 2)
            geo.place(tile, (x, y, low + size[1] * row), [rng.uniform(-uneven, uneven) for _ in range(3)])


def gobo(towards: Vector, distance: float) -> bpy.types.Object:
    """An empty between the main place and the sun; children in its XZ plane cast shadows and are not seen."""
    frame = geo.link(bpy.data.objects.new("gobo", None))
    frame.location = towards * distance
    frame.rotation_euler = towards.to_track_quat("Y", "Z").to_euler()
    return frame


def unseen(obj: bpy.types.Object, frame: bpy.types.Object) -> None:
    """Hang a thing on a gobo: it only casts shadows."""
    obj.parent = frame
    obj.visible_camera = obj.visible_glossy = obj.visible_diffuse = obj.visible_transmission = False


def window_gobo(
    towards: Vector,
    distance: float,
    pane: tuple[float, float],
    columns: int,
    rows: int,
    bar: float,
    shift: tuple[float, float] = (0.0, 0.0),
) -> None:
    """A wall with a window of panes in it, for sunlight to come through; `shift` moves it (across, up)."""
    frame = gobo(towards, distance)
    card = mats.flat("gobo", "#101010", 0.9)
    width, height = columns * (pane[0] + bar) + bar, rows * (pane[1] + bar) + bar
    far = 1500.0
    pieces = [
        ((x, z), (bar, height))
        for x in (shift[0] - width / 2 + bar / 2 + k * (pane[0] + bar) for k in range(columns + 1))
        for z in (shift[1],)
    ]
    pieces += [
        ((shift[0], shift[1] - height / 2 + bar / 2 + k * (pane[1] + bar)), (width, bar)) for k in range(rows + 1)
    ]
    pieces += [
        ((shift[0] - width / 2 - far / 2, shift[1]), (far, 2 * far)),
        ((shift[0] + width / 2 + far / 2, shift[1]), (far, 2 * far)),
        ((shift[0], shift[1] + height / 2 + far / 2), (width, far)),
        ((shift[0], shift[1] - height / 2 - far / 2), (width, far)),
    ]
    for (x, z), (w, h) in pieces:
        unseen(
            geo.mesh_object(
                "gobo",
                [
                    (x - w / 2, 0, z - h / 2),
                    (x + w / 2, 0, z - h / 2),
                    (x + w / 2, 0, z + h / 2),
                    (x - w / 2, 0, z + h / 2),
                ],
                [(0, 1, 2, 3)],
                card,
                smooth=False,
            ),
            frame,
        )


def on_gobo(frame: bpy.types.Object, point) -> Vector:
    """Where on a gobo a thing must be for its shadow to fall on a point."""
    bpy.context.view_layer.update()
    local = frame.matrix_world.inverted() @ Vector(point)
    return Vector((local.x, 0, local.z))


def leaf_gobo(towards: Vector, distance: float, fronds, length: float, width: float, leaves: int = 15) -> None:
    """Palm-like fronds that throw leaf shadows: each from a point of the scene to another."""
    frame = gobo(towards, distance)
    card = mats.flat("gobo", "#101010", 0.9)
    blade = leaf(length, width, card, 0.0, 0.0)
    for start, end in fronds:
        foot, tip = on_gobo(frame, start), on_gobo(frame, end)
        angle = math.degrees(math.atan2((tip - foot).x, (tip - foot).z))
        unseen(geo.tube("frond", [foot.lerp(tip, k / 6) for k in range(7)], 0.02 * length, card, 6), frame)
        for k in range(leaves):
            for side in (-1, 1):
                part = geo.link(bpy.data.objects.new("frond", blade))
                size = 0.45 + 0.75 * math.sin(math.pi * (k + 1.2) / (leaves + 1.5))
                geo.place(
                    part, foot.lerp(tip, (k + 0.5 * (side > 0)) / leaves), (0, angle + side * (62 - 1.9 * k), 0), size
                )
                unseen(part, frame)


def towel_roll(x: float, y: float, z: float, radius: float, length: float, colour: str, yaw: float, seed: int) -> None:
    """Rolled terry towel whose end faces the camera."""
    material, g = mats.new(f"terry{seed}")
    at = g.coords()
    g.set(
        g.bsdf.inputs["Base Color"],
        g.mix(g.noise(at, 5.0), surfaces.scaled(colour, 0.72), surfaces.scaled(colour, 1.05)),
    )
    for name, value in (("Roughness", 1.0), ("Sheen Weight", 0.35), ("Specular IOR Level", 0.1)):
        g.set(g.bsdf.inputs[name], value)
    g.bump(g.noise(at, 6.0, 3.0), 0.12)
    turns, wobble = 4.3, geo.smooth_noise(seed)

    def sheet(u: float, v: float):
        angle = 2 * math.pi * turns * u
        r = radius * (0.12 + 0.88 * u) * (1 + 0.012 * wobble(3 * u + 2 * v)) - 0.1 * radius * max(0.0, u - 0.98) * 50
        return (r * math.cos(angle), (v - 0.5) * length + 0.15 * wobble(9 * u), r * math.sin(angle))

    roll = geo.grid("towel", sheet, 420, 14, material, (60, length))
    geo.modify(roll, "SOLIDIFY", thickness=radius * 0.165, offset=0)
    geo.modify(roll, "BEVEL", width=radius * 0.05, segments=3, limit_method="ANGLE")
    geo.place(roll, (x, y, z + radius * 0.98), (0, 30 * seed, yaw))


def window(
    x: float, y: float, z: float, width: float, height: float, columns: int, rows: int, colour: str, bar: float = 3.0
) -> None:
    """Window frame that faces the camera; its lower left outer corner is at (x, z)."""
    paint = mats.plain("window", colour, 0.4, spread=0.02)
    for k in range(columns + 1):
        wide = bar * (1.8 if k in (0, columns) else 1.0)
        geo.box("window", (wide, 5, height), paint, 0.3, location=(x + width * k / columns, y, z))
    for k in range(rows + 1):
        tall = bar * (1.8 if k in (0, rows) else 1.0)
        geo.box("window", (width, 5, tall), paint, 0.3, location=(x + width / 2, y, z + height * k / rows - tall / 2))


def holed_wall(y: float, low: float, hole: tuple[float, float, float, float], material) -> None:
    """Wall with a rectangular hole (left, bottom, right, top), and the hole's white reveal."""
    left, bottom, right, top = hole
    for x0, x1, z0, z1 in (
        (-700, left, low, 500),
        (right, 700, low, 500),
        (left, right, low, bottom),
        (left, right, top, 500),
    ):
        geo.box("wall", (x1 - x0, 16, z1 - z0), material, 0, location=((x0 + x1) / 2, y + 8, z0))


def garden_view(y: float, low: float, high: float, strength: float, greenery: str, sky: str) -> None:
    """What is seen far behind a window: greenery under a sky, giving its own light."""
    material, g = mats.new("glow_garden")
    at = g.coords()
    up = g.add("ShaderNodeSeparateXYZ", {0: at}).outputs[2]
    clumps = g.noise(at, 0.012, 5.0, 0.6, exact=True)
    edge = g.math("ADD", g.math("SUBTRACT", up, 1000.0), g.math("MULTIPLY", g.math("SUBTRACT", clumps, 0.5), 420.0))
    leafage = g.mix(
        g.span(g.noise(at, 0.03, 4.0, exact=True), 0, 1),
        surfaces.scaled(greenery, 0.45),
        surfaces.scaled(greenery, 1.5),
    )
    tone = g.mix(g.span(edge, 0.0, 1.0, low, high), leafage, mats.linear(sky))
    g.set(g.bsdf.inputs["Base Color"], mats.linear("#000000"))
    g.set(g.bsdf.inputs["Specular IOR Level"], 0.0)
    g.set(g.bsdf.inputs["Emission Color"], tone)
    g.set(g.bsdf.inputs["Emission Strength"], strength)
    material.cycles.emission_sampling = "NONE"
    geo.box("garden", (3000, 1, 2400), material, 0, location=(0, y, -1000))


def pencils(
    x: float, y: float, z: float, count: int, seed: int, tones=("#d9a441", "#3d5a6c", "#b5533c", "#2f2f2f", "#8a9a7b")
) -> None:
    """Pencils that lean in a cup."""
    rng = random.Random(seed)
    for k in range(count):
        lacquer = mats.plain(f"pencil{k}", tones[k % len(tones)], 0.35)
        body = geo.tube("pencil", [(0, 0, 0), (0, 0, 8), (0, 0, 16)], 0.36, lacquer, 6)
        tip = turned(
            "pencil", [(0.34, 16), (0.1, 17.6), (0, 17.9)], mats.plain("pencilwood", "#dcb78a", 0.7), (0, 0, 0), 12
        )
        for part in (body, tip):
            geo.place(
                part, (x + rng.uniform(-1, 1), y + rng.uniform(-1, 1), z), (rng.uniform(-9, 9), rng.uniform(-9, 9), 0)
            )


def notebook(x: float, y: float, z: float, size, colour: str, yaw: float) -> None:
    """Cloth-bound notebook that lies flat: (width, depth, thickness) cm."""
    cloth = mats.plain("notebook", colour, 0.75, grain=0.015, grain_scale=14)
    w, d, h = size
    for level in (0, h - 0.25):
        geo.box("notebook", (w, d, 0.25), cloth, 0.08, location=(x, y, z + level), rotation=(0, 0, yaw))
    geo.box(
        "leaves",
        (w - 0.5, d - 0.4, h - 0.5),
        mats.plain("leaves", "#efe8d8", 0.9),
        0,
        location=(x, y, z + 0.25),
        rotation=(0, 0, yaw),
    )


def potted_tree(x: float, y: float, z: float, height: float, seed: int, pot, tone: str = "#3f6240") -> None:
    """Floor plant with broad leaves on upright stems."""
    rng = random.Random(seed)
    r = height * 0.15
    turned(
        "pot",
        [
            (0, 0),
            (r * 0.78, 0, 1),
            (r, height * 0.28, 0.8),
            (r * 0.93, height * 0.28, 0.4),
            (r * 0.88, height * 0.25),
            (0, height * 0.25),
        ],
        pot,
        (x, y, z),
    )
    turned(
        "soil",
        [(0, height * 0.255), (r * 0.9, height * 0.25)],
        mats.plain("soil", "#3a2c22", 0.95, grain=0.3, grain_scale=2),
        (x, y, z),
        32,
    )
    blades = [leaf(height * 0.26, height * 0.13, material, 0.18, 0.35) for material in greens(tone)]
    stem = mats.plain("stem", "#5f5a3c", 0.8)
    for _ in range(46):
        yaw, lean, reach = rng.uniform(0, 360), rng.uniform(4, 42), height * rng.uniform(0.2, 0.72)
        foot = Vector((x, y, z + height * 0.25))
        tip = foot + geo.turn(geo.turn((0, 0, reach), (1, 0, 0), lean), (0, 0, 1), yaw)
        geo.tube(
            "stem",
            geo.spline([foot, foot.lerp(tip, 0.5) + Vector((0, 0, reach * 0.06)), tip], 6),
            0.006 * height,
            stem,
            6,
        )
        part = geo.link(bpy.data.objects.new("leaf", rng.choice(blades)))
        geo.place(part, tip, (lean + rng.uniform(15, 60), rng.uniform(-25, 25), yaw + 180), rng.uniform(0.7, 1.15))


def books(x: float, y: float, z: float, tones: tuple[str, ...], seed: int) -> None:
    """Row of cloth-bound books from x to the right; the last one leans."""
    rng = random.Random(seed)
    paper = mats.plain("pages", "#e8dfc8", 0.9)
    for k, tone in enumerate(tones):
        thick, tall, deep = rng.uniform(2.0, 3.8), rng.uniform(19, 25), rng.uniform(14, 16)
        cloth = mats.plain("cover", tone, 0.75, grain=0.015, grain_scale=12)
        tilt = -8 if k == len(tones) - 1 else 0
        spot = (x + thick / 2 + (1.6 if tilt else 0), y, z)
        geo.box("book", (thick, deep, tall), cloth, 0.22, location=spot, rotation=(0, tilt, 0))
        geo.box(
            "pages",
            (thick - 0.6, deep - 0.4, tall),
            paper,
            0.05,
            location=(spot[0], y + 0.4, z + 0.05),
            rotation=(0, tilt, 0),
        )
        x += thick + 0.15


def cushion(x: float, y: float, z: float, size: float, thick: float, material, lean: float, yaw: float) -> None:
    """Square cushion that leans backwards; its lower edge is at z."""

    def half(sign: float):
        def at(u: float, v: float):
            a, b = 2 * u - 1, 2 * v - 1
            puff = ((1 - a**4) * (1 - b**4)) ** 0.6
            pinch = 1 - 0.07 * (1 - abs(a * b)) * (a * a + b * b) / 2
            return (a * size / 2 * pinch, sign * puff * thick / 2, b * size / 2 * pinch)

        return at

    for sign in (-1, 1):
        side = geo.grid("cushion", half(sign), 40, 40, material, (size, size))
        geo.place(side, (x, y, z + size / 2 * math.cos(math.radians(lean))), (-lean, 0, yaw))


def stone_slab(x: float, y: float, z: float, width: float, depth: float, thick: float, material, seed: int) -> None:
    """Irregular slab with broken edges; its top is at z."""
    wobble = geo.smooth_noise(seed)
    outline = []
    for k in range(160):
        angle = 2 * math.pi * k / 160
        c, s = math.cos(angle), math.sin(angle)
        r = 1 / (abs(c) ** 5 + abs(s) ** 5) ** 0.2
        r *= (
            1
            + 0.035 * wobble(angle * 1.0) * math.sin(angle / 2)
            + 0.012 * math.sin(13 * angle + seed) * math.sin(angle / 2)
        )
        outline.append((r * c * width / 2, r * s * depth / 2))
    profile = [
        (0.9, -thick),
        (0.2, -thick * 0.8),
        (0, -thick * 0.45),
        (0.25, -thick * 0.2),
        (0.5, -0.35),
        (1.0, -0.05),
        (1.8, 0),
    ]
    geo.place(geo.slab("slab", outline, profile, material), (x, y, z))


def pebbles(spots, material, seed: int) -> None:
    """Rounded stones at (x, y, z, size)."""
    rng = random.Random(seed)
    for x, y, z, size in spots:
        line = [(p.x, p.z) for p in geo.arc((0, 0, 0), size, -90, 90, 24)]
        geo.place(
            geo.lathe("pebble", line, material, 40),
            (x, y, z + size * 0.5),
            (rng.uniform(-8, 8), rng.uniform(-8, 8), rng.uniform(0, 360)),
            (rng.uniform(0.9, 1.3), rng.uniform(0.8, 1.1), 0.55),
        )


def shrubs(spots, tone: str, leaves: int, seed: int) -> None:
    """Heaps of leaves far behind, at (x, y, z, radius)."""
    rng = random.Random(seed)
    blades = [leaf(8, 4.4, material) for material in greens(tone, 4)]
    for x, y, z, radius in spots:
        for _ in range(leaves):
            where = (
                Vector((rng.gauss(0, 1), rng.gauss(0, 1), rng.gauss(0, 1))).normalized()
                * radius
                * rng.uniform(0.75, 1.05)
            )
            part = geo.link(bpy.data.objects.new("leaf", rng.choice(blades)))
            geo.place(part, Vector((x, y, z)) + where, [rng.uniform(0, 360) for _ in range(3)], rng.uniform(0.7, 1.8))


def candle(x: float, y: float, z: float, radius: float, height: float, material) -> None:
    """Pillar candle, unlit."""
    turned(
        "candle",
        [(0, 0), (radius, 0, 0.2), (radius, height, 0.35), (radius * 0.6, height - 0.35, 0.5), (0, height - 0.5)],
        material,
        (x, y, z),
        64,
    )
    geo.between(
        "wick",
        (x, y, z + height - 0.6),
        (x + 0.15, y, z + height + 0.8),
        0.08,
        mats.plain("wick", "#3a332c", 0.9),
        4,
        segments=6,
    )


def tray(x: float, y: float, z: float, radius: float, material) -> None:
    """Flat round metal tray with a low rim."""
    turned(
        "tray",
        [
            (0, 0),
            (radius, 0, 0.3),
            (radius + 0.5, 1.5, 0.1),
            (radius + 0.35, 1.5, 0.1),
            (radius - 0.2, 0.3, 0.3),
            (0, 0.25),
        ],
        material,
        (x, y, z),
        128,
    )
