"""How much memory a picture takes, by what its header says and what is made of it; and how large it is worked on.

The factors rest on two or three pictures each, in a process of their own: the most that it held, less what it held
before; round numbers that none of them exceeds, 8 and 16 bits apart. `make bench-pictures` measures the same, and has
not been run whole since they were set.
"""

from collections.abc import Iterator, Mapping, Sequence

from gpu_workers.operations.base import Memory, pixel_half
from gpu_workers.sources.decoding import Header, Pixels
from schemas.channels import Channel, Size
from schemas.channels.rulebook import Rulebook
from schemas.operations import OPERATIONS
from schemas.operations.base import BadParameters, Extent, SizedParameters
from schemas.records import Blob, Step

MB = 2**20
# 5,000 by 5,000: nearly four times the pixels of the largest canvas that a channel advises. A cutout of so many fits a
# worker of 2 GB, and hardly any camera makes more.
KEPT_PIXELS_MAX = 25_000_000
_KEPT_PIXELS_MIN = 12_000_000
_DEAREST = Memory(300, 50, 120)
_FRAME_SHARE = 0.5  # a product takes so much of its photograph's longer side at least, mostly
_HELD_BYTES = 7  # a pixel: a photograph's three samples and its cutout's four


def photograph_bytes(operation: str, file_bytes: int, header: Header, kept_pixels_max: int | None) -> int:
    """What it takes to decode a photograph and to do with it what an operation of the cutout pool does."""
    cost = _memory(operation)
    is_kept = kept_pixels_max is None or header.pixels <= kept_pixels_max
    worked_on = header.pixels if is_kept else kept_pixels_max or 0
    deep = 2 if header.bits > 8 or header.bands > 4 else 1
    # Those that cannot be read in strips lie in their decoder's memory whole.
    of_decoder = header.bands * header.bits // 8 * (2 if header.is_progressive else 1)
    return cost.base_mb * MB + 2 * file_bytes + header.pixels * of_decoder + worked_on * cost.input_bytes * deep


def compose_bytes(operation: str, inputs: Sequence[Blob], canvas: Size) -> int:
    """What it takes to make a picture of this `canvas` out of `inputs`; a 16-bit file tells by its size."""
    return _composing_bytes(operation, sum(blob.width_px * blob.height_px * _depth(blob) for blob in inputs), canvas)


def decoded_bytes(operation: str, inputs: Sequence[Pixels], canvas: Size | None = None) -> int:
    """What it takes to cut out pictures that are decoded already, or to make one of this `canvas` out of them."""
    pixels = sum(int(picture[..., 0].nbytes) for picture in inputs)
    return _composing_bytes(operation, pixels, canvas or Size(0, 0))


def rendering_bytes(
    operation: str, photographs: Sequence[tuple[int, Header]], kept_pixels_max: int, canvas: Size, *, is_cut_out: bool
) -> int:
    """What it takes to go from photographs, the size of their files and their headers, to a picture of this `canvas`.

    They are read and, where the operation works on cutouts, cut out one after the other; each stays until the end.
    """
    one = "cutout" if is_cut_out else "source"
    reading = max(photograph_bytes(one, size, head, kept_pixels_max) for size, head in photographs)
    pixels = [min(head.pixels, kept_pixels_max) * (2 if head.bits > 8 else 1) for _, head in photographs]
    reading += (sum(pixels) - min(pixels)) * _HELD_BYTES
    if operation == "cutout":
        return reading
    return max(reading, _composing_bytes(operation, sum(pixels), canvas) + sum(pixels) * _HELD_BYTES)


def _composing_bytes(operation: str, pixels: int, canvas: Size) -> int:
    """`pixels` are the inputs', those of 16 bits counted twice."""
    cost = _memory(operation)
    return cost.base_mb * MB + pixels * cost.input_bytes + canvas.width_px * canvas.height_px * cost.canvas_bytes


def kept_pixels(step: Step, category: str, rules: Rulebook) -> int:
    """How many pixels of a photograph the steps after `step` can use: those of the longest side that a product takes of
    their canvases, enlarged by what of the frame it leaves empty. A cutout for its own sake keeps all that fits."""
    sides = [*_longest_px(step.next, category, rules)] or [None]
    if None in sides:
        return KEPT_PIXELS_MAX
    longest = max(side for side in sides if side is not None)
    return min(max(round((longest / _FRAME_SHARE) ** 2), _KEPT_PIXELS_MIN), KEPT_PIXELS_MAX)


def canvas_of(channel: Channel, parameters: Mapping[str, str]) -> Size:
    """The canvas that a step makes, at most."""
    output_size = parameters.get("outputSize")
    if output_size is None:
        return channel.canvas
    try:
        return SizedParameters.parse({"outputSize": output_size}).size or channel.canvas
    except BadParameters:
        return channel.canvas  # the step itself says what is wrong with it


def _longest_px(steps: Sequence[Step], category: str, rules: Rulebook) -> Iterator[float | None]:
    """The longest side that a product has in each of the steps and in those after them, at most; None where nothing
    tells: there is no channel that we know, or the canvas cuts the product off."""
    for step in steps:
        known = step.channel in rules.names() and _extent(step) != "any"
        is_known = known and step.parameters.get("scaling", "fit") == "fit"
        yield _side_px(rules.load(step.channel, category), step) if is_known and step.channel else None
        yield from _longest_px(step.next, category, rules)


def _side_px(channel: Channel, step: Step) -> float:
    """That of the canvas, of which a packshot leaves the channel's room empty, if nobody asks for another."""
    canvas = canvas_of(channel, step.parameters)
    own_room = any(name.startswith(("margin", "padding")) for name in step.parameters)
    fills = channel.fill.target if _extent(step) == "fill" and not own_room else 1.0
    return max(canvas.width_px, canvas.height_px) * fills


def _memory(operation: str) -> Memory:
    """What an operation takes; of one that is not known, the most that any takes."""
    return _DEAREST if operation not in OPERATIONS else pixel_half(operation, OPERATIONS[operation].pool).MEMORY


def _extent(step: Step) -> Extent:
    return "any" if step.operation not in OPERATIONS else OPERATIONS[step.operation].extent


def _depth(blob: Blob) -> int:
    """1 or 2 bytes a sample: cutouts of 8 bits are never larger than 4 bytes a pixel."""
    return 2 if blob.size_bytes > 3 * blob.width_px * blob.height_px else 1
