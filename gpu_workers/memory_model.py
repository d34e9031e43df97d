"""How much memory a picture takes, by what its header says and what is made of it; and how large it is worked on.

The factors rest on two or three pictures each, in a process of their own: the most that it held, less what it held
before; round numbers that none of them exceeds, 8 and 16 bits apart. `make bench-pictures` measures the same, and has
not been run whole since they were set.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gpu_workers.decoding import Header
from schemas import channels
from schemas.channels import Channel, Size
from schemas.parameters import BadParameters
from schemas.parameters.base import SizedParameters
from schemas.records import Blob, Step

MB = 2**20
# 5,000 by 5,000: nearly four times the pixels of the largest canvas that a channel advises. A cutout of so many fits a
# worker of 2 GB, and hardly any camera makes more.
KEPT_PIXELS_MAX = 25_000_000
_KEPT_PIXELS_MIN = 12_000_000
_FRAME_SHARE = 0.5  # a product takes so much of its photograph's longer side at least, mostly


@dataclass(frozen=True)
class _Cost:
    """`base_mb`, and bytes for each pixel of the inputs and of the canvas, 8 bits deep; twice that for 16."""

    base_mb: int
    input_bytes: int
    canvas_bytes: int


_CUTOUT = _Cost(300, 28, 0)
_SOURCE = _Cost(0, 16, 0)
_COMPOSE = {
    "packshot": _Cost(50, 40, 60),
    "transparent": _Cost(50, 40, 60),
    "mockup": _Cost(150, 40, 120),
    "artwork": _Cost(250, 40, 120),
    "style": _Cost(50, 40, 40),
    "upscale": _Cost(300, 50, 0),
}
_DEAREST = _Cost(300, 50, 120)


def cutout_bytes(file_bytes: int, header: Header, kept_pixels_max: int | None) -> int:
    """What it takes to decode a photograph and to cut it out."""
    return _photograph_bytes(_CUTOUT, file_bytes, header, kept_pixels_max)


def source_bytes(file_bytes: int, header: Header, kept_pixels_max: int | None) -> int:
    """What it takes to decode a photograph and to keep it as it is."""
    return _photograph_bytes(_SOURCE, file_bytes, header, kept_pixels_max)


def compose_bytes(operation: str, inputs: Sequence[Blob], canvas: Size) -> int:
    """What it takes to make a picture of this `canvas` out of `inputs`; a 16-bit file tells by its size."""
    cost = _COMPOSE.get(operation, _DEAREST)
    pixels = sum(blob.width_px * blob.height_px * _depth(blob) for blob in inputs)
    return cost.base_mb * MB + pixels * cost.input_bytes + canvas.width_px * canvas.height_px * cost.canvas_bytes


def kept_pixels(step: Step, category: str) -> int:
    """How many pixels of a photograph the steps after `step` can use: those of the largest of their canvases, enlarged
    by what of the frame a product leaves empty. A cutout for its own sake keeps all that fits."""
    canvases = list(_canvases(step.next, category))
    if not canvases or None in canvases:
        return KEPT_PIXELS_MAX
    longest = max(max(each.width_px, each.height_px) for each in canvases if each is not None)
    return min(max(round((longest / _FRAME_SHARE) ** 2), _KEPT_PIXELS_MIN), KEPT_PIXELS_MAX)


def canvas_of(channel: Channel, parameters: Mapping[str, str]) -> Size:
    """The canvas that a step makes, at most."""
    asked = parameters.get("outputSize")
    if asked is None:
        return channel.canvas
    try:
        return SizedParameters.parse({"outputSize": asked}).size or channel.canvas
    except BadParameters:
        return channel.canvas  # the step itself says what is wrong with it


def _canvases(steps: Sequence[Step], category: str) -> Iterator[Size | None]:
    """The canvas of each of the steps and of those after them; None for one that is not for a channel we know."""
    for step in steps:
        known = step.channel in channels.names() and step.operation in ("packshot", "transparent", "mockup", "style")
        yield canvas_of(channels.load(step.channel, category), step.parameters) if known and step.channel else None
        yield from _canvases(step.next, category)


def _photograph_bytes(cost: _Cost, file_bytes: int, header: Header, kept_pixels_max: int | None) -> int:
    is_kept = kept_pixels_max is None or header.pixels <= kept_pixels_max
    worked_on = header.pixels if is_kept else kept_pixels_max or 0
    deep = 2 if header.bits > 8 or header.bands > 4 else 1
    # Those that cannot be read in strips lie in their decoder's memory whole.
    of_decoder = header.bands * header.bits // 8 * (2 if header.is_progressive else 1)
    return cost.base_mb * MB + 2 * file_bytes + header.pixels * of_decoder + worked_on * cost.input_bytes * deep


def _depth(blob: Blob) -> int:
    """1 or 2 bytes a sample: cutouts of 8 bits are never larger than 4 bytes a pixel."""
    return 2 if blob.size_bytes > 3 * blob.width_px * blob.height_px else 1
