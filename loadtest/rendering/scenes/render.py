"""Render the scenes of gpu_workers/library/scenes: layers and scene.yaml.

    python loadtest/rendering/scenes/render.py [--only NAME ...] [--out DIR] [--samples N] [--scale S] [--draft]

Needs `bpy`, Pillow and PyYAML; see README.md.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "catalogue")]

import layers  # noqa: E402
import numpy as np  # noqa: E402
import sets  # noqa: E402
import yaml  # noqa: E402
from describing import check_room, describe  # noqa: E402
from PIL import Image, ImageFilter  # noqa: E402
from shots import Prop, Shot, place_camera  # noqa: E402

SHIPPED = HERE.parents[2] / "gpu_workers" / "library" / "scenes"
SAMPLES = 12
GRAIN = 0.7  # standard deviation of the noise a sensor would add, in 8-bit steps
QUALITY = {"plate": 93, "key": 90, "patch": 90}
SEEN_STEPS = (2.5, 6.0)  # 8-bit steps of difference at which a prop's patch begins to show, and shows fully
GROWN_PX, SEAM_PX = 17, 49


def main() -> None:
    """Command line."""
    args = arguments()
    for shot in sets.SHOTS:
        if not args.only or shot.name in args.only:
            started = time.process_time()
            report = make(shot, args)
            print(f"{shot.name} {time.process_time() - started:.0f} CPU s {report}", flush=True)


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME")
    parser.add_argument("--out", type=Path, default=SHIPPED)
    parser.add_argument("--samples", type=int, default=SAMPLES, help="most Cycles samples a pixel")
    parser.add_argument("--scale", type=float, default=1.0, help="size factor, for previews")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--draft", action="store_true", help="one picture with everything in it, for previews")
    return parser.parse_args()


def make(shot: Shot, args: argparse.Namespace) -> str:
    """Build one scene, render its layers and write them beside its description."""
    layers.reset(shot, args.samples, args.scale, args.threads)
    place_camera(shot)
    shot.build(shot.key)
    for obj in layers.parts("occluder"):
        obj.visible_camera = args.draft
    if args.draft:
        return draft(shot, args.out)
    for obj in layers.parts("prop:"):
        obj.hide_render = True
    check_room(shot)
    plate, key = exposed_pair(shot, layers.plate(), layers.key())
    text = describe(shot, plate, key, GRAIN)
    files = scene_files(shot, plate, key, text)
    folder = args.out / shot.name
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / "scene.yaml").write_text(yaml.safe_dump(text, sort_keys=False, default_flow_style=None, width=110))
    return f"{sum(map(len, files.values())) / 1e6:.2f} MB, {(plate >= 1).any(-1).mean():.1%} clipped"


def draft(shot: Shot, folder: Path) -> str:
    """Everything in one picture, props and foreground too."""
    folder.mkdir(parents=True, exist_ok=True)
    picture = exposed(shot, layers.plate())
    Image.fromarray(np.rint(steps(picture)).astype(np.uint8)).save(folder / f"{shot.name}.png")
    return f"{(picture >= 1).any(-1).mean():.1%} clipped"


def scene_files(shot: Shot, plate: np.ndarray, key: np.ndarray, text: dict) -> dict[str, bytes]:
    """The layers as files by name; `text` is told about each."""
    plate, key = steps(plate), np.minimum(steps(key), steps(plate))
    files = {
        "plate.jpg": jpeg(plate + noise(shot, plate.shape), QUALITY["plate"]),
        "key.jpg": jpeg(key, QUALITY["key"]),
        "depth.png": png(layers.depth()),
    }
    text |= {"plate": "plate.jpg", "key": "key.jpg", "depth": "depth.png"}
    if shot.occluder:
        files["occluder.png"], text["occluder"] = png(straight(shot, layers.occluder())), "occluder.png"
    for paint in shot.paints:
        files[f"{paint.name}.png"] = mask_file(paint.name)
    text["paints"] = [
        {"name": paint.name, "mask": f"{paint.name}.png", "colours": list(paint.colours)} for paint in shot.paints
    ]
    text["props"] = [patch(shot, prop, plate, files) for prop in shot.props]
    return files


def exposed(shot: Shot, light: np.ndarray) -> np.ndarray:
    """Light times the exposure of the shot."""
    return light * np.float32(2.0**shot.exposure)


def exposed_pair(shot: Shot, plate: np.ndarray, key: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Plate and key as the picture holds them: where the plate is clipped, the key keeps its share of it."""
    plate, key = exposed(shot, plate), exposed(shot, key)
    return plate, key / np.maximum(plate, 1.0)


def steps(light: np.ndarray) -> np.ndarray:
    """Linear light as sRGB in 8-bit steps, not yet rounded."""
    light = np.clip(light, 0.0, 1.0)
    return 255.0 * np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def noise(shot: Shot, shape: tuple[int, ...]) -> np.ndarray:
    """What a sensor adds, mostly the same in every channel."""
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(shot.name.encode()).digest()[:4], "big"))
    return rng.normal(0, GRAIN * 0.9, (*shape[:2], 1)) + rng.normal(0, GRAIN * 0.43, shape)


def straight(shot: Shot, layer: np.ndarray) -> np.ndarray:
    """Premultiplied linear RGBA as 8-bit sRGB with straight alpha; nothing where there is nothing."""
    alpha = np.clip(layer[..., 3:], 0.0, 1.0)
    alpha[alpha < 1.5 / 255] = 0.0
    colour = steps(exposed(shot, layer[..., :3] / np.maximum(layer[..., 3:], 1e-4)))
    return np.rint(np.concatenate([colour * (alpha > 0), alpha * 255], -1)).astype(np.uint8)


def mask_file(name: str) -> bytes:
    """A paint's mask as a grey file."""
    return png(np.rint(layers.mask(f"paint:{name}") * 255).astype(np.uint8))


def patch(shot: Shot, prop: Prop, empty: np.ndarray, files: dict[str, bytes]) -> dict:
    """Render a prop with its surroundings and keep what looks different: its record; its files join the others."""
    pair = layers.with_prop(f"prop:{prop.name}", shot.key.towards())
    plate, key = (steps(light) for light in exposed_pair(shot, *pair))
    alpha = difference(plate, empty)
    rows, columns = np.nonzero(alpha.max(1))[0], np.nonzero(alpha.max(0))[0]
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    seen, lit = f"{prop.name}.webp", f"{prop.name}-key.webp"
    files[seen] = webp(with_alpha((plate + noise(shot, plate.shape))[box], alpha[box]))
    files[lit] = webp(with_alpha(np.minimum(key, plate)[box], alpha[box]))
    return {
        "name": prop.name,
        "file": seen,
        "x_px": int(columns[0]),
        "y_px": int(rows[0]),
        "key_file": lit,
        "hides_places": list(prop.hides_places),
    }


def difference(with_prop: np.ndarray, empty: np.ndarray) -> np.ndarray:
    """Where a prop changes the picture, 0 to 1, grown and feathered; pixels not rendered again (0) have not changed."""
    again = with_prop.max(-1) > 0
    change = blurred(np.abs(with_prop - empty).max(-1) * again, 2)
    low, high = SEEN_STEPS
    shown = Image.fromarray(np.rint(np.clip((change - low) / (high - low), 0, 1) * 255).astype(np.uint8))
    grown = np.asarray(shown.filter(ImageFilter.MaxFilter(GROWN_PX)), np.float64) / 255
    inner = np.asarray(
        Image.fromarray((again * 255).astype(np.uint8)).filter(ImageFilter.MinFilter(SEAM_PX)), np.float64
    )
    alpha = blurred(grown, GROWN_PX / 4) * blurred(inner / 255, SEAM_PX / 6) * again
    return np.where(alpha < 1 / 255, 0.0, np.clip(alpha, 0.0, 1.0))


def blurred(values: np.ndarray, radius_px: float) -> np.ndarray:
    """Gaussian blur of a float array, one axis after the other."""
    reach = int(3 * radius_px)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / radius_px) ** 2)
    weights /= weights.sum()
    for axis in (0, 1):
        padded = np.pad(values, [(reach, reach) if k == axis else (0, 0) for k in (0, 1)], "edge")
        values = np.apply_along_axis(np.convolve, axis, padded, weights, "valid")
    return values


def with_alpha(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """8-bit RGBA, straight, nothing where alpha is nothing."""
    share = np.rint(alpha[..., None] * 255)
    return np.concatenate([np.clip(np.rint(colour), 0, 255) * (share > 0), share], -1).astype(np.uint8)


def jpeg(picture: np.ndarray, quality: int) -> bytes:
    """8-bit sRGB steps as a JPEG without subsampled colour."""
    out = io.BytesIO()
    Image.fromarray(np.clip(np.rint(picture), 0, 255).astype(np.uint8)).save(
        out, "JPEG", quality=quality, subsampling=0, optimize=True
    )
    return out.getvalue()


def webp(picture: np.ndarray) -> bytes:
    """8-bit RGBA as a WebP whose alpha is exact: a quarter of what a PNG of a grainy picture takes."""
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "WEBP", quality=QUALITY["patch"], method=6)
    return out.getvalue()


def png(picture: np.ndarray) -> bytes:
    """8 or 16-bit picture as a PNG."""
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG", optimize=True)
    return out.getvalue()


if __name__ == "__main__":
    main()
