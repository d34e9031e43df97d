"""The style's pixel half."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gpu_workers.imaging.linear_light import colour, eight_bit
from gpu_workers.imaging.metadata import after
from gpu_workers.imaging.types import Code, Codes
from gpu_workers.library import brands, digest
from gpu_workers.library.brands import BadBrand, BrandProfile
from gpu_workers.operations.base import BadInputs, ComposeRequest, Made, Memory, facts, metadata_of
from gpu_workers.operations.packshot.measures import measure_restyled
from gpu_workers.operations.style.style import Styled, style
from gpu_workers.sources.decoding import Picture
from schemas.operations.base import BadParameters
from schemas.operations.style import StyleParameters

MEMORY = Memory(50, 40, 40)


@dataclass(frozen=True, kw_only=True)
class Restyled(Made):
    """A picture in a brand's style, and the picture and product's mask that it was made of."""

    styled: Styled
    before: Codes
    product: Code


def run(inputs: Sequence[Picture], request: ComposeRequest) -> Restyled:
    """The picture of the step before in a brand's style; the second input is its product's mask."""
    if len(inputs) != 2 or inputs[0].pixels.shape[2] != 3:
        raise BadInputs("a style is for a picture without holes and its product's mask, as the step before makes them")
    source, parameters = inputs[0], StyleParameters.parse(request.parameters)
    mask = eight_bit(inputs[1].pixels)[..., 0]
    styled = style(source.pixels, mask, _brand(request, parameters), parameters, _demanded_ground(request))
    metadata = metadata_of(source, after(source.metadata.source_type, enhanced=True))
    return Restyled(
        canvas=styled.canvas,
        mask=mask,
        metadata=metadata,
        transform=np.eye(3),
        styled=styled,
        before=source.pixels,
        product=mask,
    )


def fingerprint(request: ComposeRequest) -> str:
    """The brand's files."""
    return digest(_brand(request, StyleParameters.parse(request.parameters)).files())


def measure(file: bytes, made: Restyled, request: ComposeRequest) -> dict[str, float]:
    """The file, what it shows of product and ground, and how far the style went."""
    shown = measure_restyled(file, made.before, made.product, _demanded_ground(request))
    return {**facts(file, request), **shown, **made.styled.measures}


def _demanded_ground(request: ComposeRequest) -> Code | None:
    rules = request.channel
    return colour(rules.background) if rules.background_required and rules.background else None


def _brand(request: ComposeRequest, parameters: StyleParameters) -> BrandProfile:
    if parameters.brand is None:
        raise BadParameters("`brand` must be given", "brand")
    if parameters.brand not in request.library.brands:
        known = ", ".join(sorted(request.library.brands)) or "none"
        raise BadBrand(f"no brand is called {parameters.brand!r}; there are: {known}")
    return brands.load(request.library.brands[parameters.brand])
