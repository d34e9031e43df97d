"""The fourteen products, modelled in centimetres, standing on z = 0 and facing -Y."""

from __future__ import annotations

import math
import random

import artwork
import bpy
import geometry as geo
import materials as mats
from mathutils import Vector

Objects = list[bpy.types.Object]
CUSHION_GRID = 56


def bottle() -> Objects:
    """Olive oil bottle, 27 cm: full green glass, paper label, black screw cap."""
    green = mats.glass("bottle_glass", "#ffffff", ior=1.49, absorb=0.7, tint="#6f8f1e", main=False)
    green["truth_hex"] = "#3b4a17"
    profile = geo.fillet(
        [
            (0, 0.35),
            (2.3, 0.3, 0.3),
            (3.0, 0, 0.3),
            (3.65, 0, 0.55),
            (3.65, 17.0, 1.8),
            (3.3, 19.4, 1.5),
            (1.45, 21.2, 1.3),
            (1.35, 24.3, 0.2),
            (1.62, 24.5, 0.12),
            (1.62, 25.0, 0.12),
            (1.3, 25.2, 0.1),
            (0, 25.2),
        ]
    )
    body = geo.lathe("bottle", profile, green, step=0.3)
    paper = mats.printed("bottle_paper", artwork.bottle_label(), 0.62, fibre=0.006, main="#efe8d6")
    label = geo.patch_on_cylinder("label", 3.668, 4.4, 14.4, 132, paper)
    geo.modify(label, "SOLIDIFY", thickness=0.018, offset=1)
    return [body, label, *bottle_cap()]


def bottle_cap() -> Objects:
    """Knurled cap with a tear band."""
    black = mats.plain("cap", "#1c1c1b", 0.38, grain=0.002, main=True)

    def knurl(r, z, a):
        return r + (0.018 * math.cos(60 * a) if r > 1.6 and 25.0 < z < 26.8 else 0)

    cap = geo.lathe(
        "cap",
        geo.fillet(
            [
                (1.58, 23.0),
                (1.68, 23.0, 0.06),
                (1.68, 24.0, 0.06),
                (1.64, 24.05, 0.03),
                (1.64, 24.15, 0.03),
                (1.7, 24.2, 0.05),
                (1.7, 27.0, 0.2),
                (0, 27.0),
            ]
        ),
        black,
        segments=360,
        step=0.2,
        shape=knurl,
    )
    return [cap]


def mug() -> Objects:
    """Stoneware mug, 9.4 cm, raw clay foot, thick handle."""
    profile = geo.fillet(
        [
            (0, 0.5),
            (3.1, 0.5, 0.3),
            (3.2, 0, 0.1),
            (3.7, 0, 0.25),
            (4.25, 1.4, 1.0),
            (4.3, 9.4, 0.2),
            (3.9, 9.4, 0.2),
            (3.85, 1.6, 1.4),
            (3.0, 0.95, 0.8),
            (0, 0.95),
        ]
    )
    throw = geo.smooth_noise(7)

    def wobble(r, z, a):
        return r * (1 + 0.004 * math.cos(2 * a + 1)) + 0.018 * throw(z * 1.7) * (r > 2)

    body = geo.lathe("mug", profile, None, shape=wobble)
    path = geo.spline(
        [(4.05, 0, 7.9), (5.2, 0, 8.25), (6.6, 0, 7.6), (7.15, 0, 5.9), (6.7, 0, 4.0), (5.5, 0, 2.75), (4.0, 0, 2.55)]
    )
    handle = geo.tube("handle", path, lambda t: 0.50 + 0.16 * (2 * t - 1) ** 4, None, 28, flat=1.35)
    mug_ = geo.join([body, handle])
    geo.modify(mug_, "REMESH", mode="VOXEL", voxel_size=0.065, use_smooth_shade=True)
    geo.modify(mug_, "SMOOTH", factor=0.5, iterations=9)
    geo.apply(mug_)
    mug_.data.materials.clear()
    mug_.data.materials.append(mats.glazed_over_clay("glaze", "#5f8f95", "#b98d68", 1.7))
    return [mug_]


def carton() -> Objects:
    """Printed tea carton, 16 cm, with a tuck lid."""
    card = mats.printed("carton", artwork.box_sheet(), 0.42, fibre=0.0015, main="#1f4a43", coat=0.15)
    low = geo.box("carton", (9, 6, 14.2), card, 0.09)
    lid = geo.box("lid", (9.06, 6.06, 1.76), card, 0.10, location=(0, 0, 14.24))
    body = geo.join([geo.apply(low), geo.apply(lid)])
    geo.modify(body, "SUBSURF", levels=4, render_levels=4, subdivision_type="SIMPLE")
    geo.apply(body)
    _bulge(body)
    _carton_uv(body)
    geo.modify(body, "WEIGHTED_NORMAL", keep_sharp=False, weight=100)
    return [body]


def _bulge(body: bpy.types.Object) -> None:
    """Let the panels of a filled carton swell by about a millimetre."""
    for v in body.data.vertices:
        x, y, z = v.co.x / 4.5, v.co.y / 3.0, (v.co.z - 8) / 8
        if abs(y) > 0.9 and z < 0.75:
            v.co.y += math.copysign(0.11 * max(0, 1 - x * x) * max(0, 1 - z * z), y)
        if abs(x) > 0.9 and z < 0.75:
            v.co.x += math.copysign(0.08 * max(0, 1 - y * y) * max(0, 1 - z * z), x)


def _carton_uv(body: bpy.types.Object) -> None:
    """Lay front, side and top of the sheet on the faces they belong to."""
    mesh = body.data
    layer = mesh.uv_layers.active or mesh.uv_layers.new(name="UVMap")
    for polygon in mesh.polygons:
        n = polygon.normal
        for index in polygon.loop_indices:
            p = mesh.vertices[mesh.loops[index].vertex_index].co
            x, y, z = p.x / 9.0 + 0.5, p.y / 6.0 + 0.5, p.z / 16.0
            if abs(n.z) > max(abs(n.x), abs(n.y)):
                uv = ((15 + 9 * x) / 24, 0.55 + 0.375 * y)
            elif abs(n.y) > abs(n.x):
                uv = (9 * (x if n.y < 0 else 1 - x) / 24, z)
            else:
                uv = ((9 + 6 * (y if n.x > 0 else 1 - y)) / 24, z)
            layer.data[index].uv = (min(0.9995, max(0.0005, uv[0])), uv[1])


def tumbler() -> Objects:
    """Highball glass, 13 cm, heavy fluted base."""
    clear = mats.glass("tumbler_glass", "#fbfffd", ior=1.5)
    clear["truth_hex"] = "#fbfffd"

    def cut(r, z, a):
        return r - (0.11 * abs(math.sin(9 * a)) * _fade(z, 5.2, 6.6) * (r > 2.6 and z > 0.15 and _outer(r, z)))

    profile = geo.fillet(
        [
            (0, 0.12),
            (2.4, 0.1, 0.2),
            (2.75, 0.0, 0.2),
            (3.15, 0.0, 0.35),
            (3.45, 6.5, 2),
            (3.62, 13.0, 0.1),
            (3.44, 13.0, 0.1),
            (3.22, 6.5, 2),
            (2.95, 2.2, 0.9),
            (1.6, 1.75, 0.8),
            (0, 1.8),
        ]
    )
    return [geo.lathe("tumbler", profile, clear, segments=288, step=0.12, shape=cut)]


def _outer(r: float, z: float) -> bool:
    """True on the outside wall of the tumbler."""
    return r > 3.06 + 0.045 * z


def _fade(z: float, low: float, high: float) -> float:
    """1 below `low`, 0 above `high`, smooth between (cm)."""
    t = min(1.0, max(0.0, (z - low) / (high - low)))
    return 1 - t * t * (3 - 2 * t)


def shaker() -> Objects:
    """Three-part cocktail shaker, 24 cm, polished steel."""
    steel = mats.metal("steel", "#d6d3cd", 0.055, scratches=0.0005, main=True)
    cup = geo.fillet(
        [
            (0, 0.2),
            (2.6, 0.2, 0.2),
            (2.9, 0, 0.1),
            (3.05, 0.05, 0.15),
            (3.3, 1.2, 1.0),
            (4.35, 15.0, 0.3),
            (4.42, 15.35, 0.1),
            (4.3, 15.4),
        ]
    )
    dome = geo.fillet(
        [
            (4.25, 15.42),
            (4.4, 15.42, 0.05),
            (4.4, 16.2, 0.2),
            (4.25, 16.5, 0.3),
            (3.9, 18.4, 1.6),
            (2.3, 19.7, 0.8),
            (2.05, 20.2, 0.3),
            (2.0, 20.8),
        ]
    )
    cap = geo.fillet(
        [
            (2.02, 20.72),
            (2.2, 20.72, 0.06),
            (2.2, 21.1, 0.2),
            (2.12, 21.3, 0.2),
            (1.95, 23.2, 0.7),
            (1.1, 24.0, 0.6),
            (0, 24.0),
        ]
    )
    return [geo.lathe(n, p, steel, segments=192, step=0.25) for n, p in (("cup", cup), ("dome", dome), ("cap", cap))]


def vase() -> Objects:
    """Fluted white vase, 28 cm, satin bisque porcelain."""
    white = mats.plain(
        "porcelain",
        "#efeeea",
        0.5,
        variation=0.06,
        spread=0.01,
        subsurface=0.08,
        grain=0.0025,
        grain_scale=20,
        main=True,
    )
    outer = geo.spline(
        [
            (4.4, 0.3),
            (5.6, 2.2),
            (7.6, 7.0),
            (8.3, 11.5),
            (7.2, 16.5),
            (4.6, 20.6),
            (3.1, 23.6),
            (3.0, 25.6),
            (3.9, 27.9),
        ],
        14,
    )
    inner = [Vector((max(0.2, p.x - 0.45), p.y)) for p in reversed(outer)]
    profile = geo.fillet([(0, 0.3), (3.6, 0.3, 0.1), (3.7, 0.0, 0.1), (4.2, 0, 0.2), tuple(outer[0])])
    profile += [tuple(p) for p in outer] + [(3.82, 28.02), (3.66, 28.04)] + [tuple(p) for p in inner]

    def flute(r, z, a):
        return r + (0.24 * abs(math.sin(14 * a)) - 0.12) * _flute_depth(r, z)

    return [geo.lathe("vase", profile, white, segments=336, step=0.35, shape=flute)]


def _flute_depth(r: float, z: float) -> float:
    """Flutes fade out towards the foot and the neck."""
    return _fade(z, 19.5, 23.0) * (1 - _fade(z, 0.8, 3.2)) * min(1.0, r / 6.0)


def wire_bowl() -> Objects:
    """Fruit bowl of powder-coated wire, 14 cm high, 29 cm across."""
    black = mats.plain("wire", "#20211f", 0.45, grain=0.004, grain_scale=30, main=True)
    rings = [(14.4, 13.8, 0.30), (12.6, 8.4, 0.17), (9.9, 4.6, 0.17), (6.2, 0.3, 0.30)]
    out = [
        geo.tube("ring", [p + Vector((0, 0, z)) for p in geo.disc_outline(r, 160)], w, black, 14, closed=True)
        for r, z, w in rings
    ]
    rng = random.Random(28)
    for k in range(34):
        lean = rng.uniform(-0.005, 0.005)
        line = geo.spline([(6.2, 0, 0.3), (8.0, 0, 2.2), (10.1, 0, 4.6), (12.75, 0, 8.4), (14.4, 0, 13.8)], 10)
        path = [geo.turn(p, (0, 0, 1), 360 * k / 34 + lean * 57 + 0.5 * p.z) for p in line]
        out.append(geo.tube("spoke", path, 0.15, black, 10))
    for k in range(3):
        path = [geo.turn((x, 0, 0.3), (0, 0, 1), 60 * k) for x in (-6.2, -3, 0, 3, 6.2)]
        out.append(geo.tube("base", path, 0.15, black, 10))
    return [geo.join(out)]


def cushion() -> Objects:
    """Linen cushion, about 44 cm, sewn from two squares and filled."""
    linen = mats.woven("linen", "#c08a3e", 2.4, second="#d5a860", depth=0.08, main=True)
    return _finish_cushion(_cushion_cover(linen, size=45.0, n=CUSHION_GRID))


def _cushion_point(x: float, y: float, half: float, side: int) -> tuple[float, float, float]:
    """Point of a filled cover at x, y in -1..1: sides drawn in, corners flat, seam puckered (cm)."""
    crumple, dent = geo.smooth_noise(3), geo.smooth_noise(7 + side)
    swell = max(0.0, (1 - x * x) * (1 - y * y))
    fill = 9.4 * swell**0.62 * (1 + 0.16 * dent(0.9 * x + 0.8 * y) * dent(1.1 * y - 0.7 * x))
    edge_x, edge_y = half * (1 - abs(x)), half * (1 - abs(y))

    def pucker(edge, along):
        return 0.5 * edge * math.exp(-edge / 2.6) * crumple(along + 0.09 * edge)

    fill += (pucker(edge_x, 7 * y) + pucker(edge_y, 7 * x + 2)) * min(1.0, 3 * swell)
    seam = 0.7 * crumple(1.1 * x + 1.7 * y)
    sides, ends = 0.10, 0.10 if y > 0 else 0.05  # it settles where it stands
    return (half * x * (1 - sides * (1 - y * y)), seam - side * fill, half * y * (1 - ends * (1 - x * x)))


def _cushion_cover(material, size: float, n: int) -> bpy.types.Object:
    """Two square grids sharing their rim."""
    verts, faces, uvs, index = [], [], [], {}
    for side in (1, -1):
        for j in range(n + 1):
            for i in range(n + 1):
                if side < 0 and (i in (0, n) or j in (0, n)):
                    index[side, i, j] = index[1, i, j]
                    continue
                u, v = _denser(i / n), _denser(j / n)
                index[side, i, j] = len(verts)
                verts.append(_cushion_point(2 * u - 1, 2 * v - 1, size / 2, side))
                uvs.append((u * size, v * size))
        for j in range(n):
            for i in range(n):
                quad = [index[side, a, b] for a, b in ((i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1))]
                faces.append(tuple(quad if side > 0 else quad[::-1]))
    return geo.mesh_object("cushion", verts, faces, material, uvs)


def _denser(t: float) -> float:
    """0..1 with steps that shrink towards both ends, where the cover turns over to the seam."""
    return 0.5 - 0.5 * math.cos(math.pi * t)


def _finish_cushion(cover: bpy.types.Object) -> Objects:
    """Smooth, add piping, stand it up leaning back."""
    cord = [cover.data.vertices[i].co.copy() for i in _rim_loop()]
    geo.modify(cover, "SUBSURF", levels=2, render_levels=2)
    piping = geo.tube(
        "piping", cord, 0.32, mats.woven("piping", "#7a5224", 5.0, depth=0.04, kind="Object"), 12, closed=True
    )
    geo.modify(piping, "SUBSURF", levels=1, render_levels=1)
    low = min(p.z for p in cord) - 0.3
    for obj in (cover, piping):
        geo.place(obj, (0, 0, -low * math.cos(math.radians(12))), (-12, 0, 0))
    return [cover, piping]


def _rim_loop(n: int = CUSHION_GRID) -> list[int]:
    """Vertex indices round the seam, in order (the first grid is stored row by row)."""

    def at(i, j):
        return j * (n + 1) + i

    return (
        [at(i, 0) for i in range(n)]
        + [at(n, j) for j in range(n)]
        + [at(i, n) for i in range(n, 0, -1)]
        + [at(0, j) for j in range(n, 0, -1)]
    )


def shakers() -> Objects:
    """Set of two: salt in beech, pepper in walnut, 11 cm, steel tops."""
    beech = mats.wood("beech", ("#a8773f", "#cfa067", "#e2bd8a"), 0.4, axis="z", main=True, coat=0.15)
    walnut = mats.wood("walnut", ("#2c1a10", "#55361f", "#7b5333"), 0.38, axis="z", main=True, coat=0.2)
    steel = mats.metal("shaker_steel", "#cfccc6", 0.12)
    out = []
    for x, y, timber, holes, letter in ((-3.2, 0.6, beech, 3, "S"), (3.1, -0.9, walnut, 6, "P")):
        out += _one_shaker(x, y, timber, steel, holes, letter)
    return out


def _one_shaker(x: float, y: float, timber, steel, holes: int, letter: str) -> Objects:
    """One turned shaker at (x, y) cm with a letter burnt into it."""
    body = geo.lathe(
        "body",
        geo.fillet(
            [(0, 0), (2.4, 0, 0.18), (2.62, 0.9, 0.6), (2.3, 4.2, 3.0), (1.75, 7.0, 2.0), (2.05, 9.2, 0.12), (0, 9.2)]
        ),
        timber,
        step=0.2,
    )
    top = geo.lathe(
        "top",
        geo.fillet(
            [(2.0, 9.15), (2.12, 9.15, 0.05), (2.12, 9.8, 0.25), (1.7, 10.65, 1.0), (0.6, 11.0, 0.5), (0, 11.0)]
        ),
        steel,
        step=0.15,
    )
    ink = mats.plain("hole", "#0a0a0a", 0.7)
    dots = [geo.lathe("hole", [(0, 0.02), (0.11, 0.02), (0.13, -0.1)], ink, 20) for _ in range(holes)]
    for k, dot in enumerate(dots):
        angle, r = 2 * math.pi * k / max(1, holes), 0.72 if k else 0.0
        geo.place(dot, (x + r * math.cos(angle), y + r * math.sin(angle), 10.985 - 0.06 * (r > 0)), (0, 0, 0))
    curve = bpy.data.curves.new("letter", "FONT")
    curve.body, curve.size, curve.align_x, curve.extrude = letter, 1.5, "CENTER", 0.25
    mark = geo.link(bpy.data.objects.new("letter", curve))
    mark.data.materials.append(mats.plain("burn", "#1a100a" if letter == "S" else "#d8c3a0", 0.8))
    geo.place(mark, (x, y - 2.12, 4.0), (83, 0, 0))
    for part in (body, top):
        geo.place(part, (x, y, 0), (0, 0, 40))
    return [body, top, mark, *dots]


def headphones() -> Objects:
    """Black over-ear headphones, 19 cm, standing on their cups."""
    shell = mats.plain("shell", "#17181a", 0.38, grain=0.0015, grain_scale=40, main=True)
    hide = mats.leather("pad", "#1b1a1a", 0.42, pebble=7, depth=0.012, main=True)
    steel = mats.metal("dark_steel", "#8b8c8e", 0.18)
    band_path = geo.arc((0, 0, 10.2), 7.6, 168, 12, 64, squash=1.1)
    band = geo.tube("band", band_path, 0.31, shell, 36, flat=5.0, power=3.4)
    pad = geo.tube(
        "pad",
        geo.arc((0, 0, 10.0), 7.2, 150, 30, 64, squash=1.07),
        lambda t: 0.6 * (1 - (2 * t - 1) ** 6 * 0.3),
        hide,
        32,
        flat=2.4,
        power=2.6,
    )
    out = [band, pad]
    for side in (-1, 1):
        out += _ear_cup(side, shell, hide, steel)
    return out


def _ear_cup(side: int, shell, hide, steel) -> Objects:
    """One cup: housing, trim ring, cushion, yoke and slider; side is -1 left, 1 right."""
    cup = geo.lathe(
        "cup",
        geo.fillet(
            [
                (0, 2.5),
                (2.3, 2.5, 0.2),
                (2.5, 2.3, 0.15),
                (2.75, 2.3, 0.1),
                (3.75, 1.7, 0.8),
                (3.95, 0.4, 0.3),
                (3.6, 0.0),
            ]
        ),
        shell,
        128,
        0.15,
    )
    trim = geo.lathe("trim", geo.fillet([(2.38, 2.2), (2.42, 2.56, 0.05), (2.62, 2.52, 0.05), (2.66, 2.2)]), steel, 128)
    ear = geo.lathe(
        "cushion",
        geo.spline(
            [(2.0, -0.1), (3.6, 0.1), (4.15, -0.5), (4.1, -1.2), (3.5, -1.85), (2.6, -1.9), (1.95, -1.4), (1.85, -0.2)],
            8,
        ),
        hide,
        128,
        0.2,
        shape=_pucker,
    )
    cloth = mats.woven("mesh", "#101010", 6.0, depth=0.02, kind="Object")
    inner = geo.lathe("inner", [(0, -0.5), (2.1, -0.5)], cloth, 64)
    parts = [cup, trim, ear, inner]
    for part in parts:
        geo.place(part, (side * 7.1, 0, 4.75), (0, side * 83, 0), (1, 1, 1))
        part.scale = (1.14, 0.94, 1.0)
    slide = geo.between("slider", (side * 7.4, 0, 12.4), (side * 7.75, 0, 8.9), 0.14, steel, flat=4.4, power=4)
    yoke_path = geo.spline(
        [
            (side * 8.1, -3.9, 5.0),
            (side * 8.25, -3.6, 7.2),
            (side * 8.05, -2.0, 8.9),
            (side * 7.85, 0, 9.4),
            (side * 8.05, 2.0, 8.9),
            (side * 8.25, 3.6, 7.2),
            (side * 8.1, 3.9, 5.0),
        ],
        10,
    )
    yoke = geo.tube("yoke", yoke_path, 0.36, shell, 20, flat=1.0, power=3)
    pins = [geo.lathe("pin", geo.fillet([(0.5, -0.45), (0.5, 0.3, 0.1), (0, 0.3)]), steel, 48) for _ in range(2)]
    for pin, y in zip(pins, (-3.95, 3.95), strict=False):
        geo.place(pin, (side * 8.1, y, 5.0), (90 if y < 0 else -90, 0, 0))
    return [*parts, slide, yoke, *pins]


def _pucker(r: float, z: float, angle: float) -> float:
    """Small creases where the ear cushion's leather is gathered."""
    crease = geo.smooth_noise(19)(angle * 9) * 0.03 + 0.02 * math.sin(47 * angle)
    return r + crease * (1 if z < -0.4 else 0.4)


def sneaker() -> Objects:
    """Canvas low-top, 28 cm long, 10.5 cm high, rubber sole and toe cap."""
    canvas = mats.woven("canvas", "#a63a2b", 6.0, second="#b34a38", depth=0.02, main=True)
    rubber = mats.plain("rubber", "#e9e4d6", 0.55, grain=0.003, spread=0.03, main=True)
    outline = shoe_outline()
    sole = geo.slab(
        "sole",
        outline,
        [(0.5, 0.0), (0.15, 0.05), (0.0, 0.25), (-0.02, 1.2), (-0.02, 2.5), (0.05, 2.75), (0.3, 2.85), (1.2, 2.8)],
        rubber,
    )
    _spring(sole)
    stripe = geo.tube(
        "stripe",
        [p + Vector((0, 0, 2.25)) for p in _inset(outline, -0.02)],
        0.13,
        mats.plain("stripe", "#7f2a20", 0.5),
        10,
        closed=True,
    )
    welt = geo.tube("welt", [p + Vector((0, 0, 0.75)) for p in _inset(outline, -0.03)], 0.1, rubber, 10, closed=True)
    for part in (stripe, welt):
        _spring(part)
    upper = _upper(canvas)
    toe = _toe_cap(rubber)
    return [sole, stripe, welt, upper, toe, *_tongue_and_laces(canvas), *_opening_trim(), *_seams()]


def shoe_outline() -> list[Vector]:
    """Right-foot sole, toe towards +X, counter-clockwise (cm)."""
    right = [
        (-13.6, 0),
        (-12.9, -2.2),
        (-10.5, -3.2),
        (-6, -3.15),
        (-1, -3.3),
        (4, -4.3),
        (8.5, -4.75),
        (12, -3.6),
        (14.0, -1.2),
    ]
    left = [(14.2, 0.6), (13.0, 3.0), (9.5, 4.5), (5, 4.4), (0, 3.1), (-5, 2.9), (-10, 3.1), (-12.8, 2.1)]
    return [Vector((p.x, p.y, 0)) for p in geo.spline([(x, y, 0) for x, y in right + left], 12, closed=True)]


def _inset(outline: list[Vector], amount: float) -> list[Vector]:
    """Shrink an outline by `amount` cm."""
    count, out = len(outline), []
    for i, p in enumerate(outline):
        t = (outline[(i + 1) % count] - outline[i - 1]).normalized()
        out.append(p + Vector((-t.y, t.x, 0)) * amount)
    return out


def _lift(x: float) -> float:
    """Toe spring: how far the sole rises at x (cm)."""
    return 0.016 * max(0.0, x - 5.5) ** 2 + 0.004 * max(0.0, -x - 9.5) ** 2


def _spring(obj: bpy.types.Object) -> None:
    """Bend a part of the shoe with the sole."""
    for v in obj.data.vertices:
        v.co.z += _lift(v.co.x)


def opening_ring() -> list[Vector]:
    """Collar and throat, matched to the outline's points (cm)."""
    right = [
        (-12.0, 0, 10.3),
        (-11.2, -1.7, 9.9),
        (-9, -2.6, 8.9),
        (-5.5, -2.75, 8.2),
        (-1.9, -2.2, 8.9),
        (1.2, -1.55, 8.5),
        (3.6, -1.3, 7.5),
        (5.6, -1.0, 6.5),
        (6.2, -0.3, 6.15),
    ]
    left = [
        (6.2, 0.35, 6.15),
        (5.6, 1.05, 6.5),
        (3.6, 1.35, 7.5),
        (1.2, 1.6, 8.5),
        (-1.9, 2.25, 8.9),
        (-5.5, 2.7, 8.2),
        (-9, 2.55, 8.9),
        (-11.2, 1.65, 9.9),
    ]
    return geo.spline(right + left, 12, closed=True)


def _upper(canvas) -> bpy.types.Object:
    """The canvas itself: a ring-shaped sheet from sole to opening with wear creases."""
    outline, ring = shoe_outline(), opening_ring()
    n, rows = len(outline), 28
    table = _upper_table(outline, ring, rows)
    crease = geo.smooth_noise(5)

    def at(u: float, v: float):
        p = table[round(v * rows)][round(u * n) % n].copy()
        flex = math.exp(-(((p.x - 6.8) / 2.2) ** 2)) * math.sin(math.pi * v)
        p.z += 0.07 * flex * math.sin(3.1 * p.x + 0.5 * p.y) + 0.04 * crease(p.x * 0.8 + v * 3) * math.sin(math.pi * v)
        return p

    upper = geo.grid("upper", at, n, rows, canvas, (76, 9), wrap_u=True)
    geo.modify(upper, "SOLIDIFY", thickness=0.22, offset=-1)
    geo.modify(upper, "SUBSURF", levels=1, render_levels=1)
    return upper


def _upper_table(outline, ring, rows: int) -> list[list[Vector]]:
    """All points of the upper, row by row from the sole up."""
    inset = _inset(outline, 0.22)
    table = []
    for r in range(rows + 1):
        w = r / rows
        table.append([_blend(inset[i], ring[i], w) for i in range(len(outline))])
    return table


def _blend(low: Vector, top: Vector, w: float) -> Vector:
    """Bulging curve from the sole edge to the opening."""
    low = low + Vector((0, 0, 2.3 + _lift(low.x)))
    front = min(1.0, max(0.0, (low.x - 1.0) / 9.0))
    out = Vector((low.x - top.x, low.y - top.y, 0))
    p1 = low + Vector((0, 0, 2.2 + 0.9 * front)) + out.normalized() * 0.25
    p2 = top + Vector((0, 0, -1.2 * (1 - front) - 0.55 * front)) + out * (0.08 + 0.40 * front)
    a, b, c, d = (1 - w) ** 3, 3 * w * (1 - w) ** 2, 3 * w * w * (1 - w), w**3
    return a * low + b * p1 + c * p2 + d * top


def _toe_cap(rubber) -> bpy.types.Object:
    """Rubber cap over the toe, just outside the canvas."""
    outline, ring = shoe_outline(), opening_ring()
    inset = _inset(outline, 0.12)
    n = len(outline)
    first, last = int(n * 0.352), int(n * 0.655)

    def at(u: float, v: float):
        i = first + round(u * (last - first))
        edge = 0.50 * math.sin(math.pi * u) ** 0.7 + 0.10
        low = inset[i] + Vector((0, 0, -0.2))
        p = _blend(low, ring[i], v * edge)
        return p + Vector((0.10, 0, 0.14))

    cap = geo.grid("toe", at, last - first, 18, rubber)
    geo.modify(cap, "SOLIDIFY", thickness=0.2, offset=0)
    geo.modify(cap, "SUBSURF", levels=1, render_levels=1)
    return cap


def _tongue_and_laces(canvas) -> Objects:
    """Tongue, five criss-cross laces, eyelets and two loose ends."""
    tongue_line = geo.spline([(6.6, 0, 5.6), (4.0, 0, 7.0), (1.0, 0, 8.4), (-1.8, 0, 9.7), (-3.2, 0, 11.0)], 8)

    def tongue_at(u: float, v: float):
        p = tongue_line[round(v * (len(tongue_line) - 1))]
        y = (u - 0.5) * (3.0 + 1.6 * v)
        return (p.x, y, p.z - 0.07 * y * y)

    tongue = geo.grid("tongue", tongue_at, 14, len(tongue_line) - 1, canvas, (4, 12))
    geo.modify(tongue, "SOLIDIFY", thickness=0.3, offset=0)
    geo.modify(tongue, "SUBSURF", levels=2, render_levels=2)
    cotton = mats.woven("lace", "#f0ece0", 9.0, depth=0.03, kind="Object")
    brass = mats.metal("eyelet", "#c9c5bb", 0.2)
    stations = [(5.0, 1.65, 6.62), (3.45, 1.85, 7.45), (1.9, 2.0, 8.15), (0.35, 2.2, 8.65), (-1.1, 2.45, 8.85)]
    out = [tongue]
    for i, (x, y, z) in enumerate(stations):
        out += [_eyelet(x, s * y, z, s, brass) for s in (-1, 1)]
        out.append(_lace((x, -y, z), (x, y, z), cotton, 0.55))
        if i:
            px, py, pz = stations[i - 1]
            out.append(_lace((px, -py, pz), (x, y, z), cotton, 0.42))
            out.append(_lace((px, py, pz), (x, -y, z), cotton, 0.50))
    return out + _bow(cotton)


def _eyelet(x: float, y: float, z: float, side: int, metal) -> bpy.types.Object:
    """Small metal ring lying on the upper."""
    ring = geo.tube("eyelet", geo.disc_outline(0.26, 32), 0.08, metal, 10, closed=True)
    return geo.place(ring, (x, y, z + 0.02), (-side * 42, 22, 0))


def _lace(a, b, cotton, rise: float) -> bpy.types.Object:
    """Flat lace from eyelet to eyelet, arched by `rise` cm."""
    va, vb = Vector(a), Vector(b)
    mid = (va + vb) / 2 + Vector((0.1, 0, rise))
    path = geo.spline(
        [
            va + Vector((0, 0, -0.15)),
            va.lerp(mid, 0.5) + Vector((0, 0, 0.16)),
            mid,
            mid.lerp(vb, 0.5) + Vector((0, 0, 0.16)),
            vb + Vector((0, 0, -0.15)),
        ],
        6,
    )
    return geo.tube("lace", path, 0.12, cotton, 12, flat=2.5, power=2.5)


def _bow(cotton) -> Objects:
    """A tied bow above the last pair of eyelets."""
    knot = Vector((-1.3, 0, 9.75))
    loops = [
        [
            (0, 0, 0),
            (0.3, 1.3, 0.55),
            (0.9, 2.9, 0.2),
            (1.5, 3.5, -0.7),
            (1.3, 2.6, -0.35),
            (0.5, 1.2, 0.1),
            (0, 0.1, 0),
        ],
        [
            (0, 0, 0),
            (0.2, -1.3, 0.6),
            (0.9, -2.8, 0.3),
            (1.7, -3.4, -0.6),
            (1.4, -2.5, -0.3),
            (0.5, -1.1, 0.1),
            (0, -0.1, 0),
        ],
        [(0, 0, 0), (0.9, 0.7, 0.25), (1.9, 1.7, -0.1), (2.5, 2.9, -1.0), (2.8, 3.5, -2.2)],
        [(0, 0, 0), (0.8, -0.6, 0.3), (2.0, -1.5, 0.0), (2.9, -2.6, -0.9), (3.1, -3.3, -2.1)],
    ]
    out = [
        geo.tube("bow", geo.spline([knot + Vector(p) for p in line], 8), 0.11, cotton, 12, flat=2.3, power=2.5)
        for line in loops
    ]
    out.append(
        geo.tube(
            "knot",
            geo.spline([knot + Vector(p) for p in ((0.1, -0.35, 0), (0, 0, 0.22), (0.1, 0.35, 0))], 6),
            0.3,
            cotton,
            14,
            flat=1.2,
        )
    )
    return out


def _opening_trim() -> Objects:
    """Folded edge round the opening and the strip down the heel."""
    tape = mats.woven("tape", "#8c2f23", 9.0, depth=0.02, kind="Object")
    ring = geo.tube("trim", opening_ring(), 0.2, tape, 12, closed=True)
    strip = geo.grid("heel", lambda u, v: _on_upper(10 * (2 * u - 1), 0.98 * v, 0.06), 20, 24, tape)
    geo.modify(strip, "SOLIDIFY", thickness=0.12, offset=0)
    return [ring, strip]


def _on_upper(i: float, w: float, out: float) -> Vector:
    """Point over the upper: i along the outline, w from sole to opening, `out` cm outside it."""
    low, top = (_point_at(line, i) for line in (_inset(shoe_outline(), 0.22), opening_ring()))
    away = Vector((low.x - top.x, low.y - top.y, 0)).normalized()
    return _blend(low, top, w) + away * out


def _point_at(line: list[Vector], i: float) -> Vector:
    """Point of a closed line at a fractional index."""
    k = math.floor(i)
    return line[k % len(line)].lerp(line[(k + 1) % len(line)], i - k)


def _seams() -> Objects:
    """Double stitching under the opening and where the quarters meet the front."""
    count = len(shoe_outline())
    rows = [[_on_upper(i, w, 0.03) for i in range(-66, 67)] for w in (0.9, 0.86)]
    for foot, lean in ((50, -9), (count - 50, 9)):
        rows += [
            [_on_upper(foot + shift + lean * k / 40, 0.04 + 0.8 * k / 40, 0.03) for k in range(41)] for shift in (0, 2)
        ]
    thread = mats.plain("seam", "#e8d9c4", 0.8)
    return [geo.join([dash for row in rows for dash in _dashes(row, thread)])]


def _dashes(path: list[Vector], thread) -> Objects:
    """Stitches of 3 mm along a path."""
    line = geo.resample(path, 0.1)
    return [geo.tube("stitch", line[k : k + 4], 0.035, thread, 6) for k in range(0, len(line) - 4, 5)]


def handbag() -> Objects:
    """Structured leather tote, 35 cm with its handles up."""
    tan = mats.leather("tan", "#9a5b30", 0.42, pebble=4.5, depth=0.016, main=True)
    edge = mats.leather("edge", "#5b321a", 0.38, pebble=6, depth=0.008)
    gold = mats.metal("gold", "#d9b36a", 0.14)
    body = _bag_body(tan)
    rim = geo.tube("rim", [Vector(bag_point(k / 160, 1.0)) for k in range(160)], 0.2, edge, 12, closed=True)
    out = [body, rim, _bag_base(edge), _bag_strap_front(tan, gold)]
    for side in (-1, 1):
        out += _bag_handle(side, tan, gold)
    thread = mats.plain("thread", "#e2c79c", 0.8)
    out.append(_stitches(thread))
    return out


def bag_point(s: float, t: float) -> tuple[float, float, float]:
    """Bag surface: s round the section 0..1, t from base 0 to rim 1 (cm)."""
    w = 16.2 - 2.4 * t + 0.5 * math.sin(math.pi * t)
    d = 6.6 - 3.9 * t**1.3 + 0.5 * math.sin(math.pi * t)
    a = 2 * math.pi * s
    power = 7.0 - 3.0 * t
    c, n = math.cos(a), math.sin(a)
    reach = (abs(c) ** power + abs(n) ** power) ** (-1 / power)
    x, y = w * c * reach, d * n * reach
    gusset = math.exp(-(((abs(c) - 1) / 0.12) ** 2))
    x -= math.copysign(1.5 * gusset * t**1.5, c)
    sag = 0.35 * math.sin(2.2 * x / 10 + 1.0) * math.sin(math.pi * t)
    z = 0.9 + 22.4 * t - 0.55 * t * math.cos(math.pi * x / 32) * n * n
    return (x, y + sag * math.copysign(1, n) * 0.6, z)


def _bag_body(tan) -> bpy.types.Object:
    """Shell with wall thickness and a lining's depth."""
    body = geo.grid("bag", lambda u, v: bag_point(u, v), 220, 60, tan, (76, 24), wrap_u=True)
    geo.modify(body, "SOLIDIFY", thickness=0.28, offset=-1)
    return body


def _bag_base(edge) -> bpy.types.Object:
    """Stiff bottom with a rolled edge."""
    outline = [Vector((x, y, 0)) for x, y, _z in (bag_point(k / 160, 0.0) for k in range(160))]
    return geo.slab(
        "base", outline, [(0.6, 0.25), (0.1, 0.3), (-0.1, 0.55), (-0.12, 1.6), (0.0, 1.85), (0.3, 1.9)], edge
    )


def _bag_strap_front(tan, gold) -> bpy.types.Object:
    """Centre tab with a turn lock."""

    def at(u: float, v: float):
        x = (u - 0.5) * 3.6 * (1 - 0.25 * max(0, 0.3 - v))
        t = 1.03 - 0.36 * v
        y = bag_point(0.75, min(1.0, t))[1] - 0.28
        drop = 0.9 * max(0.0, v - 0.8) / 0.2 * (2 * abs(u - 0.5)) ** 2
        return (x, y, 0.9 + 22.4 * t - 0.5 + drop)

    tab = geo.grid("tab", at, 20, 30, tan, (4, 8))
    geo.modify(tab, "SOLIDIFY", thickness=0.3, offset=0)
    geo.modify(tab, "BEVEL", width=0.1, segments=3)
    geo.apply(tab)
    y = bag_point(0.75, 0.75)[1] - 0.4
    plate = geo.box("plate", (2.2, 1.5, 0.2), gold, 0.15)
    geo.place(plate, (0, y, 16.9), (81, 0, 0))
    knob = geo.box("knob", (0.5, 1.3, 0.5), gold, 0.14)
    geo.place(knob, (0, y - 0.18, 16.9), (81, 0, 0))
    return geo.join([tab, geo.apply(plate), geo.apply(knob)])


def _bag_handle(side: int, tan, gold) -> Objects:
    """Rolled handle with two rings and two tabs; side -1 is the front."""
    s_at = 0.75 if side < 0 else 0.25

    def y(t):
        return bag_point(s_at, t)[1] + side * 0.35

    path = geo.spline(
        [
            (-7.2, y(0.9) * 1.0, 21.2),
            (-7.1, y(1) + side * 0.1, 25),
            (-5.6, y(1) - side * 0.2, 30.5),
            (-2.4, y(1) - side * 0.6, 33.9),
            (0, y(1) - side * 0.7, 34.5),
            (2.4, y(1) - side * 0.6, 33.9),
            (5.6, y(1) - side * 0.2, 30.5),
            (7.1, y(1) + side * 0.1, 25),
            (7.2, y(0.9) * 1.0, 21.2),
        ],
        12,
    )
    out = [geo.tube("handle", path, 0.52, tan, 24)]
    for x in (-7.2, 7.2):
        ring = geo.tube("ring", geo.disc_outline(0.95, 48), 0.17, gold, 14, closed=True)
        out.append(geo.place(ring, (x, y(0.86) + side * 0.1, 20.6), (84, 0, 0)))
        tab = geo.box("tab", (1.9, 0.34, 4.2), tan, 0.12)
        out.append(geo.place(tab, (x, y(0.74) + side * 0.02, 16.6), (-side * -8, 0, 0)))
        rivet = geo.lathe("rivet", geo.fillet([(0.36, 0), (0.36, 0.14, 0.12), (0, 0.16)]), gold, 32)
        out.append(geo.place(rivet, (x, y(0.70) + side * 0.2, 17.6), (90 if side < 0 else -90, 0, 0)))
    return out


def _stitches(thread) -> bpy.types.Object:
    """Saddle stitching along rim and base of the front panel."""
    parts = []
    for t in (0.955, 0.085):
        for k in range(70):
            s = 0.545 + 0.41 * k / 69
            p, q = Vector(bag_point(s, t)), Vector(bag_point(s + 0.0036, t))
            out = Vector((0, -0.05, 0))
            parts.append(geo.tube("stitch", [p + out, p.lerp(q, 0.5) + out * 1.6, q + out], 0.05, thread, 8))
    return geo.join(parts)


def desk_lamp() -> Objects:
    """Desk lamp, 46 cm: weighted base, two thin brass arms, enamelled shade."""
    enamel = mats.plain("enamel", "#5c7566", 0.32, coat=0.3, grain=0.001, main=True)
    brass = mats.metal("brass", "#c9a056", 0.17, main=True)
    inside = mats.plain("inside", "#f3efe2", 0.5)
    base = geo.lathe(
        "base",
        geo.fillet(
            [(0, 0), (8.3, 0, 0.1), (8.5, 0.2, 0.1), (8.5, 1.5, 0.5), (1.6, 2.1, 0.5), (1.2, 3.2, 0.3), (0, 3.2)]
        ),
        enamel,
    )
    foot, elbow, tip = Vector((0, 0, 2.5)), Vector((-9.5, 0, 25.5)), Vector((9.0, 0, 42.0))
    out = [base, geo.between("arm", foot, elbow, 0.42, brass), geo.between("arm", elbow, tip, 0.42, brass)]
    for p, r in ((foot + Vector((0, 0, 0.8)), 0.95), (elbow, 0.95), (tip, 0.85)):
        out += _joint(p, r, brass, enamel)
    out += _shade(tip, enamel, inside, brass)
    cord_path = geo.spline([(0, 8.2, 0.5), (2, 12, 0.3), (8, 16, 0.3), (15, 15, 0.3), (20, 19, 0.3), (19, 26, 0.3)], 14)
    out.append(geo.tube("cord", cord_path, 0.28, mats.woven("cord", "#2b2a28", 6.0, kind="Object"), 12))
    return out + _plug((19, 26, 0.9), brass)


def _plug(at: tuple[float, float, float], brass) -> Objects:
    """Two-pin plug lying at the cord's end."""
    body, tip = Vector(at), Vector((-0.4, 1.0, 0)).normalized()
    across = Vector((tip.y, -tip.x, 0)) * 0.95
    black = mats.plain("plug", "#1d1c1b", 0.45)
    out = [geo.between("plug", body - tip * 0.4, body + tip * 3.2, lambda t: 0.55 + 0.3 * t, black, flat=1.7, power=3)]
    return out + [
        geo.between("pin", body + tip * 3.2 + across * s, body + tip * 5.1 + across * s, 0.2, brass) for s in (-1, 1)
    ]


def _joint(p: Vector, radius: float, brass, enamel) -> Objects:
    """Knurled hinge across the arm at p."""
    drum = geo.lathe(
        "drum", geo.fillet([(0, -1.1), (radius, -1.1, 0.15), (radius, 1.1, 0.15), (0, 1.1)]), brass, 64, 0.15
    )
    knob = geo.lathe(
        "knob",
        geo.fillet([(0, 0), (radius * 0.75, 0, 0.1), (radius * 0.75, 0.8, 0.15), (0, 0.8)]),
        enamel,
        144,
        0.1,
        shape=lambda r, _z, a: r + 0.03 * math.cos(24 * a) * (r > 0.5),
    )
    return [geo.place(drum, p, (90, 0, 0)), geo.place(knob, p + Vector((0, -1.05, 0)), (90, 0, 0))]


def _shade(tip: Vector, enamel, inside, brass) -> Objects:
    """Conical shade, bulb holder and opal bulb hanging from the arm's tip."""
    outer = [(1.7, 3.4), (1.9, 3.2), (2.3, 1.2), (3.2, -0.6), (7.2, -6.6), (7.35, -7.2)]
    line = geo.spline(outer, 10)
    shade = geo.lathe("shade", [(0, 3.55), (1.6, 3.5)] + [tuple(p) for p in line], enamel, step=0.3)
    lining = geo.lathe(
        "lining", [(7.32, -7.22), (7.2, -7.2)] + [(p.x - 0.16, p.y - 0.04) for p in reversed(line)], inside, step=0.3
    )
    lip = geo.tube(
        "lip", [p + Vector((0, 0, -7.2)) for p in geo.disc_outline(7.33, 128)], 0.12, enamel, 10, closed=True
    )
    bulb = geo.lathe(
        "bulb",
        geo.spline([(0.0, -6.0), (1.4, -5.7), (2.3, -4.4), (2.1, -2.8), (1.3, -1.4), (1.3, 0.2)], 8),
        mats.plain("bulb", "#f6f3ea", 0.25, subsurface=0.3),
    )
    cap = geo.lathe("cap", geo.fillet([(0, 4.6), (0.7, 4.6, 0.2), (0.9, 3.4, 0.1), (1.75, 3.3)]), brass, 64)
    turned = [shade, lining, lip, bulb, cap]
    for part in turned:
        geo.place(part, tip + Vector((1.6, 0, -2.6)), (0, -24, 0))
    return turned


def chair() -> Objects:
    """Windsor-style chair, 86 cm, stained ash: saddle seat, turned legs, spindles."""
    ash = {
        a: mats.wood("ash_" + a, ("#7a4a26", "#b07c48", "#cf9f68"), 0.38, axis=a, scale=0.55, coat=0.2, main=a == "x")
        for a in "xyz"
    }
    return [_seat(ash["y"]), *_chair_legs(ash), *_chair_back(ash)]


def _seat(timber) -> bpy.types.Object:
    """Scooped seat, 43 x 41 cm, top at 45 cm."""
    outline = geo.spline(
        [
            (x, y, 0)
            for x, y in (
                (0, -20.5),
                (11, -20),
                (19.5, -17),
                (21.6, -8),
                (20, 6),
                (16, 16),
                (8, 19.6),
                (0, 20.2),
                (-8, 19.6),
                (-16, 16),
                (-20, 6),
                (-21.6, -8),
                (-19.5, -17),
                (-11, -20),
            )
        ],
        10,
        closed=True,
    )
    profile = (
        [(0.999, 0.0)]
        + [(s, 0.0) for s in (0.9, 0.6, 0.3)]
        + [(0.12, 0.1), (0.045, 0.6), (0.015, 1.4), (0.0, 2.4), (0.01, 3.0), (0.03, 3.5), (0.06, 3.75)]
        + [(s, 3.8) for s in (0.1, 0.16, 0.24, 0.34, 0.46, 0.6, 0.76, 0.92, 0.999)]
    )
    verts = []
    for inset, z in profile:
        for p in outline:
            x, y = p.x * (1 - inset), p.y * (1 - inset)
            dip = 1.5 * _fade(math.hypot(x / 17, (y + 1) / 16), 0.25, 1.05) if z > 3.7 else 0.0
            pommel = 0.9 * math.exp(-((x / 3.5) ** 2)) * _fade(y, -17, -6) * (z > 3.7)
            verts.append((x, y, 41.4 + z - dip + pommel * (inset > 0.05)))
    obj = geo.mesh_object("seat", verts, geo.skin(len(profile), len(outline), False), timber)
    geo.weld(obj, 0.05)
    geo.modify(obj, "SUBSURF", levels=1, render_levels=1)
    return obj


def _turned(t: float, base: float) -> float:
    """Radius of a turned leg or stretcher at t 0..1."""
    belly = math.exp(-(((t - 0.45) / 0.28) ** 2))
    return base * (0.68 + 0.42 * belly)


def _chair_legs(ash) -> Objects:
    """Four splayed legs and an H stretcher."""
    tops = [(-14, -13.5), (14, -13.5), (-11.5, 12.5), (11.5, 12.5)]
    feet = [(-20.5, -20), (20.5, -20), (-18.5, 21), (18.5, 21)]
    out, at = [], []
    for (tx, ty), (fx, fy) in zip(tops, feet, strict=False):
        a, b = Vector((fx, fy, 0)), Vector((tx, ty, 42.6))
        out.append(geo.between("leg", a, b, lambda t: _turned(t, 2.0), ash["z"], 32, cap=False))
        at.append(a.lerp(b, 0.40))
    for i, j in ((0, 2), (1, 3)):
        out.append(geo.between("side", at[i], at[j], lambda t: _turned(t, 1.35), ash["y"], 24))
    mid = [(at[0] + at[2]) / 2, (at[1] + at[3]) / 2]
    out.append(geo.between("cross", mid[0], mid[1], lambda t: _turned(t, 1.3), ash["x"], 24))
    return out


def _chair_back(ash) -> Objects:
    """Seven spindles under a bent top rail, two stouter posts."""
    rail = geo.spline(
        [(-22.5, 22.5, 80.0), (-15, 26.6, 82.2), (0, 29.0, 83.2), (15, 26.6, 82.2), (22.5, 22.5, 80.0)], 14
    )
    out = [
        geo.tube("rail", rail, lambda t: 3.1 * (1 - 0.45 * abs(2 * t - 1) ** 2.5), ash["x"], 28, flat=0.36, power=2.8)
    ]
    for k in range(-4, 5):
        post = abs(k) == 4
        foot = Vector((k * 4.1, 16.8 - 0.32 * k * k, 44.6))
        head = Vector((k * 4.9, 28.6 - 0.30 * k * k, 80.6 + (0.3 if post else 0.6)))
        mid = foot.lerp(head, 0.5) + Vector((0, -0.8, 0))
        path = geo.spline([foot, mid, head], 14)
        thick = (lambda t: _turned(t, 1.5)) if post else (lambda t: _turned(t, 0.95))
        out.append(geo.tube("spindle", path, thick, ash["z"], 16))
    return out
