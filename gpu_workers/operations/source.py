"""Source: a picture with all that is in it, kept for the steps after it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gpu_workers.operations.base import Made, Memory, SourceRequest, only
from gpu_workers.sources.decoding import Picture
from schemas.operations.source import SourceParameters

MEMORY = Memory(0, 16, 0)


@dataclass(frozen=True, kw_only=True)
class Kept(Made):
    """A source, and what its decoder measured."""

    measures: Mapping[str, float]


def run(inputs: Sequence[Picture], request: SourceRequest) -> Kept:
    """The one picture itself."""
    picture, _ = only(inputs), SourceParameters.parse(request.parameters)
    return Kept(canvas=picture.pixels, metadata=replace(picture.metadata, writing=None), measures=picture.measures)


def fingerprint(_request: SourceRequest) -> str:
    """It uses nothing besides."""
    return ""


def measure(_file: bytes, made: Kept, _request: SourceRequest) -> dict[str, float]:
    """What the decoder measured."""
    return {**made.measures}
