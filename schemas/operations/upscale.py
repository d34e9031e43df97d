"""The parameters of an enlargement."""

from typing import Annotated

from msgspec import Meta

from schemas.operations.base import FILE, Operation, Parameters, described


class UpscaleParameters(Parameters, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a recipe may set: `scale`, how many times as wide and high; beyond 2 there is nothing to enlarge."""

    scale: Annotated[
        Annotated[float, Meta(gt=1.0, le=2.0)], described("Enlargement", "how many times as wide and high", "times")
    ] = 2.0


OPERATION = Operation(
    name="upscale",
    summary="up to twice the size",
    pool="compose",
    parameters=UpscaleParameters,
    takes=frozenset({"cutout", "source"}),
    banned_by=frozenset({"scaled-up image"}),
    required={**FILE, "upscaled_by": "channel"},
    network=True,
)
