"""Render the sample catalogue: photographs, exact alphas, truth.json, event lines, checksums.

    python loadtest/rendering/catalogue/render.py [--only NAME ...] [--out DIR] [--samples N] [--scale S]

NAME is a SKU or SKU-studio / SKU-busy. Needs `bpy` and Pillow; see README.md.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import bpy  # noqa: E402
import catalogue  # noqa: E402
import geometry as geo  # noqa: E402
import materials as mats  # noqa: E402
import numpy as np  # noqa: E402
import settings_scenes as scenes  # noqa: E402
from bpy_extras.object_utils import world_to_camera_view  # noqa: E402
from catalogue import Product, Shot  # noqa: E402
from mathutils import Vector  # noqa: E402
from PIL import Image  # noqa: E402

SAMPLES = {"studio": 32, "busy": 24}  # most a pixel; a busy picture hides more noise
ALPHA_SAMPLES = 48
EXPOSURE = {"white": 0.05, "dark": 1.2, "busy": 0.6}  # stops, where a shot names none
GRAIN = 1.3  # standard deviation of the sensor noise added, in 8-bit steps


def main() -> None:
    """Command line."""
    args = arguments()
    args.out.mkdir(parents=True, exist_ok=True)
    for folder in ("photographs", "truth"):
        (args.out / folder).mkdir(exist_ok=True)
    write_events(args.out)
    for product in catalogue.PRODUCTS:
        for name in ("studio", "busy"):
            if wanted(product.sku, name, args.only):
                started = time.process_time()
                photograph(product, name, args)
                print(f"{product.sku}-{name} {time.process_time() - started:.0f} CPU s", flush=True)
    write_checksums(args.out)


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME")
    parser.add_argument("--out", type=Path, default=HERE)
    parser.add_argument("--samples", type=int, help="most Cycles samples a pixel")
    parser.add_argument("--scale", type=float, default=1.0, help="size factor, for previews")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no-alpha", action="store_true", help="photographs only, for previews")
    return parser.parse_args()


def wanted(sku: str, name: str, only: list[str]) -> bool:
    """Whether a photograph was asked for."""
    return not only or sku in only or f"{sku}-{name}" in only


# --- one photograph -----------------------------------------------------------------------------


def photograph(product: Product, name: str, args: argparse.Namespace) -> None:
    """Build the scene, render picture and alpha, write both and the truth entry."""
    shot: Shot = getattr(product, name)
    reset(shot, args, args.samples or SAMPLES[name])
    parts = product.build()
    geo.parent_all(parts, shot.yaw, shot.at)
    bpy.context.view_layer.update()
    points = outline_points(parts)
    build_setting(shot, points)
    place_camera(shot, points)
    colours = main_colours(parts)
    stem = f"{product.sku}-{name}"
    with tempfile.TemporaryDirectory() as scratch:
        picture = render_picture(Path(scratch) / "picture.png")
        develop(picture, stem).save(
            args.out / "photographs" / f"{stem}.jpg",
            quality=90,
            optimize=True,
            subsampling=0 if name == "studio" else 2,
        )
        if args.no_alpha:
            return
        alpha = render_alpha(Path(scratch) / "alpha.png", parts, product.glass)
    Image.fromarray(alpha).save(args.out / "truth" / f"{stem}.png", optimize=True)
    record(args.out, stem, truth_entry(product, name, shot, alpha, colours))


def reset(shot: Shot, args: argparse.Namespace, samples: int) -> None:
    """Empty scene with the renderer set up."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    render, cycles = scene.render, scene.cycles
    render.engine = "CYCLES"
    render.resolution_x, render.resolution_y = (round(s * args.scale) for s in shot.size)
    render.resolution_percentage = 100
    render.threads_mode, render.threads = "FIXED", args.threads
    cycles.device, cycles.seed = "CPU", 1
    cycles.samples, cycles.use_adaptive_sampling, cycles.adaptive_threshold = samples, True, 0.04
    cycles.adaptive_min_samples, cycles.use_light_tree = 10, shot.setting == "cafe"
    cycles.use_denoising, cycles.denoiser = True, "OPENIMAGEDENOISE"
    cycles.denoising_prefilter, cycles.denoising_quality = "FAST", "BALANCED"
    cycles.denoising_input_passes = "RGB_ALBEDO_NORMAL"
    cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces = 12, 2, 4
    cycles.transmission_bounces, cycles.transparent_max_bounces = 12, 12
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.sample_clamp_indirect = 6.0
    scene.display_settings.display_device = "sRGB"


def build_setting(shot: Shot, points: np.ndarray) -> None:
    """Surround the product."""
    if shot.setting in scenes.SWEEPS:
        size = float(np.max(points.max(0) - points.min(0)))
        scenes.studio(size, float(points[:, 2].max()), shot.key, shot.setting, **shot.options)
    else:
        scenes.BUSY[shot.setting](shot.key, **shot.options)
    view, kind = bpy.context.scene.view_settings, shot.setting if shot.setting in scenes.SWEEPS else "busy"
    if shot.setting in scenes.SWEEPS:
        view.view_transform, view.look = "Khronos PBR Neutral", "None"
    else:
        view.view_transform, view.look = "AgX", "AgX - Medium High Contrast"
    view.exposure = shot.exposure if shot.exposure is not None else EXPOSURE.get(kind, 0.0)


def outline_points(parts: list[bpy.types.Object], most: int = 6000) -> np.ndarray:
    """World positions (cm) of a sample of the product's vertices."""
    graph = bpy.context.evaluated_depsgraph_get()
    clouds = []
    for part in parts:
        evaluated = part.evaluated_get(graph)
        mesh = evaluated.to_mesh()
        flat = np.empty(len(mesh.vertices) * 3, dtype=np.float32)
        mesh.vertices.foreach_get("co", flat)
        local = flat.reshape(-1, 3)
        matrix = np.array(evaluated.matrix_world)
        clouds.append(local @ matrix[:3, :3].T + matrix[:3, 3])
        evaluated.to_mesh_clear()
    cloud = np.concatenate(clouds)
    return cloud[:: max(1, len(cloud) // most)]


def place_camera(shot: Shot, points: np.ndarray) -> None:
    """Stand where the product takes `shot.fill` of the frame, focused on its near side."""
    scene = bpy.context.scene
    data = bpy.data.cameras.new("camera")
    data.lens, data.sensor_fit, data.sensor_width, data.clip_end = shot.focal, "HORIZONTAL", 36.0, 5000.0
    camera = geo.link(bpy.data.objects.new("camera", data))
    scene.camera = camera
    target = Vector((points.max(0) + points.min(0)).tolist()) / 2
    distance = float(np.max(points.max(0) - points.min(0))) * 4
    for _ in range(8):
        camera.location = target + scenes.direction(0, shot.elevation) * distance
        geo.aim(camera, target)
        bpy.context.view_layer.update()
        seen = np.array([world_to_camera_view(scene, camera, Vector(p)) for p in points[::7]])
        spread = (seen.max(0) - seen.min(0))[:2]
        centre = (seen.max(0) + seen.min(0))[:2] / 2 - 0.5 - np.array(shot.place)
        frame = distance * 36.0 / shot.focal
        aspect = scene.render.resolution_y / scene.render.resolution_x
        right, up = camera.matrix_world.col[0].xyz, camera.matrix_world.col[1].xyz
        target = target + right * float(centre[0] * frame) + up * float(centre[1] * frame * aspect)
        distance *= float(spread.max()) / shot.fill
    near = camera.matrix_world.inverted() @ Vector((0, float(points[:, 1].min()) * 0.6, float(points[:, 2].mean())))
    data.dof.use_dof, data.dof.focus_distance = True, -near.z
    data.dof.aperture_fstop = shot.fstop / 100.0  # the scene is in cm, Blender reckons in m
    data.dof.aperture_blades = 7


def render_picture(path: Path) -> np.ndarray:
    """Beauty pass as 8-bit RGB."""
    render_to(path, "RGB")
    return np.asarray(Image.open(path).convert("RGB"))


def render_to(path: Path, mode: str) -> None:
    """Render the current scene into a PNG."""
    scene = bpy.context.scene
    scene.render.filepath = str(path)
    scene.render.image_settings.file_format = "PNG"
    scene.render.image_settings.color_mode = mode
    bpy.ops.render.render(write_still=True)


def develop(picture: np.ndarray, stem: str) -> Image.Image:
    """What a camera adds: a slight fall-off to the corners and sensor noise."""
    height, width, _ = picture.shape
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(stem.encode()).digest()[:4], "big"))
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    fall = 1.0 - (0.05 if stem.endswith("busy") else 0.015) * (x * x + y * y)
    shared = rng.normal(0, GRAIN, (height, width, 1))
    single = rng.normal(0, GRAIN * 0.5, (height, width, 3))
    out = picture * fall[..., None] + shared + single
    return Image.fromarray(np.clip(np.rint(out), 0, 255).astype(np.uint8))


# --- truth --------------------------------------------------------------------------------------


def render_alpha(path: Path, parts: list[bpy.types.Object], glass: bool) -> np.ndarray:
    """Coverage of the product alone, same camera and depth of field, 8-bit.

    The setting becomes a holdout. Opaque products are drawn in flat white; glass keeps its
    material, so that its alpha is the share of light that it does not let straight through.
    """
    scene = bpy.context.scene
    product = set(parts)
    white = mats.plain_emission("alpha")
    for obj in scene.objects:
        if obj.type == "LIGHT":
            obj.hide_render = True
        elif obj in product and not glass:
            override(obj, white)
        elif obj.type in ("MESH", "FONT", "CURVE") and obj not in product:
            obj.is_holdout = True
            if not obj.visible_camera:
                obj.hide_render = True
    crop_to(parts)
    scene.render.film_transparent, scene.cycles.film_transparent_glass = True, True
    scene.cycles.use_denoising = scene.cycles.use_adaptive_sampling = False
    scene.cycles.samples = ALPHA_SAMPLES * (3 if glass else 1)
    scene.cycles.max_bounces = 16 if glass else 0
    render_to(path, "RGBA")
    return np.asarray(Image.open(path))[..., 3]


def crop_to(parts: list[bpy.types.Object], margin: float = 0.03) -> None:
    """Render only the part of the frame that holds the product; the rest stays at zero."""
    scene = bpy.context.scene
    seen = np.array([world_to_camera_view(scene, scene.camera, Vector(p)) for p in outline_points(parts, 3000)])
    low, high = seen.min(0) - margin, seen.max(0) + margin
    render = scene.render
    render.use_border, render.use_crop_to_border = True, False
    render.border_min_x, render.border_max_x = max(0.0, float(low[0])), min(1.0, float(high[0]))
    render.border_min_y, render.border_max_y = max(0.0, float(low[1])), min(1.0, float(high[1]))


def override(obj: bpy.types.Object, material: bpy.types.Material) -> None:
    """Give every slot of an object one material."""
    obj.data.materials.clear()
    obj.data.materials.append(material)


def main_colours(parts: list[bpy.types.Object]) -> list[dict]:
    """Colours of the product's main materials, as hex and CIE Lab (D65)."""
    found: dict[str, str] = {}
    for part in parts:
        for material in part.data.materials:
            if material is not None and "truth_hex" in material:
                found[material.name] = material["truth_hex"]
    return [{"material": n, "hex": h, "lab": lab(h)} for n, h in sorted(found.items())]


def lab(hex_colour: str) -> list[float]:
    """sRGB hex to CIE Lab under D65."""
    r, g, b = mats.linear(hex_colour)[:3]
    xyz = (
        (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.95047,
        0.2126 * r + 0.7152 * g + 0.0722 * b,
        (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.08883,
    )
    f = [v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in xyz]
    return [round(v, 1) for v in (116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2]))]


def light_in_camera_terms(shot: Shot) -> dict:
    """Direction of the key light; the camera looks along +Y without roll, so the azimuths agree."""
    return {"azimuth_deg": shot.key.azimuth, "elevation_deg": shot.key.elevation}


def truth_entry(product: Product, name: str, shot: Shot, alpha: np.ndarray, colours: list[dict]) -> dict:
    """Everything known about one photograph."""
    rows, cols = np.where(alpha.max(1) > 12)[0], np.where(alpha.max(0) > 12)[0]
    box = [int(cols[0]), int(rows[0]), int(cols[-1] - cols[0] + 1), int(rows[-1] - rows[0] + 1)]
    return {
        "sku": product.sku,
        "kind": name,
        "setting": shot.setting,
        "size": [alpha.shape[1], alpha.shape[0]],
        "key_light": light_in_camera_terms(shot),
        "colours": colours,
        "text": list(product.text),
        "height_cm": product.height_cm,
        "bounding_box": box,
        "focal_mm": shot.focal,
        "f_number": shot.fstop,
        "camera_elevation_deg": shot.elevation,
        "product_yaw_deg": shot.yaw,
        "coverage": round(float(alpha.mean()) / 255, 4),
        "alpha": "light not let straight through (reflection, refraction past its limit)"
        if product.glass
        else "coverage",
        "view_transform": "Khronos PBR Neutral" if shot.setting in scenes.SWEEPS else "AgX, medium high contrast",
    }


def record(out: Path, stem: str, entry: dict) -> None:
    """Put one entry into truth.json, sorted by name."""
    path = out / "truth" / "truth.json"
    data = json.loads(path.read_text()) if path.exists() else {}
    data[stem] = entry
    path.write_text(json.dumps(dict(sorted(data.items())), indent=1, ensure_ascii=False) + "\n")


# --- files beside them --------------------------------------------------------------------------


def write_events(out: Path) -> None:
    """catalogue.jsonl and campaign.jsonl."""
    (out / "catalogue.jsonl").write_text(catalogue.lines([catalogue.event(p) for p in catalogue.PRODUCTS]))
    (out / "campaign.jsonl").write_text(catalogue.lines(catalogue.campaigns()))


def write_checksums(out: Path) -> None:
    """sources.sha256 over photographs and truths, in `sha256sum -c` form."""
    files = sorted(p for folder in ("photographs", "truth") for p in (out / folder).iterdir() if p.is_file())
    rows = [f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.relative_to(out)}\n" for p in files]
    (out / "sources.sha256").write_text("".join(rows))


if __name__ == "__main__":
    main()
