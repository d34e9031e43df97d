"""What an operation's pixel half is, what it is given and what it gives; and the files that are written of that.

The pixel half of an operation is the module of its name beside this one or, where it is a folder, `operation` in there.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging import encoding
from gpu_workers.imaging.encoding import lossless
from gpu_workers.imaging.metadata import NO_METADATA, Metadata
from gpu_workers.imaging.types import Code, Codes
from gpu_workers.imaging.writing import moved
from gpu_workers.models.contract import Seen
from gpu_workers.quality.files import file_facts, read
from gpu_workers.reading import lettering
from gpu_workers.reading.reader import Reader
from gpu_workers.sources.decoding import Picture
from schemas.channels import Channel
from schemas.errors import InputError
from schemas.operations import OPERATIONS
from schemas.operations.base import Pool


class BadInputs(InputError, ValueError):
    """Not the pictures that an operation takes."""

    code = "bad_inputs"
    field = "inputs"


class UnknownOperation(InputError, ValueError):
    """The pool has no operation of this name; the message lists those that it has."""

    code = "unknown_operation"
    field = "operation"


@dataclass(frozen=True)
class Enlarger:
    """A network that enlarges: for uint8 RGB (h, w, 3) the same some times as large; its NAME@VERSION, its engine's
    fingerprint, and its graph's digest."""

    enlarge: Callable[[Code], Code]
    model: str
    fingerprint: str
    sha256: str


@dataclass(frozen=True)
class Classifier:
    """A network that looks at photographs: what it sees in uint8 RGB (h, w, 3); its engine's fingerprint, which is a
    part of the result's id."""

    look: Callable[[Code], Seen]
    fingerprint: str


@dataclass(frozen=True)
class Library:
    """What there is to make pictures with beside the cutouts: scenes', brands', templates' and bodies' paths by name,
    and the network that enlarges, if there is one; and `reader`, by which what is written on products is compared."""

    scenes: Mapping[str, Path] = field(default_factory=dict)
    brands: Mapping[str, Path] = field(default_factory=dict)
    templates: Mapping[str, Path] = field(default_factory=dict)
    bodies: Mapping[str, Path] = field(default_factory=dict)
    enlarger: Enlarger | None = None
    reader: Reader | None = None


@dataclass(frozen=True)
class ComposeRequest:
    """What is wanted of an operation of the compose pool.

    `is_asset`: its file goes to the channel; `goes_on`: to a next step.
    """

    channel: Channel
    parameters: Mapping[str, str]
    category: str = ""
    is_asset: bool = True
    goes_on: bool = False
    library: Library = Library()


def _no_network(_rgb: Code) -> NDArray[np.float32]:
    raise BadInputs("the operation asks a network, and its schema half says that it has none")


@dataclass(frozen=True)
class SourceRequest:
    """What is wanted of an operation of the cutout pool, whose picture goes to a next step.

    Of uint8 RGB (h, w, 3) `predict`, the network of an operation that says it has one, tells where the product is, and
    `find_people` where people are: (h, w), 0..1. `reader` reads what is written in it, `classifier` says whether a
    person should see it first. `retouching` is what a person says of it. `leads_on`: pictures are made of what comes
    out, and judged by what is measured of it; else only what tells how sure it is is measured.
    """

    parameters: Mapping[str, str]
    category: str
    predict: Callable[[Code], NDArray[np.float32]] = _no_network
    find_people: Callable[[Code], NDArray[np.float32]] | None = None
    reader: Reader | None = None
    classifier: Classifier | None = None
    retouching: Any = None  # the cutout's own: `gpu_workers.operations.cutout.retouching.Retouching`
    leads_on: bool = True


@dataclass(frozen=True)
class File:
    """A picture as a file. `role` says what it is: the operation's picture, its `mask`, or what is made beside it."""

    role: str
    data: bytes
    media_type: str
    shape: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Made:
    """A picture before it is written: `canvas` (h, w, 3 or 4), uint8 sRGB or uint16 WIDE, with straight alpha.

    `mask` (h, w) uint8 is where the product is, for a next step; None where the picture says it itself. `metadata` is
    what the file says of itself, `dpi` what of its size in print. `transform`, a (3, 3) matrix, takes points (x, y, 1)
    of the main input onto the canvas; None where none does, and then nobody can tell what became of what is written on
    the product. `beside` are further files that come with the picture, by the roles that the schema half names. An
    operation adds what it measures by.
    """

    canvas: Codes
    mask: Code | None = None
    metadata: Metadata = NO_METADATA
    dpi: int | None = None
    transform: NDArray[np.float64] | None = None
    beside: tuple[File, ...] = ()


@dataclass(frozen=True)
class Memory:
    """What an operation takes: `base_mb`, and bytes for each pixel of its inputs and canvas, 8 bits deep; twice that
    for 16."""

    base_mb: int
    input_bytes: int
    canvas_bytes: int


RequestT = TypeVar("RequestT", contravariant=True)
MadeT = TypeVar("MadeT", bound=Made)


class PixelHalf(Protocol[RequestT, MadeT]):
    """What makes an operation's pictures; what the flow knows of it is its schema half, in `schemas.operations`."""

    MEMORY: Memory

    def run(self, inputs: Sequence[Picture], request: RequestT, /) -> MadeT:
        """The picture of `inputs`, the first of which is the main one. Equal inputs, equal bytes. Raises InputError."""

    def fingerprint(self, request: RequestT, /) -> str:
        """What tells the thing that it would use beside inputs and parameters from every other one; "" for none.

        A part of the result's id, as the code is. Raises InputError.
        """

    def measure(self, file: bytes, made: MadeT, request: RequestT, /) -> dict[str, float]:
        """What is measured of `made` in its written `file`; all that the schema half requires of an asset."""


def module_of(operation: str) -> str:
    """The name of the module that is an operation's pixel half. Raises UnknownOperation."""
    name = f"{__package__}.{operation}"
    spec = find_spec(name) if operation in OPERATIONS else None
    if spec is None:
        raise UnknownOperation(f"no operation is called {operation!r}; there are: {', '.join(OPERATIONS)}")
    return name if spec.submodule_search_locations is None else f"{name}.operation"


def pixel_half(operation: str, pool: Pool) -> PixelHalf[Any, Any]:
    """An operation's pixel half, imported. Raises UnknownOperation for one that is not the pool's."""
    names = [name for name, each in OPERATIONS.items() if each.pool == pool]
    if operation not in names:
        raise UnknownOperation(f"the {pool} pool has no {operation!r}; it has: {', '.join(names)}")
    half: PixelHalf[Any, Any] = import_module(module_of(operation))
    return half


@dataclass(frozen=True)
class Composed:
    """The files that an operation made, its picture first, and what was measured of that."""

    files: list[File]
    measures: dict[str, float]


def compose(operation: str, inputs: Sequence[Picture], request: ComposeRequest) -> Composed:
    """What an operation of the compose pool makes of `inputs`, written and measured. Raises InputError.

    An asset is a file for its channel, any other picture a lossless one. Where a next step goes on with it, the
    product's mask comes with it.
    """
    half = pixel_half(operation, "compose")
    made: Made = half.run(inputs, request)
    written = inputs[0].metadata.writing if inputs else None
    if written is not None and made.transform is not None:
        made = replace(made, metadata=replace(made.metadata, writing=moved(written, made.transform)))
    files = [_picture(operation, made, request)]
    if request.goes_on and made.mask is not None:
        files.append(File("mask", lossless(made.mask), "image/png", made.mask.shape))
    files += made.beside
    measures = half.measure(files[0].data, made, request)
    if request.is_asset and request.library.reader is not None and made.transform is not None:
        is_own_ground = OPERATIONS[operation].ground == "own"
        measures |= lettering.measures(
            files[0].data, inputs[0], made.mask, made.transform, request.channel, request.library.reader, is_own_ground
        )
    return Composed(files, measures)


def fingerprint(operation: str, request: ComposeRequest) -> str:
    """See `PixelHalf.fingerprint`, of an operation of the compose pool; and by what an asset's text is read."""
    reader = request.library.reader
    read_by = "" if reader is None or not request.is_asset else reader.fingerprint
    return pixel_half(operation, "compose").fingerprint(request) + read_by


def only(inputs: Sequence[Picture]) -> Picture:
    """The one input that there is. Raises BadInputs."""
    if len(inputs) != 1:
        raise BadInputs(f"it takes one picture, not {len(inputs)}")
    return inputs[0]


def metadata_of(source: Picture, source_type: str) -> Metadata:
    """What a picture says of itself that is made out of `source` in this way."""
    return Metadata(source_type, credits=source.metadata.credits, marks=source.metadata.marks)


def facts(file: bytes, request: ComposeRequest) -> dict[str, float]:
    """What is measured of every picture's file."""
    return file_facts(file, read(file), request.channel)


def _picture(role: str, made: Made, request: ComposeRequest) -> File:
    if not request.is_asset:
        return File(role, lossless(made.canvas, made.metadata), "image/png", made.canvas.shape)
    metadata = made.metadata
    encoded = encoding.encode(
        made.canvas,
        request.channel,
        source_type=metadata.source_type,
        credits=metadata.credits,
        marks=metadata.marks,
        dpi=made.dpi,
    )
    return File(role, encoded.data, encoded.media_type, made.canvas.shape)
