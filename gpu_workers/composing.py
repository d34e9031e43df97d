"""Composing: what comes of cutouts, by operation; one table, one function an operation.

A step that makes an asset writes a file for its channel, any other one a lossless file. Where a next step goes on with
it, the product's mask comes with it.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyvips
from numpy.typing import NDArray
from PIL import Image

from gpu_workers import encoding, wide_gamut
from gpu_workers.decoding import Picture
from gpu_workers.linear_light import Codes
from gpu_workers.notes import NO_NOTES, Notes, after, written_into
from gpu_workers.operations.lighting import NO_CHANGE
from gpu_workers.operations.packshot import EmptyCutout, Rendered, packshot
from gpu_workers.operations.transparent import transparent
from gpu_workers.quality import measures as packshot_measures
from schemas.channels import Channel
from schemas.parameters import BadParameters, PackshotParameters

Code = NDArray[np.uint8]


class BadInputs(ValueError):
    """Not the pictures that an operation takes."""

    code = "bad_inputs"
    field = "inputs"
    transient = False


class UnknownOperation(ValueError):
    """No picture is made by an operation of this name; the message lists those that make one."""

    code = "unknown_operation"
    field = "operation"
    transient = False


ComposingError = BadInputs | UnknownOperation | BadParameters | EmptyCutout | encoding.TooHeavy
ERRORS: tuple[type[ComposingError], ...] = (
    BadInputs,
    UnknownOperation,
    BadParameters,
    EmptyCutout,
    encoding.TooHeavy,
)


@dataclass(frozen=True)
class Shelves:
    """What there is to make pictures with beside the cutouts: scenes', brands' and templates' paths by name."""

    scenes: Mapping[str, Path] = field(default_factory=dict)
    brands: Mapping[str, Path] = field(default_factory=dict)
    templates: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """What is wanted of an operation. `is_asset`: its file goes to the channel; `goes_on`: to a next step."""

    channel: Channel
    parameters: Mapping[str, str]
    category: str = ""
    is_asset: bool = True
    goes_on: bool = False
    shelves: Shelves = Shelves()


@dataclass(frozen=True)
class File:
    """A picture as a file. `role` says what it is: the operation's picture, or its `mask`."""

    role: str
    data: bytes
    media_type: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Composed:
    """The files that an operation made, its picture first, and what was measured of that."""

    files: list[File]
    measures: dict[str, float]


def compose(operation: str, inputs: Sequence[Picture], asked: Asked) -> Composed:
    """What `operation` makes of `inputs`, the first of which is the main one. Raises one of ERRORS."""
    if operation not in OPERATIONS:
        raise UnknownOperation(f"no picture is made by {operation!r}; there are: {', '.join(sorted(OPERATIONS))}")
    return OPERATIONS[operation](inputs, asked)


def lossless(pixels: Codes, notes: Notes = NO_NOTES) -> bytes:
    """A picture as PNG, of its own depth, written fast rather than small; 16 bits come with their profile."""
    if pixels.dtype == np.uint8:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
        return written_into(buffer.getvalue(), notes)
    image = pyvips.Image.new_from_array(pixels).copy(interpretation="rgb16")
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", wide_gamut.profile())
    return written_into(image.pngsave_buffer(compression=1, filter="sub", keep="icc"), notes)


def _packshot(inputs: Sequence[Picture], asked: Asked) -> Composed:
    source, parameters = _only(inputs), PackshotParameters.parse(asked.parameters)
    rendered = packshot(source.pixels, asked.channel, parameters, source.notes.background)
    return _shot("packshot", rendered, source, asked, parameters)


def _transparent(inputs: Sequence[Picture], asked: Asked) -> Composed:
    source, parameters = _only(inputs), PackshotParameters.parse(asked.parameters)
    rendered = transparent(source.pixels, asked.channel, parameters, source.notes.background)
    return _shot("transparent", rendered, source, asked, parameters)


def _shot(
    operation: str, rendered: Rendered, source: Picture, asked: Asked, parameters: PackshotParameters
) -> Composed:
    made = after(source.notes.source_type, enhanced=rendered.gain != NO_CHANGE)
    files = _files(operation, rendered.canvas, rendered.mask, made, asked, parameters.export_dpi)
    return Composed(files, packshot_measures.measure(files[0].data, rendered, asked.channel))


def _only(inputs: Sequence[Picture]) -> Picture:
    if len(inputs) != 1:
        raise BadInputs(f"it takes one picture, not {len(inputs)}")
    return inputs[0]


def _files(
    operation: str, canvas: Code, mask: Code, source_type: str, asked: Asked, dpi: int | None = None
) -> list[File]:
    """The picture's file and, for a next step, the mask's."""
    if asked.is_asset:
        encoded = encoding.encode(canvas, asked.channel, source_type=source_type, dpi=dpi)
        picture = File(operation, encoded.data, encoded.media_type, canvas.shape)
    else:
        picture = File(operation, lossless(canvas, Notes(source_type)), "image/png", canvas.shape)
    return [picture, *([File("mask", lossless(mask), "image/png", mask.shape)] if asked.goes_on else [])]


OPERATIONS: dict[str, Callable[[Sequence[Picture], Asked], Composed]] = {
    "packshot": _packshot,
    "transparent": _transparent,
}
