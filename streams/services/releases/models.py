"""The models of an installation: which there are, what they are worth, and how operators release them."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gpu_workers.engines import Engine, EngineError, Preference, open_engine, usable_engines
from gpu_workers.models.loader import is_right, model_path
from gpu_workers.models.manifest import Model, ModelError, UnknownModel, read_manifest, shipped
from gpu_workers.models.policy import split_by_policy
from gpu_workers.models.verifying import check_graph, try_out
from gpu_workers.pools import cutout as cutout_pool
from gpu_workers.serving.model_registry import ModelRegistry
from schemas.records import Lane, ModelAdded, ModelReleased, ReleaseStage
from schemas.releases import ModelSplit
from streams.blobs import Blobs, open_store
from streams.consumer.clients import AcknowledgedProducer
from streams.consumer.letters import outgoing
from streams.facts import Asset, Comparison, Database, Facts
from streams.runtime.clock import now_ms
from streams.runtime.errors import Refused
from streams.runtime.observability import set_up_command, tracer
from streams.runtime.settings import Settings
from streams.services.operating import local
from streams.services.operating.replanning import Selection, replan, select
from streams.services.reports.status import open_database
from streams.services.reports.views import ProductName, product_names

if TYPE_CHECKING:
    from gpu_workers.distillation.comparing import Compared

OPERATION = "cutout"
TEACHER = "u2netp@1"
CALIBRATION_PICTURES = 64
GRAPH_TYPE = "application/octet-stream"


@dataclass(frozen=True)
class Row:
    """One model: where it stands, whether its graph is on this machine, and what became of its work."""

    model: Model
    stage: str
    is_here: bool
    live: int
    in_review: int
    comparison: Comparison | None


@dataclass(frozen=True)
class Verified:
    """One model on one engine: what is wrong, or nothing."""

    ref: str
    engine: str
    error: str = ""


@dataclass(frozen=True)
class Built:
    """A model made ready: on which engine, in what time, and the ms that a batch of each size takes."""

    ref: str
    engine: str
    fingerprint: str
    took_s: float
    latency_ms: dict[int, float]


@dataclass(frozen=True)
class Added:
    """A model that was added, NAME@VERSION, and whether the streams role has noted it."""

    added: str
    noted: bool


@dataclass(frozen=True)
class Released:
    """A model that works for a share of the products, and whether the streams role has noted it."""

    model: str
    stage: ReleaseStage
    share: float
    noted: bool


@dataclass(frozen=True)
class Withdrawn:
    """A model that was withdrawn, the one that works now, and the products that are made again."""

    withdrawn: str
    works: str
    products: Sequence[ProductName]


def overview(settings: Settings) -> list[Row]:
    """Every model, those that ship first."""
    with open_database(settings) as database:
        registry = _registry(settings, database)
        with database.read() as facts:
            split = _split(settings, registry, facts)
            assets = facts.assets.every()
            comparisons = {each.model: each for each in facts.models.comparisons()}
            reviews = [review.request.completed for review in facts.reviews.every()]
        models = registry.models()
    in_review = [{*each.task.models, each.model} for each in reviews]
    return [
        Row(
            model=model,
            stage=stage_of(ref, split),
            is_here=is_right(registry.folder_of(model) / model.file, model.sha256),
            live=sum(ref in _made_by(asset) for asset in assets),
            in_review=sum(ref in made_by for made_by in in_review),
            comparison=comparisons.get(ref),
        )
        for ref, model in models.items()
    ]


def stage_of(ref: str, split: ModelSplit) -> str:
    """Where a model stands, in a word or two."""
    if ref in split.recalled:
        return "recalled"
    for stage, trial in (("canary", split.canary), ("shadow", split.shadow)):
        if trial is not None and trial.model == ref:
            whose = f" and {', '.join(trial.tenants)}" if trial.tenants else ""
            return f"{stage} {trial.share:.0%}{whose}"
    if ref in split.stable:
        return "stable" if ref == split.stable[0] else "ready" if ref in split.stable[: split.kept] else "before"
    return ""


def verify(settings: Settings, refs: tuple[str, ...]) -> list[Verified]:
    """Checks models, or all: digest, graph, and what each engine that runs here answers."""
    _log_little(settings)
    with open_database(settings) as database:
        registry = _registry(settings, database)
        models = [_known(registry, ref) for ref in refs] or list(registry.models().values())
        return [found for model in models for found in _verified(model, registry)]


def add(settings: Settings, manifest: Path, by: str) -> Added:
    """Adds the model in a manifest, its graph beside it, after trying it out. Raises Refused."""
    try:
        model, text = read_manifest(manifest)
        if model.published is not None:
            raise Refused(
                "bad_model", "`published` is for models that ship; put the graph beside it", field="published"
            )
        if model.operation == "read":
            raise Refused("bad_model", "what reads text ships with Packshot", field="operation")
        if model.ref in shipped():
            raise Refused("version_conflict", f"{model.ref} ships with Packshot; give yours another name", field="name")
        path = model_path(model, manifest.parent)
        check_graph(model, path)
        _try_on("onnxruntime", model, manifest.parent)
    except (ModelError, EngineError) as error:
        raise Refused("bad_model", str(error), field="manifest") from error
    with local.connect(settings) as (database, producer):
        known = _added(database).get(model.ref)
        if known is not None and known.manifest != text:
            message = f"{model.ref} is known with another manifest; a change needs another version"
            raise Refused("version_conflict", message, field="version")
        _blobs(settings).put(path.read_bytes(), GRAPH_TYPE)
        event = ModelAdded(operation=model.operation, model=model.ref, manifest=text, added_by=by, added_at_ms=now_ms())
        _send(event, producer)
        return Added(model.ref, local.noted(lambda: model.ref in _added(database)))


def release(
    settings: Settings, ref: str, stage: ReleaseStage, share: float, tenants: tuple[str, ...], reason: str, by: str
) -> Released:
    """Releases a model. Raises Refused."""
    with local.connect(settings) as (database, producer):
        model = _known(_registry(settings, database), ref)
        if model.operation != OPERATION:
            message = f"{ref} is for {model.operation}: the setting {model.operation}_model names the one that works"
            raise Refused("not_released", message, field="model")
        event = ModelReleased(
            operation=model.operation,
            model=ref,
            stage=stage,
            share=share,
            tenants=list(tenants),
            reason=reason,
            released_by=by,
            released_at_ms=now_ms(),
        )
        return Released(ref, stage, share, _released(event, database, producer))


def rollback(settings: Settings, ref: str | None, recall: bool, lane: Lane, reason: str, by: str) -> Withdrawn:
    """Withdraws a model: the one named, else the canary, else the stable one.

    With `recall`, every product with an asset that it made is made again. Raises Refused when nothing would be left
    that works, or when nobody notes it.
    """
    with local.connect(settings) as (database, producer):
        registry = _registry(settings, database)
        with database.read() as facts:
            split = _split(settings, registry, facts)
        gone = ref or (split.canary.model if split.canary else split.stable[0] if split.stable else "")
        left = [each for each in split.stable if each != gone]
        if not gone or not left:
            raise Refused("nothing_left", f"without {gone or 'it'} no model would work; release another one first")
        operation = _known(registry, gone).operation
        event = ModelReleased(
            operation=operation,
            model=gone,
            stage="withdrawn",
            recall=recall,
            reason=reason,
            released_by=by,
            released_at_ms=now_ms(),
        )
        if not _released(event, database, producer) and recall:
            raise Refused(
                "not_noted", "the streams role has not noted it yet; run `packshot replay --model` when it has"
            )
        products = select(Selection(model=gone), database, settings) if recall else []
        replan(products, lane, f"{gone} was recalled", producer)
        return Withdrawn(gone, left[0], product_names(products))


def build(settings: Settings, ref: str) -> Built:
    """Makes a model ready on this machine's engine, and keeps what that made. Raises Refused."""
    _log_little(settings)
    began = time.perf_counter()
    with open_database(settings) as database:
        registry = _registry(settings, database)
        _known(registry, ref)
        try:
            network = cutout_pool.open_network(settings, registry, ref)
        except (ModelError, EngineError) as error:
            raise Refused("bad_model", str(error), field="model") from error
    try:
        sizes = range(1, network.engine.max_batch + 1)
        measured = {size: network.batcher.latency.estimate_ms(size) for size in sizes if not math.log2(size) % 1}
        took_s = time.perf_counter() - began
        return Built(ref, network.engine.name, network.engine.fingerprint, took_s, measured)
    finally:
        network.close()


def _made_by(asset: Asset) -> list[str]:
    return asset.live.models if asset.live else []


def distill(settings: Settings, photographs: Path, target: Path, steps: int | None) -> list["Compared"]:
    """Teaches a smaller network what the one that ships sees, writes it to `target`, and compares. Raises Refused."""
    from gpu_workers.distillation import distilling
    from gpu_workers.distillation.training_pictures import NoPictures

    config = distilling.TrainingConfig() if steps is None else distilling.TrainingConfig(steps=steps)
    try:
        teacher = model_path(shipped()[TEACHER], settings.weights_folder)
        distilling.distill(teacher, photographs, target, config)
        return compare(settings, [target], photographs)
    except (ModelError, distilling.NoTorch, NoPictures) as error:
        raise Refused("cannot_distill", str(error)) from error


def quantize(
    settings: Settings, ref: str, target: Path, precision: str, photographs: Path, leave_out: tuple[str, ...]
) -> list["Compared"]:
    """Writes a model with smaller numbers to `target`, and compares. Raises Refused."""
    from gpu_workers.distillation import quantizing
    from gpu_workers.distillation.training_pictures import NoPictures, load_photographs, training_tensor

    with open_database(settings) as database:
        registry = _registry(settings, database)
        model = _known(registry, ref)
        try:
            graph = registry.fetched(model) / model.file
            if precision == "fp16":
                quantizing.quantize_fp16(graph, target)
            else:
                taken = load_photographs(photographs)
                pictures = [training_tensor(taken, 0, index) for index in range(CALIBRATION_PICTURES)]
                quantizing.quantize_int8(graph, target, pictures, leave_out)
            return compare(settings, [target], photographs)
        except (ModelError, NoPictures, ValueError) as error:
            raise Refused("cannot_quantize", str(error)) from error


def compare(settings: Settings, graphs: list[Path], photographs: Path) -> list["Compared"]:
    """How near graphs come to the network that ships, and how much faster they are. Raises ModelError, NoPictures."""
    from gpu_workers.distillation.comparing import report

    teacher = model_path(shipped()[TEACHER], settings.weights_folder)
    return report(teacher, {graph.name: graph for graph in graphs}, photographs)


def _log_little(settings: Settings) -> None:
    set_up_command(settings)


def _registry(settings: Settings, database: Database) -> ModelRegistry:
    return ModelRegistry.of(settings, _blobs(settings), database)


def _blobs(settings: Settings) -> Blobs:
    return Blobs(open_store(settings.blobs, s3_endpoint=settings.s3_endpoint))


def _split(settings: Settings, registry: ModelRegistry, facts: Facts) -> ModelSplit:
    releases = facts.models.releases(OPERATION)
    return split_by_policy(settings.cutout_model, cutout_pool.DEFAULT_MODEL, releases, registry.models().values())


def _known(registry: ModelRegistry, ref: str) -> Model:
    try:
        return registry.model(ref)
    except UnknownModel as error:
        raise Refused("unknown_model", str(error), field="model") from error


def _added(database: Database) -> dict[str, ModelAdded]:
    with database.read() as facts:
        return facts.models.every()


def _released(event: ModelReleased, database: Database, producer: AcknowledgedProducer) -> bool:
    def is_noted() -> bool:
        with database.read() as facts:
            return event in facts.models.releases(event.operation)

    _send(event, producer)
    return local.noted(is_noted)


def _send(event: ModelAdded | ModelReleased, producer: AcknowledgedProducer) -> None:
    with tracer.start_as_current_span(f"models {type(event).__name__}"):
        producer.send([outgoing(event, "packshot/models", codec=producer.codec)])


def _verified(model: Model, registry: ModelRegistry) -> Iterator[Verified]:
    try:
        folder = registry.fetched(model)
        check_graph(model, folder / model.file)
    except ModelError as error:
        yield Verified(model.ref, "", str(error))
        return
    for engine in usable_engines():
        yield Verified(model.ref, engine, _complaint(engine, model, folder))


def _complaint(engine: Preference, model: Model, folder: Path) -> str:
    try:
        _try_on(engine, model, folder)
    except (ModelError, EngineError) as error:
        return str(error)
    return ""


@contextmanager
def _opened(engine: Preference, model: Model, folder: Path) -> Iterator[Engine]:
    opened = open_engine(model, folder, engine)
    try:
        yield opened
    finally:
        opened.close()


def _try_on(engine: Preference, model: Model, folder: Path) -> None:
    with _opened("onnxruntime", model, folder) as reference:
        if engine == "onnxruntime":
            try_out(model, reference)
            return
        with _opened(engine, model, folder) as opened:
            try_out(model, opened, reference)
