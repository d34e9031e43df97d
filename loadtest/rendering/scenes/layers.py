"""Rendering a scene's layers, each as an array of linear light with the upper row first."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy
import materials as mats
import numpy as np
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector
from shots import Shot

MASK_SAMPLES, OCCLUDER_SAMPLES = 48, 192
FAR_MM = 65_535


@contextmanager
def tagged(part: str, prefix: str = "") -> Iterator[None]:
    """Say of the objects made inside, those named `prefix…`, which part of the scene they are."""
    before = set(bpy.data.objects)
    yield
    for obj in set(bpy.data.objects) - before:
        if obj.name.startswith(prefix):
            obj["part"] = part


def parts(prefix: str) -> list[bpy.types.Object]:
    """The objects whose tag begins so."""
    return [obj for obj in bpy.context.scene.objects if str(obj.get("part", "")).startswith(prefix)]


def surroundings() -> list[bpy.types.Object]:
    """Everything that can be seen and is not in front of the places."""
    return [obj for obj in bpy.context.scene.objects if obj.type in ("MESH", "CURVE") and obj.get("part") != "occluder"]


def reset(shot: Shot, samples: int, scale: float, threads: int) -> None:
    """Empty scene with the renderer set up."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    render, cycles = scene.render, scene.cycles
    render.engine = "CYCLES"
    render.resolution_x, render.resolution_y = (round(side * scale) for side in shot.size)
    render.resolution_percentage = 100
    render.threads_mode, render.threads = "FIXED", threads
    cycles.device, cycles.seed = "CPU", 1
    cycles.samples, cycles.use_adaptive_sampling, cycles.adaptive_threshold = samples, True, 0.04
    cycles.adaptive_min_samples, cycles.use_light_tree = 8, False
    cycles.use_denoising, cycles.denoiser = True, "OPENIMAGEDENOISE"
    cycles.denoising_prefilter, cycles.denoising_quality = "ACCURATE", "HIGH"  # blur makes the guides noisy too
    cycles.denoising_input_passes = "RGB_ALBEDO_NORMAL"
    cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces = 8, 3, 3
    cycles.transmission_bounces, cycles.transparent_max_bounces = 4, 8
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.sample_clamp_indirect = 6.0


def render() -> np.ndarray:
    """The scene as it is now: (height, width, 4) linear float32, alpha premultiplied."""
    scene = bpy.context.scene
    settings = scene.render.image_settings
    settings.file_format, settings.color_mode, settings.color_depth, settings.exr_codec = (
        "OPEN_EXR",
        "RGBA",
        "32",
        "ZIP",
    )
    with tempfile.TemporaryDirectory() as folder:
        scene.render.filepath = str(Path(folder) / "layer.exr")
        bpy.ops.render.render(write_still=True)
        picture = bpy.data.images.load(scene.render.filepath)
        picture.colorspace_settings.name = "Non-Color"
        width, height = picture.size
        pixels = np.empty(width * height * 4, np.float32)
        picture.pixels.foreach_get(pixels)
        bpy.data.images.remove(picture)
    return pixels.reshape(height, width, 4)[::-1]


def plate() -> np.ndarray:
    """The empty scene: no props; what is in front of the places is unseen but casts its shadow."""
    return render()[..., :3]


def key() -> np.ndarray:
    """What comes straight from the main light and is reflected once."""
    scene = bpy.context.scene
    others = [obj for obj in scene.objects if obj.type == "LIGHT" and obj.get("part") != "key"]
    glow = [material for material in bpy.data.materials if material.name.startswith("glow")]
    strength = scene.world.node_tree.nodes["Background"].inputs["Strength"]
    kept, bounces = strength.default_value, scene.cycles.max_bounces
    lit = [material.node_tree.nodes["Principled BSDF"].inputs["Emission Strength"] for material in glow]
    levels = [socket.default_value for socket in lit]
    for obj in others:
        obj.hide_render = True
    for socket in (strength, *lit):
        socket.default_value = 0.0
    scene.cycles.max_bounces = 0
    layer = render()[..., :3]
    for obj in others:
        obj.hide_render = False
    for socket, level in zip((strength, *lit), (kept, *levels), strict=True):
        socket.default_value = level
    scene.cycles.max_bounces = bounces
    return layer


def occluder() -> np.ndarray:
    """What is in front of the places, alone: RGBA with premultiplied alpha. Many samples instead of denoising, which
    would leave the alpha as it is."""
    scene = bpy.context.scene
    cycles = scene.cycles
    kept, cycles.samples = cycles.samples, OCCLUDER_SAMPLES
    cycles.use_denoising = cycles.use_adaptive_sampling = False
    seen = [obj for obj in surroundings() if obj.visible_camera]
    for obj in seen:
        obj.visible_camera = False
    for obj in parts("occluder"):
        obj.visible_camera = True
    scene.render.film_transparent = True
    crop_around(parts("occluder"), Vector((0, 0, 1)))
    layer = render()
    scene.render.film_transparent = scene.render.use_border = False
    cycles.samples, cycles.use_denoising, cycles.use_adaptive_sampling = kept, True, True
    for obj in seen:
        obj.visible_camera = True
    for obj in parts("occluder"):
        obj.visible_camera = False
    return layer


def with_prop(part: str, towards: Vector) -> tuple[np.ndarray, np.ndarray]:
    """Plate and key with a prop shown, rendered only around it and its shadow; 0 elsewhere."""
    shown = parts(part)
    for obj in shown:
        obj.hide_render = False
    crop_around(shown, towards)
    pair = plate(), key()
    bpy.context.scene.render.use_border = False
    for obj in shown:
        obj.hide_render = True
    return pair


def crop_around(objects: list[bpy.types.Object], towards: Vector, margin: float = 0.09) -> None:
    """Render only the part of the frame that holds the objects and their shadows on the surface."""
    scene = bpy.context.scene
    bpy.context.view_layer.update()
    corners = [obj.matrix_world @ Vector(corner) for obj in objects for corner in obj.bound_box]
    feet = [corner - towards * (max(corner.z, 0.0) / towards.z) for corner in corners]
    seen = np.array([world_to_camera_view(scene, scene.camera, point) for point in corners + feet])
    low, high = np.clip(seen.min(0) - margin, 0, 1), np.clip(seen.max(0) + margin, 0, 1)
    render = scene.render
    render.use_border, render.use_crop_to_border = True, False
    render.border_min_x, render.border_max_x = float(low[0]), float(high[0])
    render.border_min_y, render.border_max_y = float(low[1]), float(high[1])


@contextmanager
def flat(shade: Callable[[mats.Graph], object], samples: int, sharp: bool) -> Iterator[None]:
    """Every surface gives one value of its own instead of being lit; `sharp` without the lens's blur."""
    scene = bpy.context.scene
    cycles, lens = scene.cycles, scene.camera.data.dof
    material, g = mats.new("flat_value")
    emission = g.add("ShaderNodeEmission", {"Color": shade(g)})
    g.set(g.output.inputs["Surface"], emission.outputs[0])
    material.cycles.emission_sampling = "NONE"
    strength = scene.world.node_tree.nodes["Background"].inputs["Strength"]
    kept = (cycles.samples, cycles.max_bounces, strength.default_value, cycles.pixel_filter_type)
    cycles.samples, cycles.max_bounces, strength.default_value = samples, 0, 0.0
    cycles.use_denoising = cycles.use_adaptive_sampling = False
    if sharp:
        lens.use_dof, cycles.pixel_filter_type = False, "BOX"
    bpy.context.view_layer.material_override = material
    yield
    bpy.context.view_layer.material_override = None
    cycles.samples, cycles.max_bounces, strength.default_value, cycles.pixel_filter_type = kept
    cycles.use_denoising = cycles.use_adaptive_sampling = lens.use_dof = True
    bpy.data.materials.remove(material)


def depth() -> np.ndarray:
    """Distance along the camera's axis in mm, (height, width) uint16; 65535 is as far or farther."""
    with flat(lambda g: g.add("ShaderNodeCameraData").outputs["View Z Depth"], 1, sharp=True):
        found = render()[..., 0] * 10.0
    return np.where(found <= 0, FAR_MM, np.clip(np.rint(found), 1, FAR_MM)).astype(np.uint16)


def mask(part: str) -> np.ndarray:
    """How much of each pixel is the part, 0 to 1."""
    for obj in bpy.context.scene.objects:
        obj.pass_index = 1 if obj.get("part") == part else 0
    with flat(lambda g: g.add("ShaderNodeObjectInfo").outputs["Object Index"], MASK_SAMPLES, sharp=False):
        return np.clip(render()[..., 0], 0.0, 1.0)
