"""Composing: what comes of cutouts, by operation; one table, one function an operation.

A step that makes an asset writes a file for its channel, any other one a lossless file. Where a next step goes on with
it, the product's mask comes with it.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging import encoding
from gpu_workers.imaging.encoding import lossless
from gpu_workers.imaging.linear_light import Codes, colour, eight_bit
from gpu_workers.imaging.metadata import Metadata, after, composite
from gpu_workers.library import brands, templates
from gpu_workers.library.brands import BadBrand, BrandProfile
from gpu_workers.library.scenes import Scene
from gpu_workers.library.templates import Template, UnknownTemplate
from gpu_workers.operations.artwork.artwork import artwork
from gpu_workers.operations.mockup import scene_layers
from gpu_workers.operations.mockup.mockup import mockup, scene_for
from gpu_workers.operations.mockup.scene_placing import Product
from gpu_workers.operations.packshot.lighting import NO_CHANGE
from gpu_workers.operations.packshot.packshot import Rendered, packshot
from gpu_workers.operations.packshot.transparent import transparent
from gpu_workers.operations.style.style import style
from gpu_workers.operations.upscale.network import Enlarge
from gpu_workers.operations.upscale.upscale import upscale
from gpu_workers.quality import mockup as mockup_measures
from gpu_workers.quality import packshot as packshot_measures
from gpu_workers.quality.artwork import print_fidelity
from gpu_workers.quality.files import file_facts, read
from gpu_workers.sources.decoding import Picture
from schemas.channels import Channel
from schemas.errors import InputError
from schemas.operations.artwork import ArtworkParameters
from schemas.operations.base import BadParameters
from schemas.operations.mockup import MockupParameters
from schemas.operations.packshot import PackshotParameters
from schemas.operations.style import StyleParameters
from schemas.operations.upscale import UpscaleParameters

Code = NDArray[np.uint8]


class BadInputs(InputError, ValueError):
    """Not the pictures that an operation takes."""

    code = "bad_inputs"
    field = "inputs"


class UnknownOperation(InputError, ValueError):
    """No picture is made by an operation of this name; the message lists those that make one."""

    code = "unknown_operation"
    field = "operation"


@dataclass(frozen=True)
class Enlarger:
    """A network that enlarges: what upscale looks with, its NAME@VERSION, and its engine's fingerprint."""

    enlarge: Enlarge
    model: str
    fingerprint: str


@dataclass(frozen=True)
class Library:
    """What there is to make pictures with beside the cutouts: scenes', brands' and templates' paths by name, and the
    network that enlarges, if there is one."""

    scenes: Mapping[str, Path] = field(default_factory=dict)
    brands: Mapping[str, Path] = field(default_factory=dict)
    templates: Mapping[str, Path] = field(default_factory=dict)
    enlarger: Enlarger | None = None


@dataclass(frozen=True)
class ComposeRequest:
    """What is wanted of an operation. `is_asset`: its file goes to the channel; `goes_on`: to a next step."""

    channel: Channel
    parameters: Mapping[str, str]
    category: str = ""
    is_asset: bool = True
    goes_on: bool = False
    library: Library = Library()


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


def compose(operation: str, inputs: Sequence[Picture], request: ComposeRequest) -> Composed:
    """What `operation` makes of `inputs`, the first of which is the main one. Raises InputError."""
    if operation not in OPERATIONS:
        raise UnknownOperation(f"no picture is made by {operation!r}; there are: {', '.join(sorted(OPERATIONS))}")
    return OPERATIONS[operation](inputs, request)


def fingerprint(operation: str, request: ComposeRequest) -> str:
    """What tells the thing of the library that `operation` would use from every other one; "" for none.

    Raises InputError.
    """
    match operation:
        case "mockup":
            scene = _scene(request, MockupParameters.parse(request.parameters))
            return scene_layers.fingerprint(scene.folder, scene)
        case "style":
            return _digest(_brand(request, StyleParameters.parse(request.parameters)).files())
        case "artwork":
            template = _template(request, ArtworkParameters.parse(request.parameters))
            return _digest(template.folder / name for name in (templates.FILE, *template.files()))
        case "upscale" if request.library.enlarger is not None:
            return request.library.enlarger.fingerprint
        case _:
            return ""


def _packshot(inputs: Sequence[Picture], request: ComposeRequest) -> Composed:
    source, parameters = _only(inputs), PackshotParameters.parse(request.parameters)
    rendered = packshot(source.pixels, request.channel, parameters, source.metadata.background)
    return _shot("packshot", rendered, source, request, parameters)


def _transparent(inputs: Sequence[Picture], request: ComposeRequest) -> Composed:
    source, parameters = _only(inputs), PackshotParameters.parse(request.parameters)
    rendered = transparent(source.pixels, request.channel, parameters, source.metadata.background)
    return _shot("transparent", rendered, source, request, parameters)


def _shot(
    operation: str, rendered: Rendered, source: Picture, request: ComposeRequest, parameters: PackshotParameters
) -> Composed:
    made = _said(source, after(source.metadata.source_type, enhanced=rendered.gain != NO_CHANGE))
    files = _files(operation, rendered.canvas, rendered.mask, made, request, parameters.export_dpi)
    return Composed(files, packshot_measures.measure(files[0].data, rendered, request.channel))


def _mockup(inputs: Sequence[Picture], request: ComposeRequest) -> Composed:
    parameters = MockupParameters.parse(request.parameters)
    if parameters.others is not None:
        raise BadParameters(
            "`others` are products of the catalogue: the flow has their cut-outs, this has not", "others"
        )
    heights = [parameters.height_cm, *parameters.others_height_cm]
    if len(heights) != len(inputs):
        told = f"`others.height_cm` has {len(heights) - 1} heights for {len(inputs) - 1} other products"
        raise BadParameters(told, "others.height_cm")
    products = [Product(each.pixels, height) for each, height in zip(inputs, heights, strict=True)]
    made = mockup(products, _scene(request, parameters), request.channel, parameters)
    said = _said(inputs[0], composite(*(each.metadata.source_type for each in inputs)))
    files = _files("mockup", made.canvas, made.mask, said, request)
    measures = mockup_measures.measure(files[0].data, made, request.channel)
    return Composed(files, {"has_scene": 1.0, **measures})


def _scene(request: ComposeRequest, parameters: MockupParameters) -> Scene:
    return scene_for(request.library.scenes, parameters, request.category)


def _artwork(inputs: Sequence[Picture], request: ComposeRequest) -> Composed:
    source, parameters = _only(inputs), ArtworkParameters.parse(request.parameters)
    art = source.pixels
    if art.shape[2] == 3:
        art = np.concatenate([art, np.full_like(art[..., :1], np.iinfo(art.dtype).max)], axis=2)
    printed = artwork(art, _template(request, parameters), parameters)
    said = _said(source, composite(source.metadata.source_type))
    files = _files("artwork", printed.canvas, printed.mask, said, request)
    return Composed(files, {**_facts(files, request), **printed.measures, **print_fidelity(printed, art)})


def _template(request: ComposeRequest, parameters: ArtworkParameters) -> Template:
    if parameters.template not in request.library.templates:
        known = ", ".join(sorted(request.library.templates)) or "none"
        raise UnknownTemplate(f"no template is called {parameters.template!r}; there are: {known}")
    return templates.load(request.library.templates[parameters.template])


def _style(inputs: Sequence[Picture], request: ComposeRequest) -> Composed:
    if len(inputs) != 2 or inputs[0].pixels.shape[2] != 3:
        raise BadInputs("a style is for a picture without holes and its product's mask, as the step before makes them")
    source, parameters = inputs[0], StyleParameters.parse(request.parameters)
    mask = eight_bit(inputs[1].pixels)[..., 0]
    rules = request.channel
    ground = colour(rules.background) if rules.background_required and rules.background else None
    styled = style(source.pixels, mask, _brand(request, parameters), parameters, ground)
    said = _said(source, after(source.metadata.source_type, enhanced=True))
    files = _files("style", styled.canvas, mask, said, request)
    shown = packshot_measures.measure_restyled(files[0].data, source.pixels, mask, ground)
    return Composed(files, {**_facts(files, request), **shown, **styled.measures})


def _brand(request: ComposeRequest, parameters: StyleParameters) -> BrandProfile:
    if parameters.brand is None:
        raise BadParameters("`brand` must be given", "brand")
    if parameters.brand not in request.library.brands:
        known = ", ".join(sorted(request.library.brands)) or "none"
        raise BadBrand(f"no brand is called {parameters.brand!r}; there are: {known}")
    return brands.load(request.library.brands[parameters.brand])


def _upscale(inputs: Sequence[Picture], request: ComposeRequest) -> Composed:
    source, parameters = _only(inputs), UpscaleParameters.parse(request.parameters)
    enlarger = request.library.enlarger
    made = upscale(source.pixels, parameters, None if enlarger is None else enlarger.enlarge, request.channel)
    measures = {"upscaled_by" if name == "scale" else name: value for name, value in made.measures.items()}
    said = _said(source, after(source.metadata.source_type, enhanced=True))
    if not request.is_asset:
        metadata = replace(said, background=source.metadata.background)
        return Composed([File("upscale", lossless(made.image, metadata), "image/png", made.image.shape)], measures)
    if made.image.shape[2] == 4 and request.channel.formats[0] != "png":
        raise BadInputs(f"{request.channel.rule_version} takes no picture with holes; a packshot is to come after it")
    encoded = encoding.encode(made.image, request.channel, source_type=said.source_type, credits=said.credits)
    files = [File("upscale", encoded.data, encoded.media_type, made.image.shape)]
    return Composed(files, {**_facts(files, request), **measures})


def _said(source: Picture, source_type: str) -> Metadata:
    """What a picture says of itself that is made out of `source` in this way."""
    return Metadata(source_type, credits=source.metadata.credits)


def _only(inputs: Sequence[Picture]) -> Picture:
    if len(inputs) != 1:
        raise BadInputs(f"it takes one picture, not {len(inputs)}")
    return inputs[0]


def _files(
    operation: str, canvas: Codes, mask: Code, said: Metadata, request: ComposeRequest, dpi: int | None = None
) -> list[File]:
    """The picture's file and, for a next step, the mask's."""
    if request.is_asset:
        encoded = encoding.encode(canvas, request.channel, source_type=said.source_type, credits=said.credits, dpi=dpi)
        picture = File(operation, encoded.data, encoded.media_type, canvas.shape)
    else:
        picture = File(operation, lossless(canvas, said), "image/png", canvas.shape)
    return [picture, *([File("mask", lossless(mask), "image/png", mask.shape)] if request.goes_on else [])]


def _facts(files: Sequence[File], request: ComposeRequest) -> dict[str, float]:
    return file_facts(files[0].data, read(files[0].data), request.channel)


def _digest(files: Iterable[Path]) -> str:
    return hashlib.sha256(b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files)).hexdigest()


OPERATIONS: dict[str, Callable[[Sequence[Picture], ComposeRequest], Composed]] = {
    "artwork": _artwork,
    "mockup": _mockup,
    "packshot": _packshot,
    "style": _style,
    "transparent": _transparent,
    "upscale": _upscale,
}
