"""Render the artwork templates: what light does to a print, and where on the print each pixel lies.

    python loadtest/rendering/templates/render.py [--only NAME ...] [--out DIR] [--scale S] [--samples N]

Needs `bpy` and Pillow; see README.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "catalogue")]

import bpy  # noqa: E402
import materials as mats  # noqa: E402
import numpy as np  # noqa: E402
import templates  # noqa: E402
from PIL import Image  # noqa: E402
from setting import Setting  # noqa: E402
from templates import Template  # noqa: E402
from writing import write_grey, write_light, write_map, write_yaml  # noqa: E402

OUT = HERE.parents[2] / "gpu_workers" / "library" / "templates"
SAMPLES = 32
MAP_SAMPLES = 49  # sub-pixel places of a map's pixel
SEEN_MIN = 1 / 512  # of a product, in a pixel


def main() -> None:
    """Command line."""
    args = arguments()
    for template in templates.TEMPLATES:
        if not args.only or template.name in args.only:
            started = time.process_time()
            make(template, args)
            print(f"{template.name} {time.process_time() - started:.0f} CPU s", flush=True)


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--samples", type=int, default=SAMPLES, help="most Cycles samples a pixel")
    parser.add_argument("--scale", type=float, default=1.0, help="size factor, for previews")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--proof", type=Path, help="also render with this picture printed on the first map")
    return parser.parse_args()


def make(template: Template, args: argparse.Namespace) -> None:
    """One template: build it, render its layers, write its folder."""
    folder = args.out / template.name
    folder.mkdir(parents=True, exist_ok=True)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    setting = template.build()
    prepare(template, args)
    product, ground = dimmers(setting.product_materials), dimmers(setting.ground_materials)
    dim(product, 0), dim(ground, 0)
    plate = photograph(template)
    dim(ground, 1)
    with_ground = photograph(template)
    dim(product, 1)
    whole = photograph(template)
    with_ground = np.minimum(with_ground, whole)  # light only adds: what does not is the denoiser's
    plate = np.minimum(plate, with_ground)
    write_light(folder / "plate.jpg", plate)
    write_light(folder / "ground.jpg", with_ground - plate)
    write_light(folder / "shading.jpg", whole - with_ground)
    if args.proof:
        prove(template, setting, args)
    prepare_for_maps()
    seen = flat_light(setting.product, None)[..., 0]
    write_grey(folder / "product.png", seen)
    for name, surface in setting.maps.items():
        write_map(folder / f"{name}.png", *measured(flat_light(surface.objects, surface.layer), seen))
    write_yaml(folder / "template.yaml", template, setting, round(template.side_px * args.scale))


def colour(hex_code: str) -> np.ndarray:
    """sRGB hex as linear light, (3,)."""
    return np.array(mats.linear(hex_code)[:3], np.float32)


# --- light --------------------------------------------------------------------------------------


def prepare(template: Template, args: argparse.Namespace) -> None:
    """The renderer for pictures: linear light, nothing between it and the file."""
    scene = bpy.context.scene
    render, cycles = scene.render, scene.cycles
    render.engine = "CYCLES"
    render.resolution_x = render.resolution_y = round(template.side_px * args.scale)
    render.resolution_percentage, render.use_persistent_data = 100, True
    render.threads_mode, render.threads = "FIXED", args.threads
    render.image_settings.file_format, render.image_settings.color_depth = "OPEN_EXR", "32"
    render.image_settings.color_mode = "RGBA"
    cycles.device, cycles.seed = "CPU", 1
    cycles.samples, cycles.use_adaptive_sampling, cycles.adaptive_threshold = args.samples, True, 0.03
    cycles.adaptive_min_samples = 12
    cycles.use_denoising, cycles.denoiser = True, "OPENIMAGEDENOISE"
    cycles.denoising_prefilter, cycles.denoising_input_passes = "ACCURATE", "RGB_ALBEDO_NORMAL"
    cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces = 8, 3, 3
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.sample_clamp_indirect = 4.0
    scene.view_settings.view_transform, scene.view_settings.look = "Standard", "None"


def photograph(template: Template) -> np.ndarray:
    """The scene as it is now, (h, w, 3) linear light at the template's exposure."""
    return rendered()[..., :3] * np.float32(2.0**template.exposure)


def rendered() -> np.ndarray:
    """What the renderer gives, (h, w, 4) float32, the top row first."""
    scene = bpy.context.scene
    with tempfile.TemporaryDirectory() as scratch:
        scene.render.filepath = str(Path(scratch) / "light.exr")
        bpy.ops.render.render(write_still=True)
        image = bpy.data.images.load(scene.render.filepath)
        pixels = np.empty(image.size[0] * image.size[1] * 4, np.float32)
        image.pixels.foreach_get(pixels)
        shape = (image.size[1], image.size[0], 4)
        bpy.data.images.remove(image)
    return pixels.reshape(shape)[::-1]


def dimmers(materials: list[bpy.types.Material]) -> list[bpy.types.NodeSocket]:
    """A socket for each material that its colour is multiplied by."""
    return [dimmer(material) for material in materials]


def dimmer(material: bpy.types.Material) -> bpy.types.NodeSocket:
    """Put a factor before the material's colour; its relief and its gloss stay."""
    tree = material.node_tree
    shader = next(n for n in tree.nodes if n.type in ("BSDF_PRINCIPLED", "BSDF_DIFFUSE") and n.outputs[0].is_linked)
    socket = shader.inputs["Base Color" if shader.type == "BSDF_PRINCIPLED" else "Color"]
    factor = tree.nodes.new("ShaderNodeVectorMath")
    factor.operation = "MULTIPLY"
    if socket.is_linked:
        tree.links.new(socket.links[0].from_socket, factor.inputs[0])
    else:
        factor.inputs[0].default_value = socket.default_value[:3]
    tree.links.new(factor.outputs[0], socket)
    return factor.inputs[1]


def dim(sockets: list[bpy.types.NodeSocket], share: float) -> None:
    """Let the materials reflect this share of what they do."""
    for socket in sockets:
        socket.default_value = (share,) * 3


# --- maps ---------------------------------------------------------------------------------------


def prepare_for_maps() -> None:
    """No light but the maps' own, no denoising; the pixel filter is the pictures' own, so that edges agree."""
    scene = bpy.context.scene
    cycles = scene.cycles
    cycles.use_denoising = cycles.use_adaptive_sampling = False
    cycles.samples, cycles.max_bounces = MAP_SAMPLES, 0
    scene.world = None
    for obj in scene.objects:
        obj.hide_render |= obj.type == "LIGHT"


def flat_light(objects: list[bpy.types.Object], layer: str | None) -> np.ndarray:
    """(h, w, 3): of a UV layer u, v and 1 where both are in 0..1, averaged over each pixel; of None three times 1."""
    shown, dark = emission(layer), emission("")
    for obj in bpy.context.scene.objects:
        if obj.type in ("MESH", "CURVE", "FONT"):
            obj.data.materials.clear()
            obj.data.materials.append(shown if obj in objects else dark)
            if obj.type == "MESH":
                obj.data.polygons.foreach_set("material_index", [0] * len(obj.data.polygons))
    return rendered()[..., :3]


def emission(layer: str | None) -> bpy.types.Material:
    """Light that says where on `layer` it comes from; white without one, black for an empty name."""
    material, g = mats.new("map")
    light = g.add("ShaderNodeEmission")
    g.set(g.output.inputs["Surface"], light.outputs[0])
    g.set(light.inputs["Color"], (0, 0, 0, 1) if layer == "" else (1, 1, 1, 1))
    if layer:
        u, v, _ = g.add("ShaderNodeSeparateXYZ", {0: g.add("ShaderNodeUVMap", uv_map=layer).outputs[0]}).outputs
        sides = [g.math("GREATER_THAN", s, 0.0) for s in (u, v)] + [g.math("LESS_THAN", s, 1.0) for s in (u, v)]
        inside = g.math("MULTIPLY", g.math("MULTIPLY", sides[0], sides[1]), g.math("MULTIPLY", sides[2], sides[3]))
        place = [g.math("MULTIPLY", s, inside) for s in (u, v)]
        g.set(light.inputs["Color"], g.add("ShaderNodeCombineXYZ", dict(enumerate((*place, inside)))).outputs[0])
    material.cycles.emission_sampling = "NONE"
    return material


def measured(light: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places (h, w, 2; 0..1) and coverage (h, w; 0..1): the share of what is seen of the product in a pixel."""
    inside = light[..., 2]
    known = inside > SEEN_MIN
    places = np.where(known[..., None], light[..., :2] / np.maximum(inside, SEEN_MIN)[..., None], 0)
    coverage = np.where(known, inside / np.maximum(seen, SEEN_MIN), 0)
    return np.clip(places, 0, 1), np.clip(coverage, 0, 1)


# --- proof --------------------------------------------------------------------------------------


def prove(template: Template, setting: Setting, args: argparse.Namespace) -> None:
    """The renderer's own print of a picture that fills the first map, to hold the operation's against."""
    surface = next(iter(setting.maps.values()))
    picture = Image.open(args.proof).convert("RGB")
    image = bpy.data.images.new("proof", picture.width, picture.height)
    rgba = np.asarray(picture.convert("RGBA"), np.float32)[::-1] / 255
    image.pixels.foreach_set(np.ascontiguousarray(rgba).ravel())
    image.pack()
    for material in setting.print_materials:
        ink(material, image, surface.layer, template)
    write_light(args.out / f"{template.name}-proof.png", photograph(template))


def ink(material: bpy.types.Material, image: bpy.types.Image, layer: str, template: Template) -> None:
    """Print an image over the material's own colour where the layer's coordinates are in 0..1."""
    g = mats.Graph(material)
    factor = next(
        n
        for n in g.tree.nodes
        if n.type == "VECT_MATH"
        and n.outputs[0].is_linked
        and n.outputs[0].links[0].to_socket.name in ("Base Color", "Color")
    )
    u, v, _ = g.add("ShaderNodeSeparateXYZ", {0: g.add("ShaderNodeUVMap", uv_map=layer).outputs[0]}).outputs
    up = g.add("ShaderNodeCombineXYZ", {0: u, 1: g.math("SUBTRACT", 1.0, v)}).outputs[0]
    sides = [g.math("GREATER_THAN", s, 0.0) for s in (u, v)] + [g.math("LESS_THAN", s, 1.0) for s in (u, v)]
    inside = g.math("MULTIPLY", g.math("MULTIPLY", sides[0], sides[1]), g.math("MULTIPLY", sides[2], sides[3]))
    texture = g.add("ShaderNodeTexImage", {"Vector": up}, image=image, extension="EXTEND", interpolation="Cubic")
    white = g.add(
        "ShaderNodeVectorMath",
        {0: texture.outputs["Color"], 1: tuple(1 / colour(template.product))},
        operation="MULTIPLY",
    ).outputs[0]
    g.set(factor.inputs[1], g.mix(inside, (1, 1, 1, 1), white))


if __name__ == "__main__":
    main()
