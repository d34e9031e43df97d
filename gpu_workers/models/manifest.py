"""What a model is: its graph and its digest, where it comes from, what goes in and out, and how good it was measured.

A model is one version of a network for one operation; `NAME@VERSION` refers to it. Manifests ship with the package, and
users add their own: no code comes with them.
"""

import re
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from schemas import documents
from schemas.decoding import prepare
from schemas.records import ModelAdded, Name, Sha256

Side = Annotated[int, Meta(ge=1, le=8192)]
Count = Annotated[int, Meta(ge=1, le=2**17)]  # of the characters that a network knows
Class = Annotated[int, Meta(ge=0, lt=2**17)]  # its number, from 0 on


class ModelError(Exception):
    """A model cannot be used.

    ModelError
    ├── UnknownModel      no manifest of that name or version
    ├── BadManifest       the manifest does not say what it must; names the field
    ├── WeightsMissing    the file is not there; names it
    ├── WeightsCorrupt    the file is not the one the manifest describes; names it
    ├── FetchFailed       the source could not be downloaded or lacks the member
    ├── BadGraph          the graph is not what the manifest says, or cannot be given a free batch dimension
    └── BadAnswers        the graph runs, and what it answers is no mask, or not its picture enlarged
    """


class UnknownModel(ModelError):
    """No manifest has this name and version."""


class BadManifest(ModelError):
    """The manifest's text is not valid; the message names file and field."""


class Published(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file in a wheel, which is a pinned requirement; a model's graph is made of it by freeing its batch dimension.

    `wheel`: where each interpreter and platform has its own, the tags of one of them, for the file is in all.
    """

    requirement: str
    member: str
    file: Name
    sha256: Sha256
    wheel: tuple[str, str] | None = None


class Input(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One input tensor: RGB squashed to its size and scaled to 0..1, less `mean`, over `std`.

    `shape` is (3, height, width), or (height, width, 3) for a graph that has the bands last. `white` says what is 1:
    the picture's brightest value, or that of its type; `bands` which one comes first.
    """

    shape: tuple[Side, Side, Side]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    white: Literal["brightest", "full"] = "full"
    bands: Literal["rgb", "bgr"] = "rgb"

    def __post_init__(self) -> None:
        if min(self.std) <= 0:
            raise ValueError("`std` must be above 0")
        if 3 not in (self.shape[0], self.shape[2]):
            raise ValueError("`shape` must have the three bands first, or last")

    @property
    def has_bands_last(self) -> bool:
        """Whether a pixel's bands lie side by side."""
        return self.shape[0] != 3

    @property
    def size_px(self) -> tuple[int, int]:
        """Height and width."""
        return self.shape[:2] if self.has_bands_last else self.shape[1:]


class Output(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The one output that is used: its name in the graph and its shape without the batch.

    Of a `mask`, `activation` is what the graph leaves out; a `stretch`ed one is widened so that it goes from 0 to 1. An
    `enlargement` is the input's picture, RGB 0..1, twice or four times as large. `letters` tell how likely each
    character is, 0..1, at each step along a line of text, the first one being none: (1, steps, characters); the graph
    has that without the 1. `scores` tell how likely a photograph is of each class, (1, 1, classes), which the graph has
    without the 1s; those of the classes `doubtful` together are how likely a person should look, and those named in
    `classes`, each with its number, are what rules of the content policy may speak of.
    """

    tensor: str
    shape: tuple[Literal[1, 3], Side, Count]
    activation: Literal["none", "sigmoid", "softmax"] = "none"
    stretch: bool = False
    kind: Literal["mask", "enlargement", "letters", "scores"] = "mask"
    doubtful: tuple[Class, ...] = ()
    classes: Annotated[dict[Name, Class], Meta(max_length=100)] = {}


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One version of a network, as its manifest describes it. `quality` is what was measured, by name."""

    name: Name
    version: Name
    operation: Literal["cutout", "upscale", "read", "classify"]
    licence: str
    source: str
    precision: Literal["fp32", "fp16", "int8"]
    max_batch: Annotated[int, Meta(ge=1, le=1024)]
    file: Name
    sha256: Sha256
    size_bytes: Annotated[int, Meta(ge=1)]
    input: Input
    output: Output
    published: Published | None = None
    quality: dict[str, float] = {}

    def __post_init__(self) -> None:
        if (self.operation == "upscale") != (self.output.kind == "enlargement"):
            raise ValueError("`output.kind` must be `enlargement` for upscale, and `mask` for cutout")
        if self.input.has_bands_last and self.operation != "classify":
            raise ValueError("`input.shape` may have the bands last for classify alone")
        if self.output.kind == "letters" and self.operation != "read":
            raise ValueError("`output.kind` may be `letters` for read alone")
        self._check_scores()
        if self.output.kind == "mask" and self.output.shape[0] != 1:
            raise ValueError("`output.shape` must have one band for a mask")
        height, width = self.input.size_px
        if self.output.kind == "enlargement" and self.output.shape not in (
            (3, times * height, times * width) for times in (2, 4)
        ):
            raise ValueError("`output.shape` must be that of the input, twice or four times as large")

    def _check_scores(self) -> None:
        if (self.operation == "classify") != (self.output.kind == "scores"):
            raise ValueError("`output.kind` must be `scores` for classify, and for nothing else")
        bands, height, classes = self.output.shape
        if self.output.kind == "scores" and (bands, height) != (1, 1):
            raise ValueError("`output.shape` must be (1, 1, classes) for scores")
        named = (*self.output.doubtful, *self.output.classes.values())
        if self.output.kind == "scores" and not 0 <= max(named, default=-1) < classes:
            raise ValueError("`output.doubtful` or `output.classes` must name classes, from 0 on, for scores")

    @property
    def ref(self) -> str:
        """NAME@VERSION."""
        return f"{self.name}@{self.version}"


@cache
def shipped() -> dict[str, Model]:
    """The models that ship with the package, by NAME@VERSION. Raises BadManifest."""
    folder = resources.files("gpu_workers.models") / "manifests"
    files = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".yaml")), key=lambda entry: entry.name)
    models = [parse_manifest(file.read_text(encoding="utf-8"), file.name) for file in files]
    return {model.ref: model for model in models}


def shipped_for(operation: str) -> dict[str, Model]:
    """Those of an operation. Raises BadManifest."""
    return {ref: model for ref, model in shipped().items() if model.operation == operation}


def load_manifest(ref: str) -> Model:
    """The shipped model called NAME@VERSION, or the newest of that NAME. Raises UnknownModel, BadManifest."""
    models = shipped()
    matching = [model for model in models.values() if ref in (model.ref, model.name)]
    if not matching:
        raise UnknownModel(f"no model {ref!r}; there are: {', '.join(models)}")
    return max(matching, key=version_order)


def parse_manifest(text: str, file: str) -> Model:
    """A manifest from its YAML text; `file` is named in errors. Raises BadManifest."""
    try:
        return documents.decode(text, Model)
    except msgspec.DecodeError as error:
        raise BadManifest(f"{file}: {error}") from error


def model_in(event: ModelAdded) -> Model:
    """The model that an event tells of. Raises BadManifest, for one that is another's, too."""
    model = parse_manifest(event.manifest, event.model)
    if (model.ref, model.operation) != (event.model, event.operation):
        raise BadManifest(f"{event.model} for {event.operation}: the manifest is of {model.ref} for {model.operation}")
    return model


def read_manifest(path: Path) -> tuple[Model, str]:
    """A manifest from its file, and its text. Raises BadManifest."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadManifest(f"{path}: {error}") from error
    return parse_manifest(text, path.name), text


def version_order(model: Model) -> list[tuple[int, str]]:
    """Sorts versions as people count them: 2 before 10, 1.9 before 1.10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.findall(r"\d+|[^\d.]+", model.version)]


prepare(Model)
