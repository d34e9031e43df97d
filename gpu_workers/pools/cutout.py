"""The cutout pool: a source becomes a cutout in the blob store, or is kept there with all that is in it."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import structlog
from numpy.typing import NDArray

from gpu_workers.engines import EngineError, open_engine
from gpu_workers.imaging.encoding import lossless
from gpu_workers.metering import Meter
from gpu_workers.models.people import People
from gpu_workers.models.policy import stand
from gpu_workers.operations.cutout import cutout as cutting
from gpu_workers.operations.cutout.operation import find_people, metadata_of
from gpu_workers.pools import memory_model
from gpu_workers.pools.admission import Budget
from gpu_workers.pools.memory import admitted
from gpu_workers.pools.outputs import code_fingerprint, result_of, store
from gpu_workers.pools.rules import shipped
from gpu_workers.results import Result, Results
from gpu_workers.serving.batching import Batcher, BatchingError, DeviceTokens, PoisonInput
from gpu_workers.serving.model_registry import ModelRegistry, model_for
from gpu_workers.serving.serving import Leased, Network, NoModel, Serving
from gpu_workers.sources.decoding import DecodeLimits, Header, Pixels, decode, header
from gpu_workers.sources.fetch import Fetched, FetchLimits, SourceError, fetch
from schemas.channels.rulebook import Rulebook
from schemas.identity import result_id
from schemas.operations.base import BadParameters
from schemas.operations.cutout import CutoutParameters
from schemas.records import Lane, Shadow, Task
from schemas.releases import ModelSplit
from schemas.text import printable
from streams.blobs import Blobs
from streams.facts import Database
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

log = structlog.get_logger()

DEFAULT_MODEL = "u2netp@1"


SHADOW_ERROR_MAX = 500


# By when a picture of each lane should be through the engine, in s. Far longer than it takes: these order the lanes, an
# urgent picture goes before all that came in the last minute, and only a deadline of its own can make a picture late.
LATENCY_BUDGET_S: dict[Lane, float] = {"urgent": 30, "standard": 120, "bulk": 480}


@contextmanager
def open_serving(settings: Settings, registry: ModelRegistry, database: Database) -> Iterator[Serving]:
    """The networks that cut out, as they were released; they share the device."""
    tokens = DeviceTokens()

    def standing_now() -> ModelSplit:
        with database.read() as facts:
            releases = facts.releases("cutout")
        return stand(settings.cutout_model, DEFAULT_MODEL, releases, registry.models().values())

    serving = Serving(standing_now, lambda ref: open_network(settings, registry, ref, tokens))
    try:
        yield serving
    finally:
        serving.close()


def open_network(settings: Settings, registry: ModelRegistry, ref: str, tokens: DeviceTokens | None = None) -> Network:
    """The model NAME@VERSION, open and warm. Raises ModelError, EngineError, StoreError, Unavailable."""
    model = model_for("cutout", ref, registry)
    engine = open_engine(model, registry.fetched(model), settings.engine)
    batch_max = min(settings.batch_max, engine.max_batch)
    batcher = Batcher(engine, max_batch=batch_max, max_wait_ms=float(settings.batch_wait_ms), tokens=tokens)
    network = Network(model, engine, batcher)
    try:
        batcher.warm_up()
    except Exception:
        network.close()
        raise
    return network


@dataclass(frozen=True)
class _Readable:
    """What a source's header says, how it is decoded, and what that adds to the result's id."""

    head: Header
    limits: DecodeLimits
    size: str


class Cutout:
    """The cutout pool: a source becomes a cutout in the blob store, or is kept there with all that is in it.

    `rules` is asked at each task for the channels' rules that count.
    """

    def __init__(
        self,
        settings: Settings,
        blobs: Blobs,
        s3: "S3Client | None",
        serving: Serving,
        budget: Budget,
        rules: Callable[[], Rulebook] = shipped,
    ) -> None:
        self._settings = settings
        self._rules = rules
        self._fetch_limits = fetch_limits(settings)
        self._budget = budget
        self._blobs = blobs
        self._s3 = s3
        self._serving = serving
        self._without_network = f"source+{code_fingerprint('source')[:16]}"

    def work(self, task: Task, results: Results, meter: Meter) -> tuple[str, Result, bool]:
        """The result of a task on a source, its id, and whether it was known. Raises Refused."""
        if task.source is None:
            raise Refused("missing_source", f"a {task.step.operation} task needs a source", field="source")
        try:
            fetched = fetch(task.source.uri, self._fetch_limits, sha256=task.source.sha256, s3=self._s3)
            meter.lap("fetch", bytes_in=len(fetched.data))
            readable = self._readable(fetched.data, task)
            if task.step.operation == "source":
                identity = result_id("source", {}, [fetched.sha256], self._without_network, readable.size)
                keep = partial(self._keep, fetched.data, readable, task, meter)
                result, known = results.get_or_make(identity, keep)
            else:
                identity, result, known = self._cut_out(fetched, readable, task, results, meter)
        except SourceError as error:
            raise Refused(error.code, str(error), field=error.field, transient=error.transient) from error
        except NoModel as error:
            raise Refused("no_model", str(error), transient=True) from error
        if known:
            meter.lap("lookup")
        return identity, result, known

    def _readable(self, data: bytes, task: Task) -> _Readable:
        """How `data` is decoded; where every pixel is kept, that adds nothing to the result's id."""
        assert task.source is not None
        limits = DecodeLimits(pixels_max=self._settings.source_max_pixels)
        head = header(data, limits, task.source.uri)
        if head.pixels <= memory_model.KEPT_PIXELS_MAX:
            return _Readable(head, limits, "")
        kept = memory_model.kept_pixels(task.step, task.category, self._rules())
        return _Readable(head, replace(limits, kept_pixels_max=kept), f"{kept} px")

    @contextmanager
    def _admitted(self, data: bytes, readable: _Readable, task: Task, meter: Meter) -> Iterator[None]:
        assert task.source is not None
        head = readable.head
        estimate = memory_model.source_bytes if task.step.operation == "source" else memory_model.cutout_bytes
        wanted = estimate(len(data), head, readable.limits.kept_pixels_max)
        what = f"{task.source.uri}: {head.width_px:,} x {head.height_px:,} px"
        with admitted(self._budget, wanted, "sources", what, task.lane, meter):
            yield

    def _keep(self, data: bytes, readable: _Readable, task: Task, meter: Meter) -> Result:
        meter.lap("lookup")
        with self._admitted(data, readable, task, meter):
            return self._keep_decoded(data, readable.limits, task, meter)

    def _keep_decoded(self, data: bytes, limits: DecodeLimits, task: Task, meter: Meter) -> Result:
        assert task.source is not None
        picture = decode(data, limits, task.source.uri)
        meter.lap("decode")
        png = lossless(picture.pixels, picture.metadata)
        blob = store(self._blobs, "source", png, "image/png", picture.pixels.shape)
        meter.lap("store", bytes_out=len(png))
        return result_of(task, [blob], picture.measures, self._without_network, meter)

    def _cut_out(
        self, fetched: Fetched, readable: _Readable, task: Task, results: Results, meter: Meter
    ) -> tuple[str, Result, bool]:
        size = readable.size + (" worn" if _of_task(task).subject == "everything" else "")
        with self._serving.lease(task.tenant, task.sku) as leased:
            engine = f"{leased.network.engine.fingerprint[:16]}+{code_fingerprint('cutout')[:16]}"
            identity = result_id("cutout", task.step.parameters, [fetched.sha256], engine, size)
            cut = partial(self._cut, fetched.data, readable, task, meter, leased, engine)
            return identity, *results.get_or_make(identity, cut)

    def _cut(self, data: bytes, readable: _Readable, task: Task, meter: Meter, leased: Leased, engine: str) -> Result:
        meter.lap("lookup")
        with self._admitted(data, readable, task, meter):
            return self._cut_decoded(data, readable.limits, task, meter, leased, engine)

    def _cut_decoded(
        self, data: bytes, limits: DecodeLimits, task: Task, meter: Meter, leased: Leased, engine: str
    ) -> Result:
        assert task.source is not None
        with ExitStack() as asking:
            asking.enter_context(leased.network.batcher.requester())
            picture = decode(data, limits, task.source.uri)
            meter.lap("decode")
            parameters = _of_task(task)
            predictor = _Predictor(leased.network, task, meter, "cutout", asking.close)
            made = self._made(picture.pixels, predictor, parameters, leased.network, task.source.uri)
        meter.lap("cutout")
        png = lossless(made.rgba, metadata_of(picture, made))
        blob = store(self._blobs, "cutout", png, "image/png", made.rgba.shape)
        meter.lap("store", bytes_out=len(png))
        shadow = None
        if leased.beside is not None and predictor.predictions and task.lane != "urgent":
            people = find_people(self._settings.weights_folder)
            shadow = _compared(picture.pixels, made, parameters, leased.beside, people, task, meter)
        measures = {**made.measures, **picture.measures}
        result = result_of(task, [blob], measures, engine, meter)
        return msgspec.structs.replace(
            result, model=leased.network.model.ref if predictor.predictions else None, shadow=shadow
        )

    def _made(
        self, pixels: Pixels, predictor: "_Predictor", parameters: CutoutParameters, network: Network, uri: str
    ) -> cutting.Cutout:
        try:
            return cutting.cutout(pixels, predictor, parameters, find_people(self._settings.weights_folder))
        except cutting.CutoutError as error:
            raise Refused(_code(error), f"{uri}: {error}", field="sources") from error
        except PoisonInput as error:
            raise Refused("poison_input", f"{uri}: {error}", field="sources", poison=True) from error
        except (BatchingError, EngineError) as error:
            self._serving.report_broken(network)
            raise Refused("engine_failed", str(error), transient=True) from error


class _Predictor:
    """What a cutout looks with: a network, the time it is waited for kept apart from that of the stage about it."""

    def __init__(
        self, network: Network, task: Task, meter: Meter, stage: str, asks_no_more: Callable[[], None]
    ) -> None:
        self.predictions = 0
        self.engine_ms = 0.0
        self._asks_no_more = asks_no_more  # or batches would wait for it while it refines
        self._meter = meter
        self._stage = stage
        self._predict = network.predict(_wanted_by(task), task.tenant, self._charge)

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.predictions += 1
        self._meter.lap(self._stage)
        mask = self._predict(picture)
        self._meter.lap("engine" if self._stage == "cutout" else self._stage)
        if self.predictions == cutting.PREDICTIONS:
            self._asks_no_more()
        return mask

    def _charge(self, engine_ms: float) -> None:
        self.engine_ms += engine_ms
        self._meter.add_engine_ms(engine_ms)


def _compared(
    pixels: Pixels,
    used: cutting.Cutout,
    parameters: CutoutParameters,
    network: Network,
    people: People,
    task: Task,
    meter: Meter,
) -> Shadow:
    """What another network makes of the picture, compared and thrown away. It never fails the task."""
    ref = network.model.ref
    try:
        with ExitStack() as asking:
            asking.enter_context(network.batcher.requester())
            predictor = _Predictor(network, task, meter, "shadow", asking.close)
            other = cutting.cutout(pixels, predictor, parameters, people)
    except (cutting.CutoutError, BatchingError, EngineError) as error:
        log.warning("shadow failed", model=ref, sku=task.sku, reason=str(error))
        return Shadow(model=ref, error=printable(f"{type(error).__name__}: {error}", SHADOW_ERROR_MAX))
    finally:
        meter.lap("shadow")
    agreement, difference = cutting.compare(used.rgba[..., 3], other.rgba[..., 3])
    return Shadow(model=ref, agreement=agreement, difference=difference, engine_ms=round(predictor.engine_ms, 3))


def _of_task(task: Task) -> CutoutParameters:
    return cutout_parameters(task.step.parameters, task.category)


def cutout_parameters(values: dict[str, str], category: str) -> CutoutParameters:
    """The parameters of a step's texts, for a product of `category`. Raises Refused naming the parameter."""
    try:
        return CutoutParameters.parse(values).of(category)
    except BadParameters as error:
        raise Refused(error.code, str(error), field=error.field) from error


def fetch_limits(settings: Settings) -> FetchLimits:
    """The limits of downloads."""
    return FetchLimits(
        size_bytes_max=settings.source_max_bytes,
        time_s_max=settings.source_timeout_s,
        redirects_max=settings.source_max_redirects,
        private_networks=tuple(settings.source_private_networks),
        file_roots=tuple(Path(root) for root in settings.source_file_roots),
        buckets=frozenset(settings.source_buckets),
    )


def _wanted_by(task: Task) -> float:
    """By when the engine should be done with a task, on the batcher's clock: its deadline, or its lane's patience.

    In whole seconds: within one, tenants take turns.
    """
    left_s = math.inf if task.deadline_ms is None else task.deadline_ms / 1000 - time.time()
    return math.floor(time.monotonic() + min(left_s, LATENCY_BUDGET_S[task.lane]))


def _code(error: cutting.CutoutError) -> str:
    return "no_subject" if isinstance(error, cutting.NoSubject) else "bad_image"
