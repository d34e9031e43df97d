"""`packshot render`: one operation on one file, without a broker, with the same code as the workers'."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gpu_workers import pools
from gpu_workers.decoding import DecodeLimits, decode
from gpu_workers.models.manifest import ModelError, shipped
from gpu_workers.models.policy import stand
from gpu_workers.operations import cutout as cutting
from gpu_workers.quality.measures import measure
from gpu_workers.serving import Network
from gpu_workers.shelf import Shelf
from gpu_workers.sources import SourceError
from schemas import channels
from schemas.records import Verdict
from streams.blobs import Blobs, open_store
from streams.catalogue import Catalogue
from streams.errors import Refused
from streams.processors.judging import judge
from streams.settings import Settings


def render_file(
    settings: Settings,
    operation: str,
    source: Path,
    target: Path,
    channel_name: str | None,
    category: str,
    parameters: dict[str, str],
    model: str | None = None,
) -> tuple[Verdict | None, dict[str, float]]:
    """Runs `operation` on a file and writes the result; a packshot takes a photograph or a cutout.

    `model`, NAME@VERSION, cuts out; by default the one that the settings pin, or the one that works until one is
    released. Returns what the gates say, for a picture that has a channel, and what was measured. Raises Refused.
    """
    cut_parameters = parameters if operation == "cutout" else {}
    made = _cutout(settings, source, cut_parameters, model)
    if operation == "cutout":
        target.write_bytes(pools.lossless(made.rgba))
        return None, made.measures
    name = channel_name or ("web" if operation == "transparent" else None)
    if name is None:
        raise Refused("missing_channel", "a packshot needs --channel", field="channel")
    try:
        channel = channels.load(name, category)
    except channels.UnknownChannel as error:
        raise Refused("unknown_channel", str(error), field="channel") from error
    rendered, encoded = pools.compose(operation, made.rgba, channel, parameters)
    target.write_bytes(encoded.data)
    measures = measure(encoded.data, rendered, channel)
    before = {f"cutout.{name}": value for name, value in made.measures.items()}
    return judge(before | measures, channel), measures


def _cutout(settings: Settings, source: Path, parameters: dict[str, str], model: str | None) -> cutting.Cutout:
    try:
        picture = decode(source.read_bytes(), DecodeLimits(pixels_max=settings.source_max_pixels), str(source))
        if picture.had_alpha and cutting.has_clean_alpha(picture.pixels):
            return cutting.cutout(picture.pixels, _no_network, pools.cutout_parameters(parameters))
        with _network(settings, model) as network:
            look = network.look(math.inf, "", lambda _engine_ms: None)
            return cutting.cutout(picture.pixels, look, pools.cutout_parameters(parameters))
    except SourceError as error:
        raise Refused(error.code, str(error), field="IN") from error
    except cutting.CutoutError as error:
        raise Refused("no_subject", f"{source}: {error}", field="IN") from error
    except ModelError as error:
        raise Refused("bad_model", str(error), field="model") from error


@contextmanager
def _network(settings: Settings, ref: str | None) -> Iterator[Network]:
    catalogue = Catalogue(settings.database)
    shelf = Shelf.of(settings, Blobs(open_store(settings.blobs, s3_endpoint=settings.s3_endpoint)), catalogue)
    if ref is None:
        ref = stand(settings.cutout_model, pools.DEFAULT_MODEL, [], shipped().values()).stable[0]
    if ref not in shipped():
        catalogue.create_tables()
    network = pools.open_network(settings, shelf, ref)
    try:
        yield network
    finally:
        network.close()
        catalogue.close()


def _no_network(_picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    raise AssertionError("a picture that is cut out already needs no network")
