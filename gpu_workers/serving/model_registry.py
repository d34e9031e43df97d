"""the registry: every model there is, by NAME@VERSION, and its graph on this machine's disk."""

from collections.abc import Callable, Mapping
from pathlib import Path

import structlog

from gpu_workers.models import loader
from gpu_workers.models.manifest import BadManifest, Model, UnknownModel, model_in, shipped
from schemas.records import ModelAdded
from streams.blobs import BlobCorrupt, Blobs, NotFound
from streams.facts import Database
from streams.runtime.settings import Settings

ADDED = "added"

log = structlog.get_logger()


class ModelRegistry:
    """Models that ship with the package, and those that operators added, whose graphs lie in the blob store."""

    def __init__(self, folder: Path, blobs: Blobs, added: Callable[[], Mapping[str, ModelAdded]]) -> None:
        self._folder = folder
        self._blobs = blobs
        self._added = added
        self._logged: set[str] = set()

    @classmethod
    def of(cls, settings: Settings, blobs: Blobs, database: Database) -> "ModelRegistry":
        """the registry of an installation."""

        def added() -> Mapping[str, ModelAdded]:
            with database.read() as facts:
                return facts.models.every()

        return cls(settings.weights_folder, blobs, added)

    def models(self) -> dict[str, Model]:
        """Every model, by NAME@VERSION, the shipped ones first. One with a bad manifest is left out, and told once."""
        read = {ref: self._read(event) for ref, event in self._added().items()}
        return {**shipped(), **{ref: model for ref, model in read.items() if model is not None}}

    def model(self, ref: str) -> Model:
        """The model NAME@VERSION. Raises UnknownModel."""
        if known := shipped().get(ref):
            return known
        models = self.models()
        if ref not in models:
            raise UnknownModel(f"no model is called {ref!r}; there are: {', '.join(models)}")
        return models[ref]

    def _read(self, event: ModelAdded) -> Model | None:
        try:
            return model_in(event)
        except BadManifest as error:
            if event.model not in self._logged:
                self._logged.add(event.model)
                log.error("a model is left out: its manifest is bad", model=event.model, reason=str(error))
            return None

    def folder_of(self, model: Model) -> Path:
        """The folder that the model's graph lies in on this machine, and what engines make of it."""
        return self._folder if model.ref in shipped() else self._folder / ADDED / model.ref

    def fetched(self, model: Model) -> Path:
        """`folder_of`, with the graph in it. Raises WeightsMissing, WeightsCorrupt."""
        folder = self.folder_of(model)
        if model.ref not in shipped() and not loader.is_right(folder / model.file, model.sha256):
            try:
                loader.install(self._blobs.get(model.sha256), folder / model.file, model.sha256)
            except NotFound as error:
                raise loader.WeightsMissing(f"{model.ref}: its graph is not in the blob store: {error}") from error
            except BlobCorrupt as error:
                raise loader.WeightsCorrupt(f"{model.ref}: {error}") from error
        loader.model_path(model, folder)
        return folder


def model_for(operation: str, ref: str, registry: ModelRegistry) -> Model:
    """The model `ref`, NAME@VERSION, for an operation. Raises ModelError."""
    model = registry.model(ref)
    if model.operation != operation:
        raise UnknownModel(f"{ref} is a model for {model.operation} and not for {operation}")
    return model
