"""The cutout pool: a source becomes a cutout in the blob store, or is kept there with all that is in it."""

import io
import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import structlog
from numpy.typing import NDArray

from gpu_workers.engines import EngineError, open_engine
from gpu_workers.imaging.encoding import lossless
from gpu_workers.metering import Meter
from gpu_workers.models.contract import Seen, seen_in, tensor_of
from gpu_workers.models.manifest import ModelError
from gpu_workers.models.people import People
from gpu_workers.models.policy import split_by_policy
from gpu_workers.operations.base import Classifier, Made, PixelHalf, SourceRequest, pixel_half
from gpu_workers.operations.cutout import cutout as cutting
from gpu_workers.operations.cutout.cutout import MaskPredictor
from gpu_workers.operations.cutout.operation import find_people
from gpu_workers.pools import memory_model
from gpu_workers.pools.admission import Budget
from gpu_workers.pools.answers import PEOPLE, SUBJECT, Answers, answers_id, keep, known_answers
from gpu_workers.pools.limits import fetch_limits as fetch_limits
from gpu_workers.pools.memory import admitted
from gpu_workers.pools.outputs import code_fingerprint, result_of, store
from gpu_workers.pools.retouches import retouching_of
from gpu_workers.pools.rules import shipped
from gpu_workers.reading.reader import Reader
from gpu_workers.results import Result, Results
from gpu_workers.serving.batching import Batcher, BatchingError, DeviceTokens, PoisonInput
from gpu_workers.serving.model_registry import ModelRegistry, model_for
from gpu_workers.serving.serving import Leased, Network, NoModel, Serving
from gpu_workers.sources.decoding import DecodeLimits, Header, Picture, decode, header
from gpu_workers.sources.fetch import Fetched, fetch, from_stream
from schemas.channels.rulebook import Rulebook
from schemas.errors import InputError
from schemas.identity import result_id
from schemas.operations import OPERATIONS
from schemas.operations.base import BadParameters
from schemas.operations.cutout import CutoutParameters
from schemas.records import Blob, Lane, Shadow, Task
from schemas.releases import ModelSplit
from schemas.text import printable
from streams.blobs import BlobCorrupt, Blobs, NotFound
from streams.facts import Database
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

log = structlog.get_logger()

DEFAULT_MODEL = "u2netp@1"
UPLOAD = "the upload"  # what a file is called that has no address
SHADOW_ERROR_MAX = 500  # characters

# What a network sees by, given who is told the engine's ms.
Predict = Callable[[Callable[[float], None]], cutting.MaskPredictor]

# By when a picture of each lane should be through the engine, in s. Far longer than it takes: these order the lanes, an
# urgent picture goes before all that came in the last minute, and only a deadline of its own can make a picture late.
LATENCY_BUDGET_S: dict[Lane, float] = {"urgent": 30, "standard": 120, "bulk": 480}


@contextmanager
def open_serving(settings: Settings, registry: ModelRegistry, database: Database) -> Iterator[Serving]:
    """The networks that cut out, as they were released; they share the device."""
    tokens = DeviceTokens()

    def current_split() -> ModelSplit:
        with database.read() as facts:
            releases = facts.models.releases("cutout")
        return split_by_policy(settings.cutout_model, DEFAULT_MODEL, releases, registry.models().values())

    serving = Serving(current_split, lambda ref: open_network(settings, registry, ref, tokens))
    try:
        yield serving
    finally:
        serving.close()


def open_network(settings: Settings, registry: ModelRegistry, ref: str, tokens: DeviceTokens | None = None) -> Network:
    """The model NAME@VERSION, open and warm. Raises ModelError, EngineError, StoreError, Unavailable."""
    model = model_for("cutout", ref, registry)
    engine = open_engine(model, registry.fetched(model), settings.engine, settings.engine_threads)
    batch_max = min(settings.batch_max, engine.max_batch)
    batcher = Batcher(engine, max_batch=batch_max, max_wait_ms=float(settings.batch_wait_ms), tokens=tokens)
    network = Network(model, engine, batcher)
    try:
        batcher.warm_up()
    except Exception:
        network.close()
        raise
    return network


@contextmanager
def open_classifier(settings: Settings, registry: ModelRegistry) -> Iterator[Classifier | None]:
    """The network that says what photographs show that a person should see first, open for as long as the block lasts;
    None where the settings name none. Raises ModelError, EngineError, StoreError."""
    if settings.classify_model is None:
        yield None
        return
    model = model_for("classify", settings.classify_model, registry)
    engine = open_engine(model, registry.fetched(model), settings.engine, settings.engine_threads)

    def look(rgb: NDArray[np.uint8]) -> Seen:
        return seen_in(engine.infer(tensor_of(rgb, model.input)[None])[0], model.output)

    try:
        yield Classifier(look, engine.fingerprint)
    finally:
        engine.close()


@dataclass(frozen=True)
class _Job:
    """A task on a source that was fetched: what its header says and how it is decoded, who makes its picture, and what
    both add to the result's id."""

    task: Task
    uri: str
    fetched: Fetched
    head: Header
    limits: DecodeLimits
    half: PixelHalf[SourceRequest, Any]
    request: SourceRequest
    rules: str

    @property
    def operation(self) -> str:
        return self.task.step.operation

    def result_id(self, engine: str) -> str:
        return result_id(self.operation, self.task.step.parameters, [self.fetched.sha256], engine, self.rules)

    def decoded(self) -> Picture:
        """The source's picture. Raises SourceError."""
        return decode(self.fetched.data, self.limits, self.uri)

    def request_with(self, predict: MaskPredictor, people: MaskPredictor) -> SourceRequest:
        """What is wanted, with the networks that it is made by."""
        return replace(self.request, predict=predict, find_people=people)


class Cutout:
    """The cutout pool: a source becomes a cutout in the blob store, or is kept there with all that is in it.

    `rules` is asked at each task for the channels' rules that count. Without a `reader` nothing is said of what is
    written on products, and the gates send their pictures to a person. Without a `classifier` nothing is said of what
    photographs show.
    """

    def __init__(
        self,
        settings: Settings,
        blobs: Blobs,
        s3: "S3Client | None",
        serving: Serving,
        budget: Budget,
        rules: Callable[[], Rulebook] = shipped,
        reader: Reader | None = None,
        classifier: Classifier | None = None,
    ) -> None:
        self._settings = settings
        self._reader = reader
        self._classifier = classifier
        self._rules = rules
        self._fetch_limits = fetch_limits(settings)
        self._budget = budget
        self._blobs = blobs
        self._s3 = s3
        self._serving = serving

    def work(self, task: Task, results: Results, meter: Meter) -> tuple[str, Result, bool]:
        """The result of a task on a source, its id, and whether it was known. Raises Refused."""
        try:
            uri, fetched = self._fetched(task)
            meter.lap("fetch", bytes_in=len(fetched.data))
            job = self._job(uri, fetched, task)
            work = self._with_network if OPERATIONS[task.step.operation].network else self._without_network
            identity, result, known = work(job, results, meter)
        except InputError as error:
            raise Refused.because(error) from error
        except NoModel as error:
            raise Refused("no_model", str(error), transient=True) from error
        except ModelError as error:
            raise Refused("bad_model", str(error), field="parameters.model", poison=True) from error  # it is released
        if known:
            meter.lap("lookup")
        return identity, msgspec.structs.replace(result, source_digest=fetched.sha256), known

    def _fetched(self, task: Task) -> tuple[str, Fetched]:
        """What a task begins with, and its name: a source to fetch, or a file that was put into the blob store."""
        if task.source is not None:
            uri = task.source.uri
            return uri, fetch(uri, self._fetch_limits, sha256=task.source.sha256, s3=self._s3)
        if len(task.inputs) != 1:
            raise Refused("missing_source", f"a {task.step.operation} task needs a source", field="source")
        try:
            data = self._blobs.get(task.inputs[0].digest)
        except (NotFound, BlobCorrupt) as error:
            raise Refused("input_lost", str(error), field="inputs") from error
        return UPLOAD, from_stream(UPLOAD, io.BytesIO(data), self._fetch_limits)

    def _job(self, uri: str, fetched: Fetched, task: Task) -> _Job:
        """How a source is decoded; where every pixel is kept, that adds nothing to the result's id."""
        half = pixel_half(task.step.operation, "cutout")
        marks = retouching_of(task.step.parameters, fetched.sha256, self._blobs)
        request = SourceRequest(
            task.step.parameters,
            task.category,
            reader=self._reader if task.step.next else None,
            classifier=self._classifier,
            retouching=marks,
            leads_on=bool(task.step.next),
        )
        limits = DecodeLimits(pixels_max=self._settings.source_max_pixels)
        head = header(fetched.data, limits, uri)
        if head.pixels <= memory_model.KEPT_PIXELS_MAX:
            return _Job(task, uri, fetched, head, limits, half, request, half.fingerprint(request))
        kept = memory_model.kept_pixels(task.step, task.category, self._rules())
        limits = replace(limits, kept_pixels_max=kept)
        fingerprint = f"{kept} px{half.fingerprint(request)}"
        return _Job(task, uri, fetched, head, limits, half, request, fingerprint)

    def _without_network(self, job: _Job, results: Results, meter: Meter) -> tuple[str, Result, bool]:
        engine = f"{job.operation}+{code_fingerprint(job.operation)[:16]}"

        def make() -> Result:
            with self._admitted(job, meter):
                picture = job.decoded()
                meter.lap("decode")
                made = job.half.run([picture], job.request)
                blob, measures = self._stored(job, made, meter)
                return result_of(job.task, [blob], measures, engine, meter)

        identity = job.result_id(engine)
        return identity, *results.get_or_make(identity, make)

    def _with_network(self, job: _Job, results: Results, meter: Meter) -> tuple[str, Result, bool]:
        requested = job.task.step.parameters.get("model")
        with self._serving.lease(job.task.tenant, job.task.sku, requested) as leased:
            engine = f"{leased.network.engine.fingerprint[:16]}+{code_fingerprint(job.operation)[:16]}"

            def make() -> Result:
                with self._admitted(job, meter):
                    return self._predicted(job, leased, engine, meter)

            identity = job.result_id(engine)
            return identity, *results.get_or_make(identity, make)

    @contextmanager
    def _admitted(self, job: _Job, meter: Meter) -> Iterator[None]:
        meter.lap("lookup")
        wanted = memory_model.photograph_bytes(
            job.operation, len(job.fetched.data), job.head, job.limits.kept_pixels_max
        )
        what = f"{job.uri}: {job.head.width_px:,} x {job.head.height_px:,} px"
        with admitted(self._budget, wanted, "sources", what, job.task.lane, meter):
            yield

    def _predicted(self, job: _Job, leased: Leased, engine: str, meter: Meter) -> Result:
        task = job.task
        identity = answers_id(job.fetched.sha256, engine, job.request.reader)
        answers = Answers() if job.request.retouching is None else known_answers(self._blobs, identity)
        with predicting(leased.network, _wanted_by(task), task.tenant, meter, "cutout") as predictor:
            if answers.known:
                predictor.asks_no_more()
            picture = job.decoded()
            meter.lap("decode")
            made = self._made(job, picture, answers, predictor, leased.network)
        meter.lap("cutout")
        blob, measures = self._stored(job, made, meter)
        keep(self._blobs, identity, answers)
        meter.lap("store")
        shadow = None
        if leased.beside is not None and predictor.predictions and task.lane != "urgent":
            shadow = _compared(job, picture, made, leased.beside, self._people, meter)
        result = result_of(task, [blob], measures, engine, meter)
        if not answers.are_given(SUBJECT):
            return msgspec.structs.replace(result, shadow=shadow)
        preferred = leased.network.model
        return msgspec.structs.replace(result, model=preferred.ref, model_sha256=preferred.sha256, shadow=shadow)

    def _stored(self, job: _Job, made: Made, meter: Meter) -> tuple[Blob, dict[str, float]]:
        """The picture in the blob store, and what was measured of it."""
        png = lossless(made.canvas, made.metadata)
        blob = store(self._blobs, job.operation, png, "image/png", made.canvas.shape)
        meter.lap("store", bytes_out=len(png))
        return blob, job.half.measure(png, made, job.request)

    def _made(self, job: _Job, picture: Picture, answers: Answers, predictor: "Predictor", network: Network) -> Made:
        reader = None if job.request.reader is None else answers.reading(job.request.reader)
        sees, people = answers.seeing(SUBJECT, predictor), answers.seeing(PEOPLE, self._people)
        with cutout_refusals(job.uri):
            try:
                made: Made = job.half.run([picture], replace(job.request_with(sees, people), reader=reader))
                return made
            except PoisonInput:
                raise
            except (BatchingError, EngineError):
                self._serving.report_broken(network)
                raise

    @property
    def _people(self) -> People:
        return find_people(self._settings.weights_folder)


class Predictor:
    """What a cutout predicts with: a network, the time it is waited for kept apart from that of the stage about it."""

    def __init__(self, predict: Predict, meter: Meter, stage: str, asks_no_more: Callable[[], None]) -> None:
        self.predictions = 0
        self.engine_ms = 0.0
        self.asks_no_more = asks_no_more  # or batches would wait for it while it refines
        self._meter = meter
        self._stage = stage
        self._predict = predict(self._charge)

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.predictions += 1
        self._meter.lap(self._stage)
        mask = self._predict(picture)
        self._meter.lap("engine" if self._stage == "cutout" else self._stage)
        if self.predictions == cutting.PREDICTIONS:
            self.asks_no_more()
        return mask

    def _charge(self, engine_ms: float) -> None:
        self.engine_ms += engine_ms
        self._meter.add_engine_ms(engine_ms)


@contextmanager
def predicting(network: Network, deadline: float, tenant: str, meter: Meter, stage: str) -> Iterator[Predictor]:
    """What predicts with a network; until it has asked for all that a cutout needs, batches wait for it."""
    with ExitStack() as asking:
        asking.enter_context(network.batcher.requester())
        yield Predictor(partial(network.predict, deadline, tenant), meter, stage, asking.close)


def _compared(job: _Job, picture: Picture, used: Made, network: Network, people: MaskPredictor, meter: Meter) -> Shadow:
    """What another network makes of the picture, compared and thrown away. It never fails the task."""
    task = job.task
    ref = network.model.ref
    try:
        with predicting(network, _wanted_by(task), task.tenant, meter, "shadow") as predictor:
            unread = replace(job.request_with(predictor, people), reader=None, classifier=None)  # that was done already
            other = job.half.run([picture], unread)
    except (cutting.CutoutError, BatchingError, EngineError) as error:
        log.warning("shadow failed", model=ref, sku=task.sku, reason=str(error))
        return Shadow(model=ref, error=printable(f"{type(error).__name__}: {error}", SHADOW_ERROR_MAX))
    finally:
        meter.lap("shadow")
    agreement, difference = cutting.compare(used.canvas[..., 3], other.canvas[..., 3])
    return Shadow(model=ref, agreement=agreement, difference=difference, engine_ms=round(predictor.engine_ms, 3))


def cutout_parameters(values: dict[str, str], category: str) -> CutoutParameters:
    """The parameters of a step's texts, for a product of `category`. Raises Refused naming the parameter."""
    try:
        return CutoutParameters.parse(values).of(category)
    except BadParameters as error:
        raise Refused.because(error) from error


def _wanted_by(task: Task) -> float:
    """By when the engine should be done with a task, on the batcher's clock: its deadline, or its lane's patience.

    In whole seconds: within one, tenants take turns.
    """
    left_s = math.inf if task.deadline_ms is None else task.deadline_ms / 1000 - time.time()
    return math.floor(time.monotonic() + min(left_s, LATENCY_BUDGET_S[task.lane]))


@contextmanager
def cutout_refusals(name: str) -> Iterator[None]:
    """Raises Refused in place of what says that the picture called `name` cannot be cut out."""
    try:
        yield
    except cutting.CutoutError as error:
        raise Refused(error.code, f"{name}: {error}", field=error.field) from error
    except PoisonInput as error:
        raise Refused("poison_input", f"{name}: {error}", field="sources", poison=True) from error
    except (BatchingError, EngineError) as error:
        raise Refused("engine_failed", str(error), transient=True) from error
