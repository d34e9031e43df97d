"""The operations on this machine, with the pools' own code: the same pictures, and the same refusals."""

import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gpu_workers.engines import EngineError
from gpu_workers.imaging.encoding import lossless
from gpu_workers.imaging.linear_light import eight_bit
from gpu_workers.local import orders
from gpu_workers.metering import Meter, Prices
from gpu_workers.models.fetch import fetch_all
from gpu_workers.models.manifest import ModelError, shipped
from gpu_workers.models.policy import split_by_policy
from gpu_workers.operations.base import ComposeRequest, Enlarger, File
from gpu_workers.operations.cutout import cutout as cutting
from gpu_workers.operations.cutout.operation import cutout_picture, find_people, metadata_of, with_writing
from gpu_workers.operations.cutout.retouching import Retouching
from gpu_workers.pools import cutout as cutout_pool
from gpu_workers.pools import memory, memory_model
from gpu_workers.pools.answers import PEOPLE, SUBJECT, Answers
from gpu_workers.reading.opening import READ_BY, open_reader
from gpu_workers.reading.reader import Reader
from gpu_workers.serving.batching import BatchingError
from gpu_workers.serving.model_registry import ModelRegistry
from gpu_workers.serving.serving import Network
from gpu_workers.sources.decoding import DecodeLimits, Header, Picture, decode, header
from gpu_workers.sources.fetch import Fetched, SourceError
from schemas.channels import Channel, Size
from schemas.identity import result_id
from schemas.operations import OPERATIONS
from schemas.records import Step, Verdict
from streams.blobs import Blobs, open_store
from streams.facts import Database
from streams.runtime.errors import Refused
from streams.runtime.screen import errors
from streams.runtime.settings import Settings

# Operations that take a picture with all that is in it, and those that are given besides where the product is.
AS_IT_IS = frozenset(name for name, each in OPERATIONS.items() if "source" in each.takes)
WITH_MASK = frozenset(name for name, each in OPERATIONS.items() if "picture" in each.takes)

# What the gates say of the measures of an operation's picture for a channel.
Judge = Callable[[Mapping[str, float], Channel, str], Verdict]


class NoNetwork(Refused):
    """A network cannot be opened, so that nothing can be made: no picture is at fault."""


@dataclass(frozen=True)
class Made:
    """A picture as a file, what was measured of it, what the gates say, and what a next step works on."""

    file: bytes
    media_type: str
    measures: dict[str, float]
    verdict: Verdict
    files: Sequence[File]


@dataclass(frozen=True)
class Output:
    """A picture as a file, what was measured of it and, where it has a channel, what the gates say."""

    file: bytes
    media_type: str
    measures: dict[str, float]
    verdict: Verdict | None = None


@dataclass(frozen=True)
class Order:
    """What is wanted of pictures: an operation with its parameters, for a product of a category. `request` is what it
    composes by; a cutout has none. Of a photograph no more than `kept_pixels` are kept. `role` is the file that is
    wanted of an operation that makes several, "" its picture."""

    operation: str
    parameters: Mapping[str, str]
    category: str
    request: ComposeRequest | None
    kept_pixels: int
    engine: str
    rules: str
    role: str = ""

    def result_id(self, digests: Sequence[str]) -> str:
        """The id of what is made of sources with these digests: another model, rule or line of code gives another."""
        rules = f"{self.rules}/{self.role}" if self.role else self.rules
        return result_id(self.operation, self.parameters, digests, self.engine, rules)


@dataclass(frozen=True)
class Source:
    """A picture's bytes, and the name by which it is spoken of."""

    name: str
    fetched: Fetched


class Studio:
    """The operations on this machine, until the block ends; `threads` may use it at a time.

    Networks open when they are first needed. `model`, NAME@VERSION, cuts out; by default the one that the settings pin,
    or the one that works until one is released. `rules` are the channels' that count in this installation.
    """

    def __init__(self, settings: Settings, judge: Judge, model: str | None = None, threads: int = 1) -> None:
        self._settings = settings
        self._judge = judge
        self._model = (
            model or split_by_policy(settings.cutout_model, cutout_pool.DEFAULT_MODEL, [], shipped().values()).stable[0]
        )
        self._budget = memory.memory_budget(settings, threads)
        self._open = ExitStack()
        self._opening = threading.Lock()
        self._is_fetched = False
        self._network: Network | None = None
        self._enlarges: Enlarger | None = None
        self._reader: Reader | None = None
        self.rules = orders.rules_that_count(settings)

    def __enter__(self) -> "Studio":
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def order(
        self, operation: str, channel: str | None, category: str, parameters: Mapping[str, str], role: str = ""
    ) -> Order:
        """What is wanted, checked before any picture is looked at. Raises Refused."""
        orders.check_parameters(operation, parameters)
        request = None if operation == "cutout" else self._request(operation, channel, category, parameters)
        following = [] if request is None else [orders.step(operation, channel, parameters)]
        kept = memory_model.kept_pixels(Step(operation="cutout", next=following), category, self.rules)
        engine = (
            f"{self._model}/{self._settings.upscale_model}/{self._settings.engine}/{READ_BY}+{orders.code(operation)}"
        )
        rules = f"{kept}/{category}/{'' if request is None else orders.fingerprint(operation, request)}"
        return Order(operation, parameters, category, request, kept, engine, rules, role)

    def render(self, order: Order, sources: Sequence[Source]) -> Output:
        """The picture of an order, the first of the sources being the main one. Raises Refused."""
        if order.operation == "cutout" and len(sources) != 1:
            raise Refused("bad_inputs", f"a cutout takes one picture, not {len(sources)}", field="inputs")
        heads = [self._header(source) for source in sources]
        with self._reserved(order, sources, heads):
            return self._rendered(order, sources)

    def photograph(self, data: bytes, name: str, kept_pixels: int = memory_model.KEPT_PIXELS_MAX) -> Picture:
        """The picture in `data`, a file called `name`, of a large one no more than `kept_pixels`. Raises Refused."""
        try:
            head = header(data, self._limits(), name)
            wanted = memory_model.photograph_bytes("source", len(data), head, kept_pixels)
            with memory.admitted(self._budget, wanted, "sources", _sized(name, head)):
                return decode(data, self._limits(kept_pixels), name)
        except SourceError as error:
            raise Refused.because(error) from error

    def cutout(
        self,
        picture: Picture,
        name: str,
        parameters: Mapping[str, str],
        category: str,
        retouching: Retouching | None = None,
        answers: Answers | None = None,
    ) -> cutting.Cutout:
        """The product, of `category`, in a photograph called `name`, by what a person says of it; networks are asked
        what is not among their `answers`. Raises Refused."""
        wanted = memory_model.decoded_bytes("cutout", [picture.pixels])
        with memory.admitted(self._budget, wanted, "sources", name):
            return self._cut(picture, name, parameters, category, retouching, answers)

    def picture(
        self, operation: str, inputs: Sequence[Picture], request: ComposeRequest, before: Mapping[str, float]
    ) -> Made:
        """The picture of an operation; `before` is what was measured in the steps before it. Raises Refused."""
        canvas = memory_model.canvas_of(request.channel, request.parameters)
        wanted = memory_model.decoded_bytes(operation, [picture.pixels for picture in inputs], canvas)
        with memory.admitted(self._budget, wanted, "inputs", operation):
            return self._composed(operation, inputs, request, before)

    def predict(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What the network sees in a picture. Raises NoNetwork."""
        return self._network_open().predict(math.inf, "", lambda _engine_ms: None)(picture)

    def people(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """How likely each pixel (h, w) of a picture is a person or what one wears, 0..1. Raises NoNetwork."""
        return cutting.resized(self._find_people(picture), picture.shape)

    # how a picture is made, with its memory reserved

    def _rendered(self, order: Order, sources: Sequence[Source]) -> Output:
        pictures = [self._decoded(source, order.kept_pixels) for source in sources]
        if order.request is None:
            cut = self._cut(pictures[0], sources[0].name, order.parameters, order.category)
            file = lossless(cut.rgba, metadata_of(pictures[0], cut))
            return Output(file, "image/png", {**cut.measures, **pictures[0].measures})
        names = [source.name for source in sources]
        inputs, before = self._inputs(order.operation, pictures, names, order.category)
        made = self._composed(order.operation, inputs, order.request, before)
        (chosen,) = (each for each in made.files if each.role == (order.role or order.operation))
        return Output(chosen.data, chosen.media_type, made.measures, made.verdict)

    def _decoded(self, source: Source, kept_pixels: int) -> Picture:
        try:
            return decode(source.fetched.data, self._limits(kept_pixels), source.name)
        except SourceError as error:
            raise Refused.because(error) from error

    def _cut(
        self,
        picture: Picture,
        name: str,
        parameters: Mapping[str, str],
        category: str,
        retouching: Retouching | None = None,
        answers: Answers | None = None,
    ) -> cutting.Cutout:
        answers = answers or Answers()
        chosen = cutout_pool.cutout_parameters(dict(parameters), category)
        with cutout_pool.cutout_refusals(name), ExitStack() as asking:
            predictors: list[cutting.MaskPredictor] = []

            def predict(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
                # Opened when it is first asked: what comes with clean alpha needs no network.
                if not predictors:
                    meter = Meter(Prices())
                    with_network = cutout_pool.predicting(self._network_open(), math.inf, "", meter, "cutout")
                    predictors.append(asking.enter_context(with_network))
                return predictors[0](rgb)

            sees, people = answers.seeing(SUBJECT, predict), answers.seeing(PEOPLE, self._find_people)
            made = cutting.cutout(picture.pixels, sees, chosen, people, retouching)
            return with_writing(picture, made, answers.reading(self.reader()))

    def _inputs(
        self, operation: str, pictures: Sequence[Picture], names: Sequence[str], category: str
    ) -> tuple[list[Picture], dict[str, float]]:
        """What an operation works on when it is given photographs, and what was measured of it."""
        if operation in AS_IT_IS:
            return list(pictures), {}
        cuts = [self._cut(picture, name, {}, category) for picture, name in zip(pictures, names, strict=True)]
        measured = {**cuts[0].measures, **pictures[0].measures}
        before = {f"cutout.{name}": value for name, value in measured.items()}
        if operation in WITH_MASK:
            return [pictures[0], _mask_of(pictures[0], cuts[0])], before
        return [cutout_picture(picture, cut) for picture, cut in zip(pictures, cuts, strict=True)], before

    def _composed(
        self, operation: str, inputs: Sequence[Picture], request: ComposeRequest, before: Mapping[str, float]
    ) -> Made:
        from gpu_workers.pools import compose as compose_pool

        if OPERATIONS[operation].network:
            request = replace(request, library=replace(request.library, enlarger=self._enlarger_open()))
        request = replace(request, library=replace(request.library, reader=self.reader()))
        composed = compose_pool.compose(operation, inputs, request)
        verdict = self._judge({**before, **composed.measures}, request.channel, operation)
        main = composed.files[0]
        return Made(main.data, main.media_type, composed.measures, verdict, composed.files)

    # limits

    def _limits(self, kept_pixels: int | None = None) -> DecodeLimits:
        return DecodeLimits(pixels_max=self._settings.source_max_pixels, kept_pixels_max=kept_pixels)

    def _header(self, source: Source) -> Header:
        try:
            return header(source.fetched.data, self._limits(), source.name)
        except SourceError as error:
            raise Refused.because(error) from error

    @contextmanager
    def _reserved(self, order: Order, sources: Sequence[Source], heads: Sequence[Header]) -> Iterator[None]:
        """Memory for all that is done to a picture, at once: two that wait for each other's would wait for ever."""
        request = order.request
        canvas = Size(0, 0) if request is None else memory_model.canvas_of(request.channel, order.parameters)
        files = [(len(source.fetched.data), head) for source, head in zip(sources, heads, strict=True)]
        is_cut_out = order.operation not in AS_IT_IS
        wanted = memory_model.rendering_bytes(order.operation, files, order.kept_pixels, canvas, is_cut_out=is_cut_out)
        too_large = (
            max(memory_model.photograph_bytes("cutout", *file, order.kept_pixels) for file in files)
            > self._budget.bytes_max
        )
        field = "sources" if too_large or request is None else "inputs"
        what = ", ".join(_sized(source.name, head) for source, head in zip(sources, heads, strict=True))
        with memory.admitted(self._budget, wanted, field, what):
            yield

    # the networks

    def _network_open(self) -> Network:
        with self._opening:
            if self._network is None:
                with _opening_refused("model"):
                    self._network = self._opened()
            return self._network

    def _opened(self) -> Network:
        settings = self._settings
        self._fetch()
        network = cutout_pool.open_network(settings, self._registry(self._model), self._model)
        self._open.callback(network.close)
        return network

    def _find_people(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        with self._opening, _opening_refused("model"):
            self._fetch()
            people = find_people(self._settings.weights_folder)
        return people(picture)

    def _fetch(self) -> None:
        if not self._is_fetched:
            fetch_all(self._settings.weights_folder, errors.say)
            self._is_fetched = True

    def _enlarger_open(self) -> Enlarger | None:
        from gpu_workers.operations.upscale.errors import BadTiles
        from gpu_workers.pools import compose as compose_pool

        ref = self._settings.upscale_model
        with self._opening:
            if ref is not None and self._enlarges is None:
                with _opening_refused("upscale_model", (ModelError, EngineError, BadTiles)):
                    opened = compose_pool.open_enlarger(self._settings, self._registry(ref))
                    self._enlarges = self._open.enter_context(opened)
            return self._enlarges

    def reader(self) -> Reader:
        """What reads text, open. Raises NoNetwork."""
        with self._opening:
            if self._reader is None:
                with _opening_refused("model"):
                    self._fetch()
                    opened = open_reader(self._settings.weights_folder, self._settings.engine)
                    self._reader = self._open.enter_context(opened)
            return self._reader

    def _registry(self, ref: str) -> ModelRegistry:
        settings = self._settings
        database = Database(settings.database)
        self._open.callback(database.close)
        if ref not in shipped():
            database.create_tables()
        return ModelRegistry.of(settings, Blobs(open_store(settings.blobs, s3_endpoint=settings.s3_endpoint)), database)

    def _request(
        self, operation: str, channel: str | None, category: str, parameters: Mapping[str, str]
    ) -> ComposeRequest:
        from gpu_workers.pools.compose import library

        rules = orders.channel(operation, channel, category, self.rules)
        return ComposeRequest(rules, parameters, category, library=library(self._settings))


@contextmanager
def _opening_refused(
    field: str, causes: tuple[type[Exception], ...] = (ModelError, EngineError, BatchingError)
) -> Iterator[None]:
    """Raises NoNetwork, naming `field`, in place of what says that a network cannot be opened."""
    try:
        yield
    except causes as error:
        raise NoNetwork("bad_model", str(error), field=field) from error


def _sized(name: str, head: Header) -> str:
    return f"{name}: {head.width_px:,} x {head.height_px:,} px"


def _mask_of(photograph: Picture, made: cutting.Cutout) -> Picture:
    alpha = eight_bit(made.rgba)[..., 3]
    return replace(photograph, pixels=np.dstack([alpha, alpha, alpha]))
