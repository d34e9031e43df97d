"""The worst pictures that may be sent, and a worker's cutout pool on all of them at once within a limited memory.

`python -m tests.gpu_workers.worst_pictures FOLDER MEMORY_MB NAME…` prints what became of each as JSON.
"""

import io
import json
import resource
import struct
import sys
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyvips
from PIL import Image

from gpu_workers.metering import Meter, Prices
from gpu_workers.operations.cutout import cutout as cutting
from gpu_workers.pools import cutout as cutout_pool
from gpu_workers.pools import memory
from gpu_workers.results import Results
from gpu_workers.serving.model_registry import ModelRegistry
from gpu_workers.serving.serving import Serving
from schemas.identity import content_id
from schemas.records import Source, Step, Task
from schemas.releases import ModelSplit
from streams.blobs import Blobs, open_store
from streams.facts import Database
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings

TRIES = 3
MB = 2**20


def _scene(width_px: int, height_px: int) -> Any:
    """A dark disc on a light ground, made as it is read."""
    y, x = np.mgrid[:500, :500]
    disc = ((x - 250) ** 2 + (y - 250) ** 2 < 180**2)[..., None]
    small = np.where(disc, (40, 90, 160), (235, 232, 228)).astype(np.uint8)
    image = pyvips.Image.new_from_array(small).copy(interpretation="srgb")
    return image.resize(width_px / 500, vscale=height_px / 500, kernel="linear")


def _deep() -> bytes:
    image = (_scene(10_000, 10_000).cast("ushort") * 257).cast("ushort").copy(interpretation="rgb16")
    return bytes(image.pngsave_buffer(compression=1))


def _cmyk() -> bytes:
    inks = _scene(10_000, 10_000).bandjoin(30).cast("uchar").copy(interpretation="cmyk")
    return bytes(inks.jpegsave_buffer(Q=70))


def _see_through() -> bytes:
    image = _scene(10_000, 10_000)
    return bytes(image.bandjoin((image[0] < 200) / 2 + 100).cast("uchar").pngsave_buffer(compression=1))


def _net() -> bytes:
    """8 MP of meshes and fur: edges everywhere."""
    y, x = np.mgrid[:2500, :3200]
    mesh = ((x % 9 < 3) | (y % 9 < 3))[..., None] & ((x - 1600) ** 2 + (y - 1250) ** 2 < 1100**2)[..., None]
    fur = np.random.default_rng(0).integers(0, 255, (2500, 3200, 3))
    picture = np.where(mesh, fur, 200 + fur // 8).astype(np.uint8)
    return bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 70])[1].tobytes())


def _many_frames() -> bytes:
    frames = [Image.new("P", (400, 400), number % 7) for number in range(3000)]
    stream = io.BytesIO()
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:], duration=20)
    return stream.getvalue()


def _pages() -> bytes:
    stream = io.BytesIO()
    pages = [Image.new("L", (2000, 2000), number) for number in range(200)]
    pages[0].save(stream, "TIFF", save_all=True, append_images=pages[1:], compression="tiff_deflate")
    return stream.getvalue()


def _with_chunk(name: bytes, content: bytes) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (500, 500), "white").save(stream, "PNG")
    png = stream.getvalue()
    chunk = struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
    return png[:33] + chunk + png[33:]


PICTURES: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: bytes(_scene(10_000, 10_000).jpegsave_buffer(Q=70)),
    "progressive": lambda: bytes(_scene(10_000, 10_000).jpegsave_buffer(Q=70, interlace=True, subsample_mode="off")),
    "cmyk": _cmyk,
    "deep_png": _deep,
    "see_through": _see_through,
    "interlaced_png": lambda: bytes(_scene(10_000, 10_000).pngsave_buffer(compression=1, interlace=True)),
    "tiff": lambda: bytes(_scene(10_000, 10_000).tiffsave_buffer(compression="deflate", tile_height=10_000)),
    "webp": lambda: bytes(_scene(12_000, 8_000).webpsave_buffer(Q=50, effort=0)),
    "net": _net,
    "long_strip": lambda: bytes(_scene(30_000, 64).jpegsave_buffer()),
    "high_strip": lambda: bytes(_scene(64, 30_000).pngsave_buffer()),
    "many_frames": _many_frames,
    "pages": _pages,
    "large_profile": lambda: _with_chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(bytes(50 * MB))),
    "large_xmp": lambda: _with_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + b" " * (60 * MB)),
    "bomb": lambda: _with_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(1000 * MB))),
}
SHORT = ("jpeg", "net", "long_strip", "large_profile")


def main(folder: Path, memory_mb: int, names: list[str]) -> None:
    """Cuts all of them out at once, on as many threads as a worker has, and tells what became of each."""
    resource.setrlimit(resource.RLIMIT_DATA, (memory_mb * MB, memory_mb * MB))
    settings = Settings(source_file_roots=[str(folder)], memory_budget_mb=memory_mb, data_folder=folder / "data")
    (folder / "data").mkdir(exist_ok=True)
    database = Database(settings.database)
    database.create_tables()
    blobs = Blobs(open_store(settings.blobs))
    registry, ref = ModelRegistry.of(settings, blobs, database), cutout_pool.DEFAULT_MODEL
    serving = Serving(lambda: ModelSplit((ref,)), lambda ref: cutout_pool.open_network(settings, registry, ref))
    cutting.warm_up()
    pool = cutout_pool.Cutout(settings, blobs, None, serving, memory.memory_budget(settings))
    with ThreadPoolExecutor(settings.threads) as threads:
        ends = dict(zip(names, threads.map(lambda name: _end(pool, Results(blobs), folder / name), names), strict=True))
    serving.close()
    database.close()
    print(json.dumps({"ends": ends, "peak_mb": _peak_mb(), "threads": settings.threads}))


def _end(pool: cutout_pool.Cutout, results: Results, file: Path) -> str:
    """`done`, or the code of what it was refused for, tried again as often as a worker does."""
    task = Task(
        task_id=content_id(file.name),
        tenant="acme",
        sku=file.name,
        version=1,
        lane="standard",
        step=Step(operation="cutout", next=[Step(operation="packshot", channel="shopify")]),
        source=Source(uri=file.as_uri()),
    )
    for _ in range(TRIES):
        try:
            pool.work(task, results, Meter(Prices()))
        except Refused as refusal:
            code = refusal.code
            if not refusal.transient:
                break
        else:
            return "done"
    return code


def _peak_mb() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) // 1024


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
