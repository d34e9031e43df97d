"""Renditions a second of a core, and their bytes at equal quality: ours beside Pillow's and thumbor's.

The sources are sheets of the sample catalogue at 1, 2 and 12 MP, of one photograph to twelve: the photographs as they
are and the products on white, both as JPEG, and the products cut out, as PNG. Of each come the widths and formats that
are published.

`pillow` is Pillow as its documentation would have it: decoded once, with `draft` where that leaves a factor of two,
LANCZOS with `reducing_gap`, premultiplied, optimised progressive JPEG, and the encoders' own efforts (WebP method 4,
AVIF speed 6, PNG level 6). `pillow_hurried` has the efforts that ours has (method 2 and alpha of quality 90, speed 8
tuned for SSIM, level 3): the same codecs at the same work. `thumbor` is its server as it comes, asked for one rendition
after another over HTTP, with no store in the way.

Quality is SSIM with the whole source reduced by Pillow's LANCZOS, which favours Pillow a little. Each contender writes
a format at the least quality number that reaches our SSIM; its time and its bytes are those at that number. PNG loses
nothing. The contenders take turns; time is the processor's, of all threads, and a ratio is the median of the rounds'.
"""

import io
import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import cycle, islice
from pathlib import Path
from statistics import mean, median
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.table import Table

from gpu_workers.imaging.encoding import srgb_profile
from loadtest.benchmarks import quality
from loadtest.benchmarks.rendition_contenders import Contender, Made, Ours, Pillow, Qualities, Source, Thumbor
from loadtest.benchmarks.similarity import Luma, luma, ssim
from streams.publishing.renditions import ALPHA_FORMATS, OPAQUE_FORMATS, WIDTHS_PX

ROUNDS = 3
SHEETS = {"1mp": (1, 1), "2mp": (2, 1), "12mp": (4, 3)}  # columns and rows
KINDS = ("photograph", "on_white", "cut_out")
TILE_PX = (1000, 1000)
JUDGED_PX = (640,)
JUDGED_SHEETS = ("1mp", "2mp")
QUALITIES = range(30, 99)
FORMATS = {"image/jpeg": OPAQUE_FORMATS, "image/png": ALPHA_FORMATS}  # by the source's
LOSSY = ("image/jpeg", "image/webp", "image/avif")
HURRIED: dict[str, dict[str, Any]] = {
    "image/webp": {"method": 2, "alpha_quality": 90},
    "image/avif": {"speed": 8, "advanced": {"tune": "ssim"}},
    "image/png": {"compress_level": 3},
}
TARGETS = {
    "ours_to_pillow": ("ge", 3),
    "ours_to_thumbor": ("ge", 3),
    "ours_to_pillow_hurried": ("ge", 1),
    "bytes_to_pillow_hurried": ("le", 1.05),
}

Sources = Mapping[tuple[str, str], Source]  # by kind and sheet
Job = tuple[str, str]  # a sheet and a format, or "all" of them
Round = dict[Job, float]  # renditions a second of the processor


def main() -> None:
    """Prints tables, and the figures as JSON in its last line."""
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as name, Thumbor(Path(name)) as thumbor:
        sources = {(kind, sheet): _source(Path(name), kind, sheet) for kind in KINDS for sheet in SHEETS}
        ours = Ours()
        contenders: list[Contender] = [ours, Pillow("pillow"), Pillow("pillow_hurried", HURRIED), thumbor]
        qualities = {each.name: _qualities(each, ours, sources) for each in contenders}
        sizes = {each.name: _bytes(each, sources, qualities[each.name]) for each in contenders}
        rounds = [
            {each.name: _round(each, sources, qualities[each.name]) for each in contenders} for _ in range(ROUNDS)
        ]
        alike = {each.name: _alike(each, sources, qualities[each.name]) for each in contenders}
    figures = speeds(rounds) | weights(sizes) | _flat("quality", qualities) | _flat("ssim", alike)
    show(rounds, sizes, qualities, alike)
    print(json.dumps({"figures": figures, "targets": TARGETS}))


def _source(folder: Path, kind: str, sheet: str) -> Source:
    columns, rows = SHEETS[sheet]
    files = [file for file in quality.PHOTOGRAPHS if Image.open(file).size == TILE_PX]
    tiles = [_tile(file, kind) for file in islice(cycle(files), columns * rows)]
    picture = np.vstack([np.hstack(tiles[row * columns : (row + 1) * columns]) for row in range(rows)])
    name, format_, options = ("png", "PNG", {}) if kind == "cut_out" else ("jpg", "JPEG", {"quality": 92})
    path = folder / f"{kind}-{sheet}.{name}"
    Image.fromarray(picture).save(path, format_, icc_profile=srgb_profile(), **options)
    return Source(path, path.read_bytes(), f"image/{format_.lower()}", picture.shape[1], picture.shape[0])


def _tile(file: Path, kind: str) -> NDArray[np.uint8]:
    photograph = np.asarray(Image.open(file).convert("RGB"))
    if kind == "photograph":
        return photograph
    share = quality.truth(file.stem)[..., None]
    if kind == "cut_out":
        return np.dstack([photograph * (share > 0), np.rint(share * 255)]).astype(np.uint8)
    return np.rint(photograph * share + 255 * (1 - share)).astype(np.uint8)


def _qualities(contender: Contender, ours: Contender, sources: Sources) -> dict[str, int]:
    """By format, the least quality number whose SSIM is no less than ours."""
    if contender is ours:
        return {}
    return {media_type: _least(contender, ours, sources, media_type) for media_type in LOSSY}


def _least(contender: Contender, ours: Contender, sources: Sources, media_type: str) -> int:
    judged = [each for (_, sheet), each in sources.items() if sheet in JUDGED_SHEETS]
    judged = [each for each in judged if media_type in FORMATS[each.media_type]]
    wanted = _ssim(ours, judged, media_type, {})
    low, high = QUALITIES.start, QUALITIES.stop - 1
    while low < high:
        middle = (low + high) // 2
        enough = _ssim(contender, judged, media_type, {media_type: middle}) >= wanted
        low, high = (low, middle) if enough else (middle + 1, high)
    return low


def _ssim(contender: Contender, sources: Iterable[Source], media_type: str, qualities: Qualities) -> float:
    """The mean over renditions of the judged width."""
    made = [(source, contender.make(source, JUDGED_PX, [media_type], qualities)) for source in sources]
    return mean(_to_truth(source, width, data) for source, each in made for (width, _), data in each.items())


def _to_truth(source: Source, width_px: int, data: bytes) -> float:
    return ssim(_exact(source, width_px), _luma(Image.open(io.BytesIO(data))))


@cache
def _exact(source: Source, width_px: int) -> Luma:
    whole = Image.open(io.BytesIO(source.data))
    return _luma(whole.resize((width_px, round(whole.height * width_px / whole.width)), Image.Resampling.LANCZOS))


def _luma(picture: Image.Image) -> Luma:
    return luma(np.asarray(picture.convert("RGBA" if picture.mode == "RGBA" else "RGB")))


def _alike(contender: Contender, sources: Sources, qualities: Qualities) -> dict[str, float]:
    judged = [each for (_, sheet), each in sources.items() if sheet in JUDGED_SHEETS]
    found = {}
    for media_type in LOSSY:
        those = [each for each in judged if media_type in FORMATS[each.media_type]]
        found[media_type] = _ssim(contender, those, media_type, qualities)
    return found


def _bytes(contender: Contender, sources: Sources, qualities: Qualities) -> dict[str, int]:
    """Of all renditions of all sources, by format."""
    sizes: dict[str, int] = {}
    for source in sources.values():
        for (_, media_type), data in _everything(contender, source, qualities).items():
            sizes[media_type] = sizes.get(media_type, 0) + len(data)
    return sizes


def _everything(contender: Contender, source: Source, qualities: Qualities) -> Made:
    return contender.make(source, WIDTHS_PX, FORMATS[source.media_type], qualities)


def _round(contender: Contender, sources: Sources, qualities: Qualities) -> Round:
    """Renditions a second of the processor: of each sheet in all formats at once, and in one format at a time."""
    count: dict[Job, int] = {}
    took_s: dict[Job, float] = {}
    for (_, sheet), source in sources.items():
        formats = FORMATS[source.media_type]
        for name, wanted in [("all", formats), *((each, (each,)) for each in formats)]:
            before_s = contender.cpu_s()
            made = contender.make(source, WIDTHS_PX, wanted, qualities)
            spent_s = contender.cpu_s() - before_s
            for job in ((sheet, name), ("all", name)):
                count[job] = count.get(job, 0) + len(made)
                took_s[job] = took_s.get(job, 0.0) + spent_s
    return {job: count[job] / took_s[job] for job in count}


def speeds(rounds: Sequence[Mapping[str, Round]]) -> dict[str, float]:
    """Medians over the rounds, and of their ratios to ours."""
    figures: dict[str, float] = {}
    for name in rounds[0]:
        figures[f"{name}_per_core_s"] = round(median(each[name]["all", "all"] for each in rounds), 1)
    for name in rounds[0]:
        if name == "ours":
            continue
        for job in rounds[0][name]:
            ratio = median(each["ours"][job] / each[name][job] for each in rounds)
            figures["_".join([f"ours_to_{name}", *_of(job)])] = round(ratio, 2)
    return figures


def weights(sizes: Mapping[str, Mapping[str, int]]) -> dict[str, float]:
    """Our bytes as a ratio to those of the others, at equal SSIM."""
    figures: dict[str, float] = {}
    for name, theirs in sizes.items():
        if name == "ours":
            continue
        figures[f"bytes_to_{name}"] = round(sum(sizes["ours"].values()) / sum(theirs.values()), 3)
        for media_type, size in theirs.items():
            figures[f"bytes_to_{name}_{_short(media_type)}"] = round(sizes["ours"][media_type] / size, 3)
    return figures


def _of(job: Job) -> list[str]:
    return [_short(part) for part in job if part != "all"]


def _short(media_type: str) -> str:
    return media_type.removeprefix("image/")


def _flat(what: str, by_name: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    return {
        f"{name}_{what}_{_short(media_type)}": round(value, 4)
        for name, values in by_name.items()
        for media_type, value in values.items()
    }


def show(
    rounds: Sequence[Mapping[str, Round]],
    sizes: Mapping[str, Mapping[str, int]],
    qualities: Mapping[str, Qualities],
    alike: Mapping[str, Mapping[str, float]],
) -> None:
    """Prints what was found."""
    speed = Table("renditions a second of a core", *sizes)
    for job in sorted(rounds[0]["ours"]):
        speed.add_row(
            " ".join(_of(job)) or "all", *(f"{median(each[name][job] for each in rounds):.1f}" for name in sizes)
        )
    weight = Table("quality number: kB, SSIM", *map(_short, sizes["ours"]))
    for name, by_format in sizes.items():
        cells = []
        for media_type, size in by_format.items():
            number = f"{qualities[name][media_type]}: " if media_type in qualities[name] else ""
            likeness = f", {alike[name][media_type]:.4f}" if media_type in alike[name] else ""
            cells.append(f"{number}{size / 1000:.0f}{likeness}")
        weight.add_row(name, *cells)
    console = Console(width=120)
    console.print(speed)
    console.print(weight)


if __name__ == "__main__":
    main()
