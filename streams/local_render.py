"""`packshot render`: one operation on one file, without a broker, with the same code as the workers'."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gpu_workers import pools
from gpu_workers.decoding import DecodeLimits, decode
from gpu_workers.operations import cutout as cutting
from gpu_workers.quality.measures import measure
from gpu_workers.sources import SourceError
from schemas import channels
from schemas.records import Verdict
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
) -> tuple[Verdict | None, dict[str, float]]:
    """Runs `operation` on a file and writes the result; a packshot takes a photograph or a cutout.

    Returns what the gates say, for a picture that has a channel, and what was measured. Raises Refused.
    """
    cut_parameters = parameters if operation == "cutout" else {}
    made = _cutout(settings, source, cut_parameters)
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


def _cutout(settings: Settings, source: Path, parameters: dict[str, str]) -> cutting.Cutout:
    try:
        picture = decode(source.read_bytes(), DecodeLimits(pixels_max=settings.source_max_pixels), str(source))
        if picture.had_alpha and cutting.has_clean_alpha(picture.pixels.astype(np.uint8, copy=False)):
            return cutting.cutout(picture.pixels, _no_network, pools.cutout_parameters(parameters))
        with pools.open_batcher(settings) as (batcher, _):
            return cutting.cutout(picture.pixels, batcher.infer, pools.cutout_parameters(parameters))
    except SourceError as error:
        raise Refused(error.code, str(error), field="IN") from error
    except cutting.CutoutError as error:
        raise Refused("no_subject", f"{source}: {error}", field="IN") from error


def _no_network(_tensor: NDArray[np.float32]) -> NDArray[np.float32]:
    raise AssertionError("a picture that is cut out already needs no network")
