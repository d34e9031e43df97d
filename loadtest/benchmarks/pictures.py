"""Seconds of the processor and memory that each operation on pictures takes, at 1, 2 and 12 MP.

One photograph of the sample catalogue, enlarged, and what is made of it: its cutout (of the rendered alpha), a packshot
and a mockup as large as itself, a print of the template's own size, an enlargement of four times the pixels. Every
figure comes from a process of its own, warm from a small picture, so that libraries, kernels and the network are
loaded. Memory is the most that the process held during the first run, less what it held before, its input among it;
seconds are the least of some runs, of all threads. A cutout is without the seconds of its network. `large_packshot` is
a packshot for a channel from a JPEG of 100 MP, from its file on, as a worker makes it. These are the figures that
`gpu_workers/pools/memory_model.py` and the worker's admission go by.

Another operation is another line in `OPERATIONS`. Linux only: the kernel keeps the peak.
"""

import json
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import cv2
import numpy as np
import pyvips
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.table import Table

from gpu_workers.engines import open_engine
from gpu_workers.imaging import encoding
from gpu_workers.imaging.types import Codes
from gpu_workers.library import brands, scenes, templates
from gpu_workers.models.manifest import load_manifest
from gpu_workers.operations.artwork.artwork import artwork
from gpu_workers.operations.base import ComposeRequest, compose
from gpu_workers.operations.cutout import cutout as cutting
from gpu_workers.operations.mockup.mockup import mockup
from gpu_workers.operations.mockup.scene_placing import Product
from gpu_workers.operations.packshot.measures import measure
from gpu_workers.operations.packshot.packshot import Rendered, packshot
from gpu_workers.operations.style.style import style
from gpu_workers.operations.transparent import transparent
from gpu_workers.operations.upscale.upscale import upscale
from gpu_workers.pools import memory_model
from gpu_workers.sources.decoding import DecodeLimits, decode
from loadtest.benchmarks import quality
from schemas import channels
from schemas.channels.rulebook import SHIPPED
from schemas.operations.artwork import ArtworkParameters
from schemas.operations.mockup import MockupParameters
from schemas.operations.packshot import PackshotParameters
from schemas.records import Step
from streams.publishing.renditions import render

ROOT = Path(__file__).parents[2]
WEIGHTS = ROOT / ".cache" / "weights"
PHOTOGRAPH = quality.CATALOGUE / "photographs" / "CHR-ASH-86-studio.jpg"
HEIGHT_CM = 86.0
SCENE, BRAND, TEMPLATE = "floor-window", "warm-minimal", "poster"
WARM_MP = 0.25
SIZES_MP = (1.0, 2.0, 12.0)
LARGE, LARGE_MP = "large_packshot", 100.0
RUNS = 3
MB = 2**20
STATUS = Path("/proc/self/status")
PEAK_RESET = "5"  # of clear_refs, see proc(5)

Code = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Given:
    """What operations start from: a photograph of so many pixels, and what was made of it."""

    file: bytes
    pixels: Code
    rgba: Code
    shop: Rendered
    shop_file: bytes
    web: Rendered
    web_file: bytes

    @property
    def output_size(self) -> str:
        """The parameter `outputSize` for as many pixels."""
        return _output_size(self.pixels)


def composed(given: Given, operation: str = "packshot", channel: str = "shopify", **parameters: str) -> object:
    """A picture before it is encoded."""
    named = {name.replace("_", "."): value for name, value in parameters.items()} | {"outputSize": given.output_size}
    render_one = {"packshot": packshot, "transparent": transparent}[operation]
    return render_one(given.rgba, channels.load(channel), PackshotParameters.parse(named))


def cut(given: Given) -> object:
    """A cutout; the network's time is kept apart by `_predict`."""
    return cutting.cutout(given.pixels, _predict)


def in_scene(given: Given) -> object:
    """The product in a scene, as large a picture as its photograph."""
    scene = scenes.load(scenes.find(scenes.shipped_folder())[SCENE])
    wanted = MockupParameters(output_size=given.output_size)
    return mockup([Product(given.rgba, HEIGHT_CM)], scene, channels.load("instagram"), wanted)


def styled(given: Given) -> object:
    """The packshot in a brand's style."""
    brand = brands.load(brands.find(brands.shipped_folder())[BRAND])
    return style(given.shop.canvas, given.shop.mask, brand)


def printed(given: Given) -> object:
    """The cutout as artwork, on a picture of the template's own size."""
    template = templates.named(TEMPLATE, templates.shipped_folder())
    return artwork(given.rgba, template, ArtworkParameters(template=TEMPLATE))


def from_a_large_file(given: Given) -> object:
    """A packshot from a photograph's file, which is read as large as its channel needs it."""
    step = Step(operation="cutout", next=[Step(operation="packshot", channel="shopify")])
    photograph = decode(given.file, DecodeLimits(kept_pixels_max=memory_model.kept_pixels(step, "", SHIPPED)))
    made = cutting.cutout(photograph.pixels, _predict)
    cut = decode(encoding.lossless(made.rgba))
    del photograph, made
    return compose("packshot", [cut], ComposeRequest(channels.load("shopify"), {}))


OPERATIONS: dict[str, Callable[[Given], object]] = {
    "decode": lambda given: decode(given.file),
    "cutout": cut,
    LARGE: from_a_large_file,
    "packshot_none": partial(composed, shadow_mode="none"),
    "packshot_contact": partial(composed, shadow_mode="contact"),
    "packshot_soft": partial(composed, shadow_mode="soft"),
    "transparent": partial(composed, operation="transparent", channel="web"),
    "mockup": in_scene,
    "style": styled,
    "artwork": printed,
    "upscale": lambda given: upscale(given.rgba),
    "encode_jpeg": lambda given: encoding.encode(given.shop.canvas, channels.load("shopify")),
    "encode_png": lambda given: encoding.encode(given.web.canvas, channels.load("web")),
    "measure": lambda given: measure(given.shop_file, given.shop, channels.load("shopify")),
    "renditions_jpeg": lambda given: render(given.shop_file, "image/jpeg"),
    "renditions_png": lambda given: render(given.web_file, "image/png"),
}
TARGETS = {
    "cutout_s_12mp": ("le", 3.0),
    "cutout_mb_12mp": ("le", 700.0),
    f"{LARGE}_s_100mp": ("le", 8.0),
    f"{LARGE}_mb_100mp": ("le", 1500.0),
}
looks_s: list[float] = []


def main() -> None:
    """Prints a table, and the figures as JSON in its last line."""
    table = Table("operation", *(f"{size:g} MP" for size in SIZES_MP), "bytes a pixel at 12 MP")
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        files = {size: Path(name) / f"{size:g}.pickle" for size in (WARM_MP, *SIZES_MP)}
        for size, file in files.items():
            file.write_bytes(pickle.dumps(vars(made(size)), protocol=5))
        for operation in [each for each in OPERATIONS if each != LARGE]:
            found = {size: _apart(operation, files[WARM_MP], files[size]) for size in SIZES_MP}
            cells = [f"{seconds:.2f} s  {peak_mb:.0f} MB" for seconds, peak_mb, _ in found.values()]
            table.add_row(operation, *cells, f"{found[12.0][1] * MB / 12e6:.0f}")
            figures |= {name: figure for size, one in found.items() for name, figure in _named(operation, size, one)}
        large = Path(name) / "large.pickle"
        large.write_bytes(pickle.dumps(vars(replace(_loaded(str(files[WARM_MP])), file=_large_file())), protocol=5))
        found_large = _apart(LARGE, files[WARM_MP], large)
        table.add_row(LARGE, "", "", f"at 100 MP {found_large[0]:.2f} s  {found_large[1]:.0f} MB", "")
        figures |= dict(_named(LARGE, LARGE_MP, found_large)) | {"process_mb": round(found_large[2])}
    Console(width=120).print(table)
    print(json.dumps({"figures": figures, "targets": TARGETS}))


def _named(operation: str, size_mp: float, found: tuple[float, float, float]) -> list[tuple[str, float]]:
    seconds, peak_mb, _ = found
    return [(f"{operation}_s_{size_mp:g}mp", round(seconds, 3)), (f"{operation}_mb_{size_mp:g}mp", round(peak_mb))]


def _large_file() -> bytes:
    """The photograph as a JPEG of 100 MP, enlarged strip by strip."""
    photograph = pyvips.Image.new_from_array(np.asarray(Image.open(PHOTOGRAPH).convert("RGB")))
    scale = (LARGE_MP * 1e6 / (photograph.width * photograph.height)) ** 0.5
    enlarged = photograph.copy(interpretation="srgb").resize(scale, kernel="cubic")
    return bytes(enlarged.crop(0, 0, enlarged.width - 8, enlarged.height - 8).jpegsave_buffer(Q=60))


def made(size_mp: float) -> Given:
    """The photograph enlarged to so many megapixels, and what follows of it."""
    photograph = np.asarray(Image.open(PHOTOGRAPH).convert("RGB"))
    scale = (size_mp * 1e6 / (photograph.shape[0] * photograph.shape[1])) ** 0.5
    enlarge = partial(cv2.resize, dsize=None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    pixels = np.asarray(enlarge(photograph), np.uint8)
    alpha = np.asarray(enlarge(np.rint(quality.truth(PHOTOGRAPH.stem) * 255).astype(np.uint8)), np.uint8)
    rgba = np.dstack([pixels * (alpha > 0)[..., None], alpha])
    size = PackshotParameters.parse({"outputSize": _output_size(pixels)})
    shop = packshot(rgba, channels.load("shopify"), size)
    web = transparent(rgba, channels.load("web"), size)
    files = (
        _encoded(canvas, name) for canvas, name in ((pixels, "shopify"), (shop.canvas, "shopify"), (web.canvas, "web"))
    )
    photograph_file, shop_file, web_file = files
    return Given(photograph_file, pixels, rgba, shop, shop_file, web, web_file)


def _encoded(canvas: Codes, channel: str) -> bytes:
    return encoding.encode(canvas, channels.load(channel)).data


def _output_size(pixels: Code) -> str:
    side_px = round((pixels.shape[0] * pixels.shape[1]) ** 0.5)
    return f"{side_px}x{side_px}"


def _apart(operation: str, warm: Path, given: Path) -> tuple[float, float, float]:
    """Seconds and MB of an operation in a process of its own, and the MB that this held before."""
    command = [sys.executable, "-m", "loadtest.benchmarks.pictures", operation, str(warm), str(given)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    seconds, peak_mb, before_mb = json.loads(done.stdout.splitlines()[-1])
    return seconds, peak_mb, before_mb


def measured(operation: Callable[[Given], object], warm: Given, given: Given) -> tuple[float, float, float]:
    """The least seconds of some runs, the MB that the first of them took at its peak, and those held before."""
    operation(warm)
    Path("/proc/self/clear_refs").write_text(PEAK_RESET)
    before_mb = _status_mb("VmRSS")
    took_s = [_took_s(operation, given)]
    peak_mb = _status_mb("VmHWM") - before_mb
    took_s += [_took_s(operation, given) for _ in range(RUNS - 1)]
    return min(took_s), peak_mb, before_mb


def _took_s(operation: Callable[[Given], object], given: Given) -> float:
    looks_s.clear()
    began_s = time.process_time()
    operation(given)
    return time.process_time() - began_s - sum(looks_s)


def _status_mb(name: str) -> float:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024 / MB


def _predict(picture: Code) -> NDArray[np.float32]:
    began_s = time.process_time()
    mask = _seen()(picture)
    looks_s.append(time.process_time() - began_s)
    return mask


@cache
def _seen() -> cutting.MaskPredictor:
    model = load_manifest("u2netp@1")
    return quality.predict(model, open_engine(model, WEIGHTS, "auto").infer)


def _loaded(path: str) -> Given:
    with Path(path).open("rb") as file:
        return Given(**pickle.load(file))


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        print(json.dumps(measured(OPERATIONS[sys.argv[1]], _loaded(sys.argv[2]), _loaded(sys.argv[3]))))
