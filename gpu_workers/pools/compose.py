"""The compose pool: cutouts become a picture for a channel."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from gpu_workers.engines import EngineError, open_engine
from gpu_workers.library import bodies, brands, scenes, templates
from gpu_workers.metering import Meter
from gpu_workers.operations import base as operations
from gpu_workers.operations.base import Composed, ComposeRequest, Enlarger, Library
from gpu_workers.operations.upscale.network import enlarge_with
from gpu_workers.pools import memory_model
from gpu_workers.pools.admission import Budget
from gpu_workers.pools.memory import admitted
from gpu_workers.pools.outputs import code_fingerprint, result_of, store
from gpu_workers.pools.rules import shipped
from gpu_workers.reading.reader import Reader
from gpu_workers.results import Result, Results
from gpu_workers.serving.model_registry import ModelRegistry, model_for
from gpu_workers.sources.decoding import Picture, decode
from gpu_workers.sources.fetch import SourceError
from schemas.channels import Channel, UnknownChannel
from schemas.channels.rulebook import BadChannel, Rulebook
from schemas.errors import InputError
from schemas.identity import result_id
from schemas.operations import OPERATIONS
from schemas.records import Task
from streams.blobs import BlobCorrupt, Blobs, NotFound
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings


@contextmanager
def open_enlarger(settings: Settings, registry: ModelRegistry) -> Iterator[Enlarger | None]:
    """The network that enlarges, open for as long as the block lasts; None where the settings name none.

    Raises ModelError, EngineError, StoreError, BadTiles.
    """
    if settings.upscale_model is None:
        yield None
        return
    model = model_for("upscale", settings.upscale_model, registry)
    engine = open_engine(model, registry.fetched(model), settings.engine, settings.engine_threads)
    try:
        yield Enlarger(enlarge_with(engine, model.input), model.ref, engine.fingerprint, model.sha256)
    finally:
        engine.close()


class Compose:
    """The compose pool: a cutout becomes a picture for a channel.

    `library` and `rules` are asked at each task for what there is, and for the channels' rules that count.
    """

    def __init__(
        self,
        blobs: Blobs,
        library: Callable[[], Library],
        budget: Budget,
        rules: Callable[[], Rulebook] = shipped,
    ) -> None:
        self._blobs = blobs
        self._rules = rules
        self._budget = budget
        self._library = library

    def work(self, task: Task, results: Results, meter: Meter) -> tuple[str, Result, bool]:
        """The result of a task on a cutout, its id, and whether it was known. Raises Refused."""
        if not task.inputs or task.step.channel is None:
            raise Refused("missing_input", f"a {task.step.operation} task needs an input and a channel", field="inputs")
        channel = _channel(task.step.channel, task.category, self._rules())
        inputs = [blob.digest for blob in task.inputs]
        step = task.step
        is_asset, goes_on = step.asset is not None, bool(step.next)
        request = ComposeRequest(channel, step.parameters, task.category, is_asset, goes_on, self._library())
        used = library_fingerprint(step.operation, request)
        rules = f"{channel.rule_version}/{task.category}/{is_asset:d}{goes_on:d}{used}"
        identity = result_id(step.operation, step.parameters, inputs, _engine(step.operation), rules)
        result, known = results.get_or_make(identity, lambda: self._compose(task, request, meter))
        if known:
            meter.lap("lookup")
        return identity, result, known

    def _compose(self, task: Task, request: ComposeRequest, meter: Meter) -> Result:
        meter.lap("lookup")
        canvas = memory_model.canvas_of(request.channel, task.step.parameters)
        wanted = memory_model.compose_bytes(task.step.operation, task.inputs, canvas)
        what = f"{task.step.operation} of {canvas.width_px:,} x {canvas.height_px:,} px"
        with admitted(self._budget, wanted, "inputs", what, task.lane, meter):
            return self._composed(task, request, meter)

    def _composed(self, task: Task, request: ComposeRequest, meter: Meter) -> Result:
        try:
            files = [self._blobs.get(blob.digest) for blob in task.inputs]
            inputs = [decode(file) for file in files]
            meter.lap("load", bytes_in=sum(map(len, files)))
            composed = compose(task.step.operation, inputs, request)
            meter.lap("compose")
        except (NotFound, BlobCorrupt) as error:
            raise Refused("input_lost", str(error), field="inputs") from error
        except SourceError as error:  # a blob that is no picture: the task was not written by us
            raise Refused.because(error, field="inputs") from error
        except EngineError as error:
            raise Refused("engine_failed", str(error), transient=True) from error
        blobs = [store(self._blobs, each.role, each.data, each.media_type, each.shape) for each in composed.files]
        meter.lap("store", bytes_out=sum(len(each.data) for each in composed.files))
        result = result_of(task, blobs, composed.measures, _engine(task.step.operation), meter)
        enlarger = request.library.enlarger if OPERATIONS[task.step.operation].network else None
        if enlarger is None:
            return result
        return msgspec.structs.replace(result, model=enlarger.model, model_sha256=enlarger.sha256)


def _channel(name: str, category: str, rules: Rulebook) -> Channel:
    try:
        return rules.load(name, category)
    except (UnknownChannel, BadChannel) as error:
        raise Refused.because(error, field="step.channel") from error


def _engine(operation: str) -> str:
    """What a result says that it was made by."""
    return f"compose+{code_fingerprint(operation)[:16]}"


def library_fingerprint(operation: str, request: ComposeRequest) -> str:
    """What an operation would use of the library. Raises Refused."""
    try:
        return operations.fingerprint(operation, request)
    except InputError as error:
        raise Refused.because(error) from error


def compose(operation: str, inputs: Sequence[Picture], request: ComposeRequest) -> Composed:
    """What an operation makes of its inputs. Raises Refused."""
    try:
        return operations.compose(operation, inputs, request)
    except InputError as error:
        raise Refused.because(error) from error


def library(settings: Settings, enlarger: Enlarger | None = None, reader: Reader | None = None) -> Library:
    """The scenes, brands, templates and mannequins that ship, and the installation's own; and what enlarges and reads,
    where it is open."""

    def folders(named: Path | None) -> list[Path]:
        return [] if named is None else [named]

    return Library(
        scenes=scenes.find(scenes.shipped_folder(), *folders(settings.scenes)),
        brands=brands.find(brands.shipped_folder(), *folders(settings.brands)),
        templates=templates.find(templates.shipped_folder(), *folders(settings.templates)),
        bodies=bodies.find(bodies.shipped_folder(), *folders(settings.bodies)),
        enlarger=enlarger,
        reader=reader,
    )
