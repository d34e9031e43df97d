"""The enlargement's pixel half."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gpu_workers.imaging.ai_marks import with_system
from gpu_workers.imaging.metadata import after
from gpu_workers.operations.base import BadInputs, ComposeRequest, Made, Memory, facts, metadata_of, only
from gpu_workers.operations.upscale.upscale import upscale
from gpu_workers.sources.decoding import Picture
from schemas.operations.upscale import UpscaleParameters

MEMORY = Memory(300, 50, 0)


@dataclass(frozen=True, kw_only=True)
class Enlarged(Made):
    """An enlarged picture, and what was measured while it was made."""

    measures: Mapping[str, float]


def run(inputs: Sequence[Picture], request: ComposeRequest) -> Enlarged:
    """One picture enlarged, by the library's network where it has one."""
    source, parameters = only(inputs), UpscaleParameters.parse(request.parameters)
    enlarger = request.library.enlarger
    made = upscale(source.pixels, parameters, None if enlarger is None else enlarger.enlarge, request.channel)
    if request.is_asset and made.image.shape[2] == 4 and request.channel.formats[0] != "png":
        raise BadInputs(f"{request.channel.rule_version} takes no picture with holes; a packshot is to come after it")
    metadata = replace(
        metadata_of(source, after(source.metadata.source_type, enhanced=True)),
        background=source.metadata.background,
        worn=source.metadata.worn,
    )
    if enlarger is not None:
        metadata = replace(metadata, marks=with_system(metadata.marks, enlarger.model))
    measures = {"upscaled_by" if name == "scale" else name: value for name, value in made.measures.items()}
    times = made.image.shape[1] / source.pixels.shape[1]
    return Enlarged(canvas=made.image, metadata=metadata, transform=np.diag([times, times, 1.0]), measures=measures)


def fingerprint(request: ComposeRequest) -> str:
    """The network that enlarges, if there is one."""
    return "" if request.library.enlarger is None else request.library.enlarger.fingerprint


def measure(file: bytes, made: Enlarged, request: ComposeRequest) -> dict[str, float]:
    """How far it was enlarged and, of an asset, its file."""
    return {**(facts(file, request) if request.is_asset else {}), **made.measures}
