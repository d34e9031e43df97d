"""The packshot's pixel half."""

from collections.abc import Sequence
from dataclasses import dataclass

from gpu_workers.imaging.metadata import after
from gpu_workers.operations.base import ComposeRequest, Made, Memory, metadata_of, only
from gpu_workers.operations.packshot import measures
from gpu_workers.operations.packshot.lighting import NO_CHANGE
from gpu_workers.operations.packshot.packshot import Rendered, packshot
from gpu_workers.sources.decoding import Picture
from schemas.operations.packshot import PackshotParameters

MEMORY = Memory(50, 40, 60)


@dataclass(frozen=True, kw_only=True)
class Shot(Made):
    """A packshot, and how it was rendered."""

    rendered: Rendered


def run(inputs: Sequence[Picture], request: ComposeRequest) -> Shot:
    """The product of one cutout on the channel's canvas."""
    source, parameters = only(inputs), PackshotParameters.parse(request.parameters)
    rendered = packshot(
        source.pixels, request.channel, parameters, source.metadata.background, worn=source.metadata.worn
    )
    return shot(rendered, source, parameters)


def fingerprint(_request: ComposeRequest) -> str:
    """It uses nothing besides."""
    return ""


def measure(file: bytes, made: Shot, request: ComposeRequest) -> dict[str, float]:
    """See `measures`."""
    return measures.measure(file, made.rendered, request.channel)


def shot(rendered: Rendered, source: Picture, parameters: PackshotParameters) -> Shot:
    """What was `rendered` of `source`, with what its file says of itself."""
    metadata = metadata_of(source, after(source.metadata.source_type, enhanced=rendered.gain != NO_CHANGE))
    return Shot(
        canvas=rendered.canvas,
        mask=rendered.mask,
        metadata=metadata,
        dpi=parameters.export_dpi,
        transform=rendered.placement.matrix,
        rendered=rendered,
    )
