"""Transparent: the cut-out itself, trimmed to the product, on nothing."""

from collections.abc import Sequence

from gpu_workers.imaging.types import Codes
from gpu_workers.operations.base import ComposeRequest, only
from gpu_workers.operations.packshot.lighting import Light
from gpu_workers.operations.packshot.operation import MEMORY, Shot, fingerprint, measure, shot
from gpu_workers.operations.packshot.packshot import Rendered, packshot
from gpu_workers.sources.decoding import Picture
from schemas.channels import Channel
from schemas.operations.base import BadParameters
from schemas.operations.packshot import PackshotParameters

__all__ = ["MEMORY", "fingerprint", "measure", "run", "transparent"]


def run(inputs: Sequence[Picture], request: ComposeRequest) -> Shot:
    """The product of one cutout on nothing."""
    source, parameters = only(inputs), PackshotParameters.parse(request.parameters)
    background, worn = source.metadata.background, source.metadata.worn
    made = transparent(source.pixels, request.channel, parameters, background, worn=worn)
    return shot(made, source, parameters)


def transparent(
    rgba: Codes,
    channel: Channel,
    parameters: PackshotParameters | None = None,
    photographed_on: Light | None = None,
    *,
    worn: bool = False,
) -> Rendered:
    """`rgba` (h, w, 4; straight alpha, uint8 sRGB or uint16 WIDE) trimmed, with `channel`'s margin; never enlarged.

    `channel` is one without a background, as `web` is. Raises EmptyCutout, and BadParameters for those of a ground.
    """
    for name, value in (
        ("background.color", parameters and parameters.background_color),
        ("shadow.mode", parameters and parameters.shadow_mode),
    ):
        if value is not None:
            raise BadParameters(f"`{name}` has no place on a transparent cut-out", name)
    return packshot(rgba, channel, parameters, photographed_on, worn=worn)
