"""The parameters of a style."""

from typing import Annotated

from msgspec import Meta, field

from schemas.channels import Share
from schemas.operations.base import ALPHA, FILE, TEXT, Operation, Parameters, described
from schemas.records import Name


class StyleParameters(Parameters, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a recipe may set.

    `brand`: the name of the brand's profile. `strength`: how far towards the brand, 0..1. `lut`: the name of a look in
    place of the brand's own. `product.cap`: the median ΔE00 that the product may change by, in place of the brand's;
    one pixel in twenty may change by more than twice that.
    """

    brand: Annotated[Name | None, described("Brand", "the name of its profile")] = None
    strength: Annotated[Share, described("Strength", "how far towards the brand", "share")] = 1.0
    lut: Annotated[Name | None, described("Look", "its name, in place of the brand's own")] = None
    product_cap: Annotated[
        Annotated[float, Meta(ge=0.0, le=10.0)] | None,
        described("Change of the product's colours", "at most, in place of what the brand allows", "median ΔE00"),
    ] = field(default=None, name="product.cap")


OPERATION = Operation(
    name="style",
    summary="a picture in a brand's style",
    pool="compose",
    parameters=StyleParameters,
    takes=frozenset({"picture"}),
    makes="picture",
    extent="canvas",
    required={**FILE, **ALPHA, **TEXT, "product_delta_e_median": "colour", "product_delta_e_p95": "colour"},
)
