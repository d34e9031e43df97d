"""`packshot render`: one operation on files, without a broker, with the same code as the workers'."""

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gpu_workers.engines import EngineError
from gpu_workers.imaging.encoding import lossless
from gpu_workers.imaging.linear_light import eight_bit
from gpu_workers.models.fetch import fetch_all
from gpu_workers.models.manifest import ModelError, shipped
from gpu_workers.models.policy import stand
from gpu_workers.operations.base import ComposeRequest, Enlarger, File
from gpu_workers.operations.cutout import cutout as cutting
from gpu_workers.operations.cutout.operation import cutout_picture, find_people, metadata_of
from gpu_workers.operations.upscale.upscale import BadTiles
from gpu_workers.pools import compose as compose_pool
from gpu_workers.pools import cutout as cutout_pool
from gpu_workers.pools import memory, memory_model, rules
from gpu_workers.serving.model_registry import ModelRegistry
from gpu_workers.serving.serving import Network
from gpu_workers.sources.decoding import DecodeLimits, Picture, decode, header
from gpu_workers.sources.fetch import SourceError
from schemas.channels import Channel, UnknownChannel
from schemas.channels.rulebook import BadChannel, Rulebook
from schemas.operations import OPERATIONS
from schemas.records import Step, Verdict
from streams.blobs import Blobs, open_store
from streams.facts import Database
from streams.flow.processors.judging import judge
from streams.runtime.errors import Refused
from streams.runtime.observability import set_up_command
from streams.runtime.screen import errors
from streams.runtime.settings import Settings

# Operations that take a picture with all that is in it, and those that are told besides where the product is.
AS_IT_IS = frozenset(name for name, each in OPERATIONS.items() if "source" in each.takes)
WITH_MASK = frozenset(name for name, each in OPERATIONS.items() if "picture" in each.takes)


@dataclass(frozen=True)
class Made:
    """A picture as a file, what was measured of it, what the gates say, and what a next step works on."""

    file: bytes
    media_type: str
    measures: dict[str, float]
    verdict: Verdict
    files: Sequence[File]


class Studio:
    """The operations on this machine, until the block ends. Networks open when they are first needed.

    `model`, NAME@VERSION, cuts out; by default the one that the settings pin, or the one that works until one is
    released. `rules` are the channels' that count in this installation.
    """

    def __init__(self, settings: Settings, model: str | None = None) -> None:
        self._settings = settings
        self._model = model
        self._budget = memory.memory_budget(settings, threads=1)
        self._open = ExitStack()
        self._network: Network | None = None
        self._enlarges: Enlarger | None = None
        self.rules = _rules_that_count(settings)

    def __enter__(self) -> "Studio":
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def photograph(self, data: bytes, name: str, kept_pixels: int = memory_model.KEPT_PIXELS_MAX) -> Picture:
        """The picture in `data`, a file called `name`, of a large one no more than `kept_pixels`. Raises Refused."""
        limits = DecodeLimits(pixels_max=self._settings.source_max_pixels)
        try:
            head = header(data, limits, name)
            if head.pixels > memory_model.KEPT_PIXELS_MAX:
                limits = replace(limits, kept_pixels_max=kept_pixels)
            wanted = memory_model.source_bytes(len(data), head, limits.kept_pixels_max)
            with memory.admitted(self._budget, wanted, "IN", f"{name}: {head.width_px:,} x {head.height_px:,} px"):
                return decode(data, limits, name)
        except SourceError as error:
            raise Refused(error.code, str(error), field="IN") from error

    def cutout(self, picture: Picture, name: str, parameters: Mapping[str, str], category: str) -> cutting.Cutout:
        """The product, of `category`, in a photograph called `name`. Raises Refused."""
        asked = cutout_pool.cutout_parameters(dict(parameters), category)
        wanted = memory_model.decoded_bytes("cutout", [picture.pixels])
        try:
            with memory.admitted(self._budget, wanted, "IN", name):
                return cutting.cutout(picture.pixels, self.predict, asked, self._find_people)
        except cutting.CutoutError as error:
            raise Refused("no_subject", f"{name}: {error}", field="IN") from error
        except ModelError as error:
            raise Refused("bad_model", str(error), field="model") from error

    def inputs(
        self, operation: str, pictures: Sequence[Picture], names: Sequence[str], category: str
    ) -> tuple[list[Picture], dict[str, float]]:
        """What an operation works on when it is given photographs, and what was measured of it. Raises Refused."""
        if operation in AS_IT_IS:
            return list(pictures), {}
        cuts = [self.cutout(picture, name, {}, category) for picture, name in zip(pictures, names, strict=True)]
        before = {f"cutout.{name}": value for name, value in cuts[0].measures.items()}
        if operation in WITH_MASK:
            return [pictures[0], _mask_of(pictures[0], cuts[0])], before
        return [cutout_picture(picture, cut) for picture, cut in zip(pictures, cuts, strict=True)], before

    def picture(
        self, operation: str, inputs: Sequence[Picture], asked: ComposeRequest, before: Mapping[str, float]
    ) -> Made:
        """The picture of an operation; `before` is what was measured in the steps before it. Raises Refused."""
        if operation == "upscale":
            asked = replace(asked, library=replace(asked.library, enlarger=self._enlarger()))
        canvas = memory_model.canvas_of(asked.channel, asked.parameters)
        wanted = memory_model.decoded_bytes(operation, [picture.pixels for picture in inputs], canvas)
        with memory.admitted(self._budget, wanted, "IN", operation):
            composed = compose_pool.compose(operation, inputs, asked)
        verdict = judge({**before, **composed.measures}, asked.channel, operation)
        main = composed.files[0]
        return Made(main.data, main.media_type, composed.measures, verdict, composed.files)

    def predict(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What the network sees in a picture. Raises ModelError."""
        if self._network is None:
            self._network = self._opened()
        return self._network.predict(math.inf, "", lambda _engine_ms: None)(picture)

    def _opened(self) -> Network:
        fetch_all(self._settings.weights_folder, errors.say)
        settings = self._settings
        ref = self._model or stand(settings.cutout_model, cutout_pool.DEFAULT_MODEL, [], shipped().values()).stable[0]
        network = cutout_pool.open_network(settings, self._registry(ref), ref)
        self._open.callback(network.close)
        return network

    def _find_people(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        return find_people(self._settings.weights_folder)(picture)

    def _enlarger(self) -> Enlarger | None:
        ref = self._settings.upscale_model
        if ref is None or self._enlarges is not None:
            return self._enlarges
        try:
            self._enlarges = self._open.enter_context(compose_pool.open_enlarger(self._settings, self._registry(ref)))
        except (ModelError, EngineError, BadTiles) as error:
            raise Refused("bad_model", str(error), field="upscale_model") from error
        return self._enlarges

    def _registry(self, ref: str) -> ModelRegistry:
        settings = self._settings
        database = Database(settings.database)
        self._open.callback(database.close)
        if ref not in shipped():
            database.create_tables()
        return ModelRegistry.of(settings, Blobs(open_store(settings.blobs, s3_endpoint=settings.s3_endpoint)), database)


def render_files(
    settings: Settings,
    operation: str,
    sources: Sequence[Path],
    target: Path,
    channel_name: str | None,
    category: str,
    parameters: Mapping[str, str],
    model: str | None = None,
) -> tuple[Verdict | None, dict[str, float]]:
    """Runs `operation` on photographs or cutouts, the first being the main one, and writes the result.

    Returns what the gates say, for a picture that has a channel, and what was measured. Raises Refused.
    """
    set_up_command(settings)
    with Studio(settings, model) as studio:
        following = [] if operation == "cutout" else [_step(operation, channel_name, parameters)]
        kept = memory_model.kept_pixels(Step(operation="cutout", next=following), category, studio.rules)
        pictures = [studio.photograph(source.read_bytes(), str(source), kept) for source in sources]
        if operation == "cutout":
            if len(pictures) != 1:
                raise Refused("bad_inputs", f"a cutout takes one picture, not {len(pictures)}", field="IN")
            cut = studio.cutout(pictures[0], str(sources[0]), parameters, category)
            write_file(target, lossless(cut.rgba, metadata_of(pictures[0], cut)))
            return None, cut.measures
        channel = _channel(operation, channel_name, category, studio.rules)
        asked = ComposeRequest(channel, parameters, category, library=compose_pool.library(settings))
        inputs, before = studio.inputs(operation, pictures, [str(source) for source in sources], category)
        made = studio.picture(operation, inputs, asked, before)
    write_file(target, made.file)
    return made.verdict, made.measures


def write_file(target: Path, data: bytes) -> None:
    """Writes a file, and makes the folder that it goes to. Raises Refused."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    except OSError as error:
        raise Refused("not_written", f"{target} cannot be written: {error.strerror}", field="OUT") from error


def _mask_of(photograph: Picture, made: cutting.Cutout) -> Picture:
    alpha = eight_bit(made.rgba)[..., 3]
    return replace(photograph, pixels=np.dstack([alpha, alpha, alpha]))


def _step(operation: str, channel_name: str | None, parameters: Mapping[str, str]) -> Step:
    channel = channel_name or ("web" if operation == "transparent" else None)
    return Step(operation=operation, channel=channel, parameters=dict(parameters))


def _rules_that_count(settings: Settings) -> Rulebook:
    database = Database(settings.database)
    try:
        database.create_tables()
        return rules.rules_that_count(database)
    finally:
        database.close()


def _channel(operation: str, name: str | None, category: str, rules: Rulebook) -> Channel:
    name = name or ("web" if operation == "transparent" else None)
    if name is None:
        raise Refused("missing_channel", f"{operation} needs --channel", field="channel")
    try:
        return rules.load(name, category)
    except (UnknownChannel, BadChannel) as error:
        raise Refused(error.code, str(error), field="channel") from error
