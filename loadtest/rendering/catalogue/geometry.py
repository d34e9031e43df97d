"""Mesh building blocks. Every length is in centimetres (1 Blender unit = 1 cm)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import bmesh
import bpy
from mathutils import Matrix, Quaternion, Vector

Point = Sequence[float]


def link(obj: bpy.types.Object) -> bpy.types.Object:
    """Put an object in the scene's root collection."""
    bpy.context.scene.collection.objects.link(obj)
    return obj


def mesh_object(name, verts, faces, material=None, uvs=None, smooth=True) -> bpy.types.Object:
    """Object from vertices (cm), faces and optional per-vertex UVs."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata([tuple(v) for v in verts], [], faces)
    if uvs is not None:
        layer = mesh.uv_layers.new(name="UVMap")
        for loop in mesh.loops:
            layer.data[loop.index].uv = uvs[loop.vertex_index]
    mesh.polygons.foreach_set("use_smooth", [smooth] * len(mesh.polygons))
    if material is not None:
        mesh.materials.append(material)
    mesh.update()
    return link(bpy.data.objects.new(name, mesh))


def modify(obj: bpy.types.Object, kind: str, **settings) -> bpy.types.Modifier:
    """Add a modifier and set its properties."""
    modifier = obj.modifiers.new(kind.lower(), kind)
    for key, value in settings.items():
        setattr(modifier, key, value)
    return modifier


def apply(obj: bpy.types.Object) -> bpy.types.Object:
    """Replace an object's mesh by the result of its modifiers."""
    graph = bpy.context.evaluated_depsgraph_get()
    mesh = bpy.data.meshes.new_from_object(obj.evaluated_get(graph))
    obj.modifiers.clear()
    obj.data = mesh
    return obj


def join(objects: Sequence[bpy.types.Object]) -> bpy.types.Object:
    """Join meshes into the first one, transforms baked in."""
    bpy.context.view_layer.update()
    merged = bmesh.new()
    slots: list[bpy.types.Material] = []
    for obj in objects:
        part = obj.data.copy()
        part.transform(obj.matrix_world)
        for polygon in part.polygons:
            material = part.materials[polygon.material_index] if part.materials else None
            if material not in slots:
                slots.append(material)
            polygon.material_index = slots.index(material)
        merged.from_mesh(part)
    first = objects[0]
    mesh = bpy.data.meshes.new(first.name)
    merged.to_mesh(mesh)
    merged.free()
    for material in slots:
        mesh.materials.append(material)
    for obj in objects[1:]:
        bpy.data.objects.remove(obj)
    first.data = mesh
    first.matrix_world = Matrix.Identity(4)
    return first


def place(obj, location=(0, 0, 0), rotation=(0, 0, 0), scale=1.0) -> bpy.types.Object:
    """Move (cm), turn (degrees, XYZ Euler) and scale an object."""
    obj.location = location
    obj.rotation_euler = [math.radians(a) for a in rotation]
    obj.scale = (scale,) * 3 if isinstance(scale, (int, float)) else scale
    return obj


def fillet(points: Sequence[Point], steps: int = 7) -> list[tuple[float, float]]:
    """Round the corners of a polyline; each point is (x, y[, corner radius cm])."""
    pts = [Vector((p[0], p[1])) for p in points]
    out = [tuple(pts[0])]
    for i in range(1, len(pts) - 1):
        radius = points[i][2] if len(points[i]) > 2 else 0.0
        before, here, after = pts[i - 1], pts[i], pts[i + 1]
        reach = min(radius, 0.48 * (before - here).length, 0.48 * (after - here).length)
        if reach <= 1e-6:
            out.append(tuple(here))
            continue
        a = here + (before - here).normalized() * reach
        b = here + (after - here).normalized() * reach
        for k in range(steps + 1):
            t = k / steps
            out.append(tuple((1 - t) ** 2 * a + 2 * t * (1 - t) * here + t * t * b))
    out.append(tuple(pts[-1]))
    return out


def spline(points: Sequence[Point], per: int = 10, closed: bool = False) -> list[Vector]:
    """Catmull-Rom curve through 2D or 3D points, `per` samples a span."""
    pts = [Vector(p) for p in points]
    count = len(pts)
    get = (lambda i: pts[i % count]) if closed else (lambda i: pts[max(0, min(count - 1, i))])
    out = []
    for i in range(count if closed else count - 1):
        p0, p1, p2, p3 = get(i - 1), get(i), get(i + 1), get(i + 2)
        for k in range(per):
            t = k / per
            out.append(
                0.5
                * (
                    2 * p1
                    + (p2 - p0) * t
                    + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t * t
                    + (3 * p1 - p0 - 3 * p2 + p3) * t**3
                )
            )
    if not closed:
        out.append(pts[-1].copy())
    return out


def resample(points: Sequence[Point], step: float) -> list[Vector]:
    """Split long segments so that none is longer than `step` cm."""
    pts = [Vector(p) for p in points]
    out = [pts[0]]
    for a, b in itertools.pairwise(pts):
        pieces = max(1, math.ceil((b - a).length / step))
        out += [a.lerp(b, k / pieces) for k in range(1, pieces + 1)]
    return out


def lathe(
    name: str,
    profile: Sequence[Point],
    material=None,
    segments: int = 128,
    step: float = 0.4,
    shape: Callable[[float, float, float], float] | None = None,
):
    """Turn a profile of (radius, height) cm about Z; `shape(r, z, angle)` may alter r."""
    line = resample([(p[0], p[1]) for p in profile], step)
    verts, uvs, faces, along = [], [], [], 0.0
    for j, p in enumerate(line):
        along += (p - line[j - 1]).length if j else 0.0
        for i in range(segments + 1):
            angle = 2 * math.pi * i / segments
            r = shape(p.x, p.y, angle) if shape else p.x
            verts.append((r * math.cos(angle), r * math.sin(angle), p.y))
            uvs.append((i / segments, along))
    row = segments + 1
    for j in range(len(line) - 1):
        for i in range(segments):
            faces.append((j * row + i, j * row + i + 1, (j + 1) * row + i + 1, (j + 1) * row + i))
    obj = mesh_object(name, verts, faces, material, uvs)
    weld(obj)
    return obj


def weld(obj: bpy.types.Object, distance: float = 1e-4) -> None:
    """Merge doubled vertices (cm) and point the normals outwards."""
    work = bmesh.new()
    work.from_mesh(obj.data)
    bmesh.ops.remove_doubles(work, verts=work.verts, dist=distance)
    bmesh.ops.recalc_face_normals(work, faces=work.faces)
    work.to_mesh(obj.data)
    work.free()


def frames(path: Sequence[Vector], closed: bool) -> list[tuple[Vector, Vector]]:
    """A (normal, binormal) pair along a path, carried without twist."""
    count, out = len(path), []

    def tangent_at(i):
        return (
            (path[(i + 1) % count] - path[(i - 1) % count])
            if closed
            else (path[min(i + 1, count - 1)] - path[max(i - 1, 0)])
        )

    last = tangent_at(0).normalized()
    side = Vector((0, 0, 1)) if abs(last.z) < 0.9 else Vector((1, 0, 0))
    normal = (side - last * side.dot(last)).normalized()
    for i in range(count):
        tangent = tangent_at(i).normalized()
        normal = last.rotation_difference(tangent) @ normal
        normal = (normal - tangent * normal.dot(tangent)).normalized()
        out.append((normal, tangent.cross(normal)))
        last = tangent
    return out


def tube(
    name: str,
    path: Sequence[Point],
    radius,
    material=None,
    segments: int = 16,
    closed: bool = False,
    flat: float = 1.0,
    power: float = 2.0,
    cap: bool = True,
):
    """Sweep a (super-)ellipse along a path.

    radius: cm, or a function of the position 0..1; flat: binormal radius over normal radius;
    power: 2 for an ellipse, more for a rounded rectangle; cap: round off open ends.
    """
    pts = [Vector(p) for p in path]
    width = radius if callable(radius) else (lambda _t: radius)
    count, rings = len(pts), []
    for i, (normal, binormal) in enumerate(frames(pts, closed)):
        r = width(i / max(1, count - 1))
        rings.append(ring(pts[i], normal * r, binormal * r * flat, segments, power))
    if cap and not closed:
        rings = rounded_ends(pts, rings, width)
    verts = [v for r in rings for v in r]
    faces = skin(len(rings), segments, closed)
    if not closed:
        faces += [tuple(range(segments))[::-1], tuple(range(len(verts) - segments, len(verts)))]
    obj = mesh_object(name, verts, faces, material)
    weld(obj)
    return obj


def ring(centre: Vector, a: Vector, b: Vector, segments: int, power: float) -> list[Vector]:
    """One cross-section of a tube."""
    out = []
    for k in range(segments):
        angle = 2 * math.pi * k / segments
        c, s = math.cos(angle), math.sin(angle)
        out.append(centre + a * math.copysign(abs(c) ** (2 / power), c) + b * math.copysign(abs(s) ** (2 / power), s))
    return out


def rounded_ends(pts, rings, width):
    """Add shrinking rings so that a tube ends in a soft dome."""
    head, tail = [], []
    for angle in (80, 60, 40, 20):
        shrink, push = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        out = (pts[0] - pts[1]).normalized() * width(0) * push * 0.7
        head.append([pts[0] + (v - pts[0]) * shrink + out for v in rings[0]])
        out = (pts[-1] - pts[-2]).normalized() * width(1) * push * 0.7
        tail.insert(0, [pts[-1] + (v - pts[-1]) * shrink + out for v in rings[-1]])
    return head + list(rings) + tail


def skin(rows: int, columns: int, closed: bool) -> list[tuple[int, ...]]:
    """Quads between rings of vertices."""
    faces = []
    for j in range(rows if closed else rows - 1):
        k = (j + 1) % rows
        for i in range(columns):
            n = (i + 1) % columns
            faces.append((j * columns + i, j * columns + n, k * columns + n, k * columns + i))
    return faces


def grid(
    name: str,
    surface: Callable[[float, float], Point],
    nu: int,
    nv: int,
    material=None,
    uv_size: tuple[float, float] = (1, 1),
    wrap_u: bool = False,
):
    """Surface patch from a function of (u, v) in 0..1; UVs span `uv_size`."""
    verts, uvs, faces = [], [], []
    for j in range(nv + 1):
        for i in range(nu + 1):
            u, v = i / nu, j / nv
            verts.append(surface(u, v))
            uvs.append((u * uv_size[0], v * uv_size[1]))
    for j in range(nv):
        for i in range(nu):
            a = j * (nu + 1) + i
            faces.append((a, a + 1, a + nu + 2, a + nu + 1))
    obj = mesh_object(name, verts, faces, material, uvs)
    if wrap_u:
        weld(obj)
    return obj


def box(
    name: str,
    size: Point,
    material=None,
    bevel: float = 0.2,
    segments: int = 4,
    location: Point = (0, 0, 0),
    rotation: Point = (0, 0, 0),
):
    """Rounded box of `size` cm standing on z = location.z, centred in x and y."""
    work = bmesh.new()
    bmesh.ops.create_cube(work, size=1.0)
    bmesh.ops.scale(work, vec=size, verts=work.verts)
    bmesh.ops.translate(work, vec=(0, 0, size[2] / 2), verts=work.verts)
    if bevel > 0:
        bmesh.ops.bevel(work, geom=list(work.edges), offset=bevel, segments=segments, profile=0.5, affect="EDGES")
    mesh = bpy.data.meshes.new(name)
    work.to_mesh(mesh)
    work.free()
    mesh.polygons.foreach_set("use_smooth", [True] * len(mesh.polygons))
    if material is not None:
        mesh.materials.append(material)
    obj = link(bpy.data.objects.new(name, mesh))
    modify(obj, "WEIGHTED_NORMAL", keep_sharp=False, weight=100)
    return place(obj, location, rotation)


def disc_outline(radius: float, count: int = 96) -> list[Vector]:
    """Closed circle of `radius` cm in the XY plane."""
    return [
        Vector((radius * math.cos(2 * math.pi * i / count), radius * math.sin(2 * math.pi * i / count), 0))
        for i in range(count)
    ]


def slab(name: str, outline: Sequence[Point], profile: Sequence[Point], material=None):
    """Stack scaled copies of a closed outline: profile is (inset cm, z cm) pairs, bottom first."""
    pts = [Vector((p[0], p[1])) for p in outline]
    count = len(pts)
    normals = []
    for i in range(count):
        t = (pts[(i + 1) % count] - pts[i - 1]).normalized()
        normals.append(Vector((-t.y, t.x)))
    verts = [(*(pts[i] + normals[i] * inset), z) for inset, z in profile for i in range(count)]
    faces = skin(len(profile), count, False)
    faces += [tuple(range(count))[::-1], tuple(range(len(verts) - count, len(verts)))]
    obj = mesh_object(name, verts, faces, material)
    weld(obj, 1e-5)
    return obj


def patch_on_cylinder(
    name: str,
    radius: float,
    z0: float,
    z1: float,
    degrees: float,
    material=None,
    centre: float = -90.0,
    turns: int = 72,
):
    """Curved label on a cylinder about Z; UV 0..1 with u to the viewer's right."""

    def at(u: float, v: float) -> Point:
        angle = math.radians(centre + (u - 0.5) * degrees)
        return (radius * math.cos(angle), radius * math.sin(angle), z0 + (z1 - z0) * v)

    return grid(name, at, turns, 24, material)


def parent_all(objects: Sequence[bpy.types.Object], yaw: float, location: Point = (0, 0, 0)):
    """Hang objects under one empty turned by `yaw` degrees about Z."""
    bpy.context.view_layer.update()
    root = link(bpy.data.objects.new("product", None))
    for obj in objects:
        if obj.parent is None:
            obj.parent = root
    place(root, location, (0, 0, yaw))
    return root


def arc(
    centre: Point, radius: float, start: float, end: float, count: int = 48, plane: str = "xz", squash: float = 1.0
) -> list[Vector]:
    """Circle arc (degrees) in a coordinate plane; `squash` scales the second axis."""
    axes = {"x": 0, "y": 1, "z": 2}
    out = []
    for i in range(count + 1):
        angle = math.radians(start + (end - start) * i / count)
        p = Vector(centre)
        p[axes[plane[0]]] += radius * math.cos(angle)
        p[axes[plane[1]]] += radius * squash * math.sin(angle)
        out.append(p)
    return out


def aim(obj: bpy.types.Object, target: Point) -> bpy.types.Object:
    """Turn a light or camera to look at a point (cm)."""
    direction = Vector(target) - Vector(obj.location)
    obj.rotation_euler = direction.to_track_quat("-Z", "Y").to_euler()
    return obj


def between(name: str, a: Point, b: Point, radius, material=None, count: int = 24, **kw):
    """Straight tube from a to b (cm)."""
    va, vb = Vector(a), Vector(b)
    return tube(name, [va.lerp(vb, i / count) for i in range(count + 1)], radius, material, **kw)


def smooth_noise(seed: int) -> Callable[[float], float]:
    """Slow one-dimensional wobble in -1..1, the same for the same seed."""
    phases = [(seed * 12.9898 * (k + 1)) % 6.283 for k in range(3)]
    return lambda t: (
        (math.sin(2.1 * t + phases[0]) + 0.6 * math.sin(4.7 * t + phases[1]) + 0.4 * math.sin(9.3 * t + phases[2]))
        / 2.0
    )


def turn(vector: Point, axis: Point, degrees: float) -> Vector:
    """Rotate a vector about an axis."""
    return Quaternion(Vector(axis), math.radians(degrees)) @ Vector(vector)
