"""Soft goods: a T-shirt on a hanger, a tote bag on a peg. Lengths in centimetres, facing -Y."""

from __future__ import annotations

import math

import bpy
import geometry as geo
import materials as mats
import numpy as np
import settings_scenes as scenes
from cloth import Garment, cut, hang, sew
from goods import camera
from setting import Setting, Surface

SHIRT_PRINT, SHIRT_TOP = (30.0, 40.0), 55.5
WALL_Y = 5.0
HANGER_X, HANGER_R = 20.5, 1.15


def tshirt() -> Setting:
    """A T-shirt, 52 cm across and 71 long, on a wooden hanger before a wall."""
    front, back = (cut(_shirt_outline(drop), 1.25) for drop in (9.5, 2.5))
    garment = sew(
        front, back, lambda p: 0.3 + 1.2 * np.clip((60 - p[:, 1]) / 25, 0, 1) + 0.2 * np.sin(p[:, 0] * 0.35 + 1)
    )
    pinned = {
        i: (0.965 * p[0], 0.0, hanger_z(0.965 * p[0]) + HANGER_R - 0.1)
        for i, p in enumerate(garment.flat)
        if 9 <= abs(p[0]) <= 20 and abs(p[1] - _shoulder_z(p[0])) < 0.3
    }
    points = hang(garment, pinned, 1.6, 6e-6, _off_hanger_and_wall)
    jersey = mats.plain("jersey", "#f2f1ee", 0.9, variation=0.03, spread=0.006, grain=0.01, grain_scale=9)
    _stitches(jersey, (2.2, 2.4))
    shirt = soft_mesh("tshirt", garment, points, jersey, _shirt_print, _shirt_edges(garment))
    wood = mats.wood("hanger", ("#7c5431", "#a97a4b", "#c59a68"), 0.35)
    arms = [(x, 0, hanger_z(x) - 0.3) for x in np.linspace(-18.8, 18.8, 61)]
    geo.tube("hanger", arms, lambda t: 0.52 - 0.14 * abs(2 * t - 1), wood, 20, flat=0.9)
    _hook(hanger_z(0))
    _wall_and_light("#c9ccc8")
    camera((0, 0, 38), 0, 1, 330, 136)
    return Setting(
        [shirt],
        [jersey],
        [bpy.data.materials["wall"]],
        {"front": Surface([shirt], "print-front", *SHIRT_PRINT)},
        [jersey],
    )


def _shoulder_z(x: float) -> float:
    return 70 - 0.30 * (abs(x) - 9)


def _shirt_outline(drop: float):
    neck = [(9 * math.cos(a), 70 - drop * math.sin(a) ** 0.9) for a in np.linspace(0, math.pi, 25)][::-1]
    arm = [(22.5, 65.95), (28.5, 62.6), (40.5, 51.2)]
    under = [(32.2, 43.4), (28.2, 46.4), (26.2, 45.2), (25.8, 30), (26.3, 0)]

    def mirror(line):
        return [(-x, z) for x, z in line][::-1]

    hem = [(-26.3, 0), (0, 0.5), (26.3, 0)]
    # counter-clockwise from the hem's left end
    return [
        (hem, False),
        (under[::-1], True),
        ([under[0], arm[-1]], False),
        ([*arm[::-1], (9, 70)], True),
        (neck[::-1], False),
        (mirror([*arm[::-1], (9, 70)]), True),
        (mirror([under[0], arm[-1]]), False),
        (mirror(under[::-1]), True),
    ]


def hanger_z(x: float) -> float:
    """Height of the hanger's middle line."""
    return 69.3 - 0.30 * (math.sqrt(x * x + 4) - 9) - 0.0022 * max(abs(x) - 12, 0) ** 2.2


def _off_hanger_and_wall(points: np.ndarray) -> None:
    np.minimum(points[:, 1], WALL_Y - 0.3, out=points[:, 1])
    x = np.clip(points[:, 0], -HANGER_X, HANGER_X)
    z = 69.3 - 0.30 * (np.sqrt(x * x + 4) - 9) - 0.0022 * np.maximum(np.abs(x) - 12, 0) ** 2.2
    away = np.column_stack([points[:, 0] - x, points[:, 1], points[:, 2] - z])
    far = np.sqrt((away**2).sum(1))
    inside = far < HANGER_R
    points[inside] += away[inside] * (HANGER_R / np.maximum(far[inside], 1e-3) - 1)[:, None]


def _shirt_print(flat: np.ndarray) -> np.ndarray:
    return np.column_stack([flat[:, 0] / SHIRT_PRINT[0] + 0.5, (SHIRT_TOP - flat[:, 1]) / SHIRT_PRINT[1]])


def _shirt_edges(garment: Garment) -> np.ndarray:
    """How far each point is from the edge with a hem or a collar that it is nearest to."""
    x, z = np.abs(garment.flat[:, 0]), garment.flat[:, 1]
    drop = np.where(garment.front, 9.5, 2.5)
    angle = np.linspace(0, math.pi / 2, 200)
    neck = np.min(np.hypot(x[:, None] - 9 * np.cos(angle), z[:, None] - 70 + drop[:, None] * np.sin(angle) ** 0.9), 1)
    cuff = np.abs((x - 32.2) * 7.8 - (z - 43.4) * 8.3) / math.hypot(7.8, 8.3)
    cuff = np.where(x > 27, cuff, 99)
    return np.minimum.reduce([z, neck, cuff])


def soft_mesh(name: str, garment: Garment, points: np.ndarray, material, place, edges: np.ndarray):
    """The hung garment with its thickness: prints on its front, and `edge`, how far a point is from a hem, in cm."""
    obj = geo.mesh_object(name, points, garment.triangles.tolist(), material)
    layer = obj.data.uv_layers.new(name="print-front")
    for k, polygon in enumerate(obj.data.polygons):
        at = place(garment.rest[k]) if k < garment.front_count else np.full((3, 2), -9.0)
        for loop, uv in zip(polygon.loop_indices, at, strict=False):
            layer.data[loop].uv = uv
    attribute = obj.data.attributes.new("edge", "FLOAT", "POINT")
    attribute.data.foreach_set("value", edges.astype(np.float32))
    _crease(obj.data, garment)
    geo.modify(obj, "SOLIDIFY", thickness=0.11, offset=0)
    geo.modify(obj, "SUBSURF", levels=2, render_levels=2, uv_smooth="PRESERVE_BOUNDARIES")
    return geo.apply(obj)


def _crease(mesh: bpy.types.Mesh, garment: Garment) -> None:
    """Keep seams the lines they are, whatever the triangles beside them."""
    sharp = mesh.attributes.new("crease_edge", "FLOAT", "EDGE")
    sharp.data.foreach_set("value", [float(tuple(sorted(edge.vertices)) in garment.seams) for edge in mesh.edges])


def _stitches(material, lines: tuple[float, float]) -> None:
    """Grooves of a seam, at these distances from an edge."""
    g = mats.Graph(material)
    edge = g.add("ShaderNodeAttribute", attribute_name="edge").outputs["Fac"]
    for line in lines:
        away = g.math("ABSOLUTE", g.math("SUBTRACT", edge, line))
        g.bump(g.span(away, 0.0, 1.0, 0.0, 0.09), 0.05)


def _hook(z: float) -> None:
    steel = mats.metal("hook", "#b8b6b0", 0.25)
    path = [(0, 0, z), (0, 0, z + 3.2), *geo.arc((1.6, 0, z + 5.2), 1.9, 205, 0, 24)]
    geo.tube("hook", geo.spline(path, 6), 0.17, steel, 16)
    geo.between(
        "peg",
        (1.6, WALL_Y, z + 6.4),
        (1.6, -2.2, z + 6.75),
        0.42,
        mats.wood("peg", ("#7c5431", "#a97a4b", "#c59a68"), 0.4, axis="y"),
    )


def _wall_and_light(colour: str) -> None:
    scenes.wall(WALL_Y, colour, low=-150)
    scenes.world("#6d6a66", "#a5a29c", "#d6d8da", 0.32)
    scenes.soft_box("window", (0, 0, 40), -58, 30, 230, (90, 130), 1.05, scenes.NEUTRAL)
    scenes.soft_box("room", (0, 0, 40), 40, 20, 300, (200, 200), 0.10, scenes.COOL)


BAG, BAG_PRINT, STRAP_X, PEG_Z = (38.0, 40.0), (26.0, 30.0), 9.0, 66.0


def tote() -> Setting:
    """A cotton bag, 38 by 40 cm, hanging by its straps from a peg."""
    half, high = BAG[0] / 2, BAG[1]
    outline = [([(-half, high), (-half, 0), (half, 0), (half, high)], True), ([(half, high), (-half, high)], False)]
    panel = cut(outline, 1.1)
    garment = sew(
        panel, panel, lambda p: 0.3 + 1.1 * np.cos(p[:, 0] * math.pi / BAG[0]) * (1 + 0.2 * np.sin(p[:, 1] * 0.4))
    )
    pinned = {
        i: (0.975 * p[0], -1.3 if garment.front[i] else 1.1, p[1])
        for i, p in enumerate(garment.flat)
        if abs(abs(p[0]) - STRAP_X) < 1.3 and p[1] > high - 3.2
    }
    points = hang(garment, pinned, 1.4, 2e-6, lambda points: np.minimum(points[:, 1], WALL_Y - 0.4, out=points[:, 1]))
    canvas = mats.woven("canvas", "#efe9dc", 8.0, depth=0.006, sheen=0.0, kind="Object")
    _stitches(canvas, (2.4,))
    bag = soft_mesh("tote", garment, points, canvas, _bag_print, BAG[1] - garment.flat[:, 1])
    straps = [_strap(y, over, canvas) for y, over in ((-1.62, -1.2), (1.4, 1.6))]
    timber = mats.wood("peg", ("#5f3f26", "#8a6038", "#a97d50"), 0.4, axis="y")
    geo.tube("peg", [(0, y, PEG_Z) for y in np.linspace(WALL_Y + 1, -3.4, 24)], 0.9, timber, 32)
    _wall_and_light("#d6cabb")
    camera((0, 0, 32.8), 0, 2, 300, 140)
    return Setting(
        [bag, *straps],
        [canvas],
        [bpy.data.materials["wall"]],
        {"front": Surface([bag], "print-front", *BAG_PRINT)},
        [canvas],
    )


def _bag_print(flat: np.ndarray) -> np.ndarray:
    return np.column_stack([flat[:, 0] / BAG_PRINT[0] + 0.5, (36.2 - flat[:, 1]) / BAG_PRINT[1]])


def _strap(y: float, over_y: float, material) -> bpy.types.Object:
    """A ribbon from one side of the bag over the peg to the other, turning from the bag's plane to the peg's."""
    x, low = 0.975 * STRAP_X, BAG[1] - 3.2
    side = [(x, y, low), (x, y, BAG[1]), (0.62 * x, (y + over_y) / 2, BAG[1] + 11), (1.25, over_y, PEG_Z - 1)]
    top = [(1.02 * math.cos(a), over_y, PEG_Z + 1.02 * math.sin(a)) for a in np.linspace(0.3, math.pi - 0.3, 7)]
    path = geo.spline([*side, *top, *[(-px, py, pz) for px, py, pz in side[::-1]]], 12)
    count = len(path) - 1

    def at(u: float, v: float):
        point = path[round(v * count)]
        share = min(max((point.z - BAG[1] - 2) / (PEG_Z - BAG[1] - 5), 0.0), 1.0)
        turn = share * share * (3 - 2 * share) * math.pi / 2 * (1 if v < 0.5 else -1)
        across = (u - 0.5) * 2.5
        return (
            point.x + across * math.cos(turn),
            point.y + across * abs(math.sin(turn)) * (1 if v < 0.5 else -1),
            point.z,
        )

    strap = geo.grid("strap", at, 8, count, material)
    attribute = strap.data.attributes.new("edge", "FLOAT", "POINT")
    attribute.data.foreach_set("value", [99.0] * len(strap.data.vertices))
    geo.modify(strap, "SOLIDIFY", thickness=0.22, offset=0)
    geo.modify(strap, "SUBSURF", levels=1, render_levels=1)
    return geo.apply(strap)
