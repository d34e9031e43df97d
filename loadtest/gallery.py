"""`make gallery`: every operation over the sample catalogue, as PNG sheets for the eye and one page that holds them.

A sheet is an operation, a row a photograph, a column a variant. Below every picture stands what the gates say of it.
"""

import argparse
import base64
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from html import escape
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from rich.console import Console
from rich.progress import track

from gpu_workers.engines import open_engine
from gpu_workers.imaging.clips import read_mp4
from gpu_workers.imaging.metadata import Metadata
from gpu_workers.models.manifest import load_manifest
from gpu_workers.operations.base import ComposeRequest
from gpu_workers.operations.cutout.cutout import cutout
from gpu_workers.operations.cutout.operation import cutout_picture
from gpu_workers.pools import compose as compose_pool
from gpu_workers.pools import cutout as cutout_pool
from gpu_workers.quality import mattes
from gpu_workers.sources.decoding import Picture, decode
from loadtest.benchmarks import quality
from schemas import channels
from schemas.operations.showcase import Motion
from streams.flow.processors.judging import judge, reasons
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from tests.gpu_workers.tees import tee

ROOT = Path(__file__).parents[1]
WEIGHTS = ROOT / ".cache" / "weights"
CELL_PX = 420
LABEL_PX = 34
GAP_PX = 8
CHECKER = (232, 208)

LIBRARY = compose_pool.library(Settings())
TRUTH = json.loads((quality.CATALOGUE / "truth" / "truth.json").read_text())
EVENTS = [json.loads(line) for line in (quality.CATALOGUE / "catalogue.jsonl").read_text().splitlines()]
CATEGORIES = {event["sku"]: event["category"] for event in EVENTS}

Code = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Sample:
    """A photograph of the catalogue with its cutout and that cutout's measures."""

    name: str
    photograph: Code
    cutout: Picture
    measures: dict[str, float]


@dataclass(frozen=True, eq=False)
class Cell:
    """A picture (h, w, 3; uint8) and what there is to say of it."""

    label: str
    picture: Code
    note: str = ""


Row = Callable[[Sample], Iterator[Cell]]


def main() -> None:
    """Writes `.packshot/gallery/`, or the folder given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sheets", nargs="*", choices=[[], *SHEETS], help="only these")
    parser.add_argument("--out", type=Path, default=ROOT / ".packshot" / "gallery")
    wanted = parser.parse_args()
    wanted.out.mkdir(parents=True, exist_ok=True)
    console = Console()
    names, samples = wanted.sheets or [*SHEETS], list[Sample]()
    if names != ["models"]:
        samples = list(track(cut_out(quality.PHOTOGRAPHS), "cutting out", len(quality.PHOTOGRAPHS), console=console))
    pages: dict[str, list[list[Cell]]] = {}
    for name in names:
        rows = [*garments()] if name == "models" else samples
        pages[name] = [list(SHEETS[name](sample)) for sample in track(rows, name, console=console)]
        sheet(pages[name]).save(wanted.out / f"{name}.png")
    (wanted.out / "index.html").write_text(page(pages))
    console.print(f"{wanted.out / 'index.html'}, and a PNG beside it for each of: {', '.join(pages)}")


def cut_out(files: Sequence[Path]) -> Iterator[Sample]:
    """The cutouts of photographs, as the cutout pool makes them."""
    model = load_manifest(cutout_pool.DEFAULT_MODEL)
    engine = open_engine(model, WEIGHTS, "auto")
    try:
        predict = quality.predict(model, engine.infer)
        for file in files:
            picture = decode(file.read_bytes())
            made = cutout(picture.pixels, predict)
            measures = {f"cutout.{name}": value for name, value in made.measures.items()}
            pixels = np.asarray(picture.pixels, np.uint8)
            yield Sample(file.stem, pixels, cutout_picture(picture, made), measures)
    finally:
        engine.close()


def cutouts(sample: Sample) -> Iterator[Cell]:
    """The photograph, the cutout on three grounds, and how far its alpha is from the truth."""
    yield Cell(sample.name, sample.photograph)
    note = f"uncertainty {sample.measures['cutout.uncertainty']:.2f}"
    rgba = np.asarray(sample.cutout.pixels, np.uint8)
    yield Cell("on a checker", on(rgba, checker(rgba.shape[:2])), note)
    yield Cell("on green", on(rgba, np.full_like(sample.photograph, (40, 160, 90))))
    alpha = quality.alpha(rgba[..., 3])
    true = quality.truth(sample.name)
    note = f"IoU {mattes.iou(alpha, true):.3f}"
    missing, excess = (np.clip(each, 0, 1) for each in (true - alpha, alpha - true))
    wrong = 255 * np.dstack([1 - excess, 1 - np.maximum(missing, excess), 1 - missing])
    yield Cell("missing red, excess blue", wrong.round().astype(np.uint8), note)


def on(rgba: Code, ground: Code) -> Code:
    """A cutout over a ground of its size."""
    share = rgba[..., 3:] / np.float32(255)
    return np.rint(rgba[..., :3] * share + ground * (1 - share)).astype(np.uint8)


def checker(size: tuple[int, int], square_px: int = 24) -> Code:
    """A checkerboard (h, w, 3)."""
    rows, columns = np.indices(size) // square_px
    return np.repeat(np.where((rows + columns) % 2, *CHECKER)[..., None], 3, axis=2).astype(np.uint8)


def mockups(sample: Sample) -> Iterator[Cell]:
    """The product in scenes that suit it, at its real size."""
    facts = TRUTH[sample.name]
    parameters = {"height_cm": str(facts["height_cm"])}
    variants = {f"seed {seed}": ("shopify", {**parameters, "seed": str(seed)}) for seed in range(4)}
    yield from composed("mockup", variants, sample, CATEGORIES[facts["sku"]])


def framings(sample: Sample) -> Iterator[Cell]:
    """The product in the scene that suits it, far and near, and with room for words."""
    facts = TRUTH[sample.name]
    wanted = [{"framing": framing} for framing in ("context", "hero", "detail")]
    wanted += [{"copySpace": side} for side in ("left", "right", "top")]
    variants = {
        " ".join(each.values()): ("instagram", {"height_cm": str(facts["height_cm"]), **each}) for each in wanted
    }
    yield from composed("mockup", variants, sample, CATEGORIES[facts["sku"]])


def showcases(sample: Sample) -> Iterator[Cell]:
    """A clip of each motion, as its file shows it: where it begins, and where it has gone furthest."""
    facts = TRUTH[sample.name]
    for motion in get_args(Motion):
        parameters = {"motion": motion, "height_cm": str(facts["height_cm"]), **SHORT}
        request = ComposeRequest(channels.load("instagram"), parameters, CATEGORIES[facts["sku"]], library=LIBRARY)
        try:
            made = compose_pool.compose("showcase", [sample.cutout], request)
        except Refused as refusal:
            yield Cell(motion, np.full((CELL_PX, CELL_PX, 3), 245, np.uint8), f"{refusal.code}: {refusal}")
            continue
        clip = next(file.data for file in made.files if file.role == "clip")
        frames = read_mp4(clip, list(FURTHEST)).frames
        note = f"ΔE00 {made.measures['clip_delta_e_mean']:.2f}, {len(clip) / 1000:.0f} kB"
        yield from (Cell(f"{motion} {FURTHEST[number]}", frame, note) for number, frame in frames.items())


def garments() -> Iterator[Sample]:
    """Tops with short sleeves, drawn, since the catalogue has none; their alpha is known, so nothing is cut out."""
    for name, colour in {"light": (200, 204, 210), "navy": (36, 66, 112), "red": (176, 44, 40)}.items():
        rgba = tee(colour=colour, printed=name != "red")
        cutout = Picture(rgba, "image/png", 8, True, "", 1, 1, Metadata())
        yield Sample(name, rgba[..., :3], cutout, {})


def models(sample: Sample) -> Iterator[Cell]:
    """A garment on each mannequin."""
    yield Cell(sample.name, on(np.asarray(sample.cutout.pixels, np.uint8), np.full_like(sample.photograph, 255)))
    for body in LIBRARY.bodies:
        wanted = {"model": body, "outputSize": "900x1120"}
        request = ComposeRequest(channels.load("shopify"), wanted, "T-shirts", library=LIBRARY)
        made = compose_pool.compose("model", [sample.cutout], request)
        off, through = made.measures["seam_off_shoulder_cm"], made.measures["through_body_mm"]
        note = f"ΔE00 {made.measures['light_divided_delta_e']:.2f}, seam {off:.1f} cm off, {through:.1f} mm through"
        yield Cell(body, seen(made.files[0].data), note)


def styles(sample: Sample) -> Iterator[Cell]:
    """The photograph in the style of each brand that ships."""
    mask = np.repeat(np.asarray(sample.cutout.pixels, np.uint8)[..., 3:], 3, axis=2)
    inputs = [replace(sample.cutout, pixels=sample.photograph), replace(sample.cutout, pixels=mask)]
    yield Cell(sample.name, sample.photograph)
    for brand in ("warm-minimal", "cool-studio", "earthy"):
        request = ComposeRequest(channels.load("shopify"), {"brand": brand}, library=LIBRARY)
        made = compose_pool.compose("style", inputs, request)
        yield Cell(brand, seen(made.files[0].data), f"ΔE00 {made.measures['product_delta_e_median']:.2f}")


def prints(sample: Sample) -> Iterator[Cell]:
    """The photograph printed on every product."""
    for template in LIBRARY.templates:
        request = ComposeRequest(channels.load("shopify"), {"template": template}, library=LIBRARY)
        made = compose_pool.compose("artwork", [replace(sample.cutout, pixels=sample.photograph)], request)
        yield Cell(template, seen(made.files[0].data), f"{made.measures['effective_dpi']:.0f} dpi")


def composed(
    operation: str, variants: Mapping[str, tuple[str, dict[str, str]]], sample: Sample, category: str = ""
) -> Iterator[Cell]:
    """A picture for each variant: its channel and its parameters."""
    for label, (channel_name, parameters) in variants.items():
        channel = channels.load(channel_name)
        try:
            made = compose_pool.compose(
                operation, [sample.cutout], ComposeRequest(channel, parameters, category, library=LIBRARY)
            )
        except Refused as refusal:
            yield Cell(label, np.full((CELL_PX, CELL_PX, 3), 245, np.uint8), f"{refusal.code}: {refusal}")
            continue
        verdict = judge({**sample.measures, **made.measures}, channel, operation)
        note = verdict.outcome if verdict.outcome == "pass" else f"{verdict.outcome}: {reasons(verdict)}"
        yield Cell(label, seen(made.files[0].data), note)


def seen(file: bytes) -> Code:
    """A picture's file as it looks."""
    pixels = np.asarray(decode(file).pixels, np.uint8)
    return pixels if pixels.shape[2] == 3 else on(pixels, checker(pixels.shape[:2]))


CHANNELS: dict[str, tuple[str, dict[str, str]]] = {name: (name, {}) for name in channels.names()}
SHADOW_MODES = ("none", "contact", "soft", "hard", "floating", "reflection", "own")
SHADOWS = {mode: ("shopify", {"shadow.mode": mode}) for mode in SHADOW_MODES}
SHORT = {"duration_s": "2", "fps": "12", "size_px": "540"}
FURTHEST = {0: "begins", 6: "a quarter on", 12: "half-way"}
SHEETS: dict[str, Row] = {
    "cutouts": cutouts,
    "packshots": partial(composed, "packshot", CHANNELS),
    "shadows": partial(composed, "packshot", SHADOWS),
    "mockups": mockups,
    "framings": framings,
    "showcases": showcases,
    "models": models,
    "styles": styles,
    "prints": prints,
}


def sheet(rows: Sequence[Sequence[Cell]]) -> Image.Image:
    """All rows as one picture."""
    width = max(len(row) for row in rows) * (CELL_PX + GAP_PX) + GAP_PX
    height = len(rows) * (CELL_PX + LABEL_PX + GAP_PX) + GAP_PX
    whole = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(whole)
    font = ImageFont.load_default(13)
    for y, row in enumerate(rows):
        for x, cell in enumerate(row):
            corner = (GAP_PX + x * (CELL_PX + GAP_PX), GAP_PX + y * (CELL_PX + LABEL_PX + GAP_PX))
            whole.paste(thumbnail(cell.picture), corner)
            lines = [cell.label, cell.note[:70]]
            draw.text((corner[0], corner[1] + CELL_PX + 2), "\n".join(lines), fill="#333333", font=font)
    return whole


def thumbnail(picture: Code) -> Image.Image:
    """A picture within the cell, on grey so that a white one has an edge."""
    scale = min(CELL_PX / picture.shape[0], CELL_PX / picture.shape[1], 1.0)
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    small = Image.fromarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
    cell = Image.new("RGB", (CELL_PX, CELL_PX), "#d9d9d6")
    cell.paste(small, ((CELL_PX - size[0]) // 2, (CELL_PX - size[1]) // 2))
    return cell


def page(pages: Mapping[str, Sequence[Sequence[Cell]]]) -> str:
    """One page that needs nothing but itself."""
    style = (
        "body{font:14px system-ui;margin:16px;background:#f4f4f2;color:#222}"
        ".row{display:flex;gap:8px;overflow-x:auto;margin-bottom:16px}"
        "figure{margin:0;flex:0 0 300px}img{width:300px;height:300px;object-fit:contain;background:#d9d9d6}"
        "figcaption{font-size:12px}small{color:#666}"
    )
    parts = (f"<h2>{escape(name)}</h2>{''.join(_row(row) for row in rows)}" for name, rows in pages.items())
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Gallery</title><style>{style}</style><h1>Gallery</h1>{''.join(parts)}</html>\n"
    )


def _row(cells: Iterable[Cell]) -> str:
    figures = (
        f'<figure><img loading="lazy" alt="{escape(cell.label)}" src="{_data_uri(cell.picture)}">'
        f"<figcaption>{escape(cell.label)}<br><small>{escape(cell.note)}</small></figcaption></figure>"
        for cell in cells
    )
    return f'<div class="row">{"".join(figures)}</div>'


def _data_uri(picture: Code) -> str:
    scale = min(1.0, 900 / max(picture.shape[:2]))
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    buffer = io.BytesIO()
    Image.fromarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA)).save(buffer, "JPEG", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


if __name__ == "__main__":
    main()
