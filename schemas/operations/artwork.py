"""The parameters of artwork: a print on a blank product."""

from typing import Annotated, Literal

from msgspec import Meta, field

from schemas.channels import Hex
from schemas.operations.base import FILE, Operation, SizedParameters, described
from schemas.records import Name

Scaling = Literal["fit", "fill"]
HorizontalAlignment = Literal["left", "center", "right"]
VerticalAlignment = Literal["top", "center", "bottom"]


class ArtworkParameters(SizedParameters, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a merchant may ask for.

    `template`: the blank product's name. `area`: which of its print areas, its first if not given. `scaling`: fit
    shows all of the artwork, fill covers the area and crops what is over. `padding`: the room left on every side of
    the area, as a share of its shorter side. `product.color`, `background.color`: #RRGGBB. `outputSize`:
    WIDTHxHEIGHT in pixels.
    """

    template: Annotated[Name, described("Blank product", "that the artwork is printed on")]
    area: Annotated[Name | None, described("Print area", "of the blank product; its first where none is named")] = None
    scaling: Annotated[
        Scaling, described("Fitting", "fit shows all of the artwork, fill covers the area and crops what is over")
    ] = "fit"
    padding: Annotated[
        Annotated[float, Meta(ge=0.0, le=0.45)],
        described("Room about the artwork", "left on every side of it", "share of the area's shorter side"),
    ] = 0.0
    horizontal_alignment: Annotated[
        HorizontalAlignment, described("Place across", "where the artwork lies in the area")
    ] = field(default="center", name="horizontalAlignment")
    vertical_alignment: Annotated[
        VerticalAlignment, described("Place up and down", "where the artwork lies in the area")
    ] = field(default="center", name="verticalAlignment")
    product_color: Annotated[
        Hex | None, described("Colour of the product", "that the artwork is printed on", "a colour as #FFFFFF")
    ] = field(default=None, name="product.color")
    background_color: Annotated[Hex | None, described("Background", "behind the product", "a colour as #FFFFFF")] = (
        field(default=None, name="background.color")
    )


OPERATION = Operation(
    name="artwork",
    summary="a print on a product of ours",
    pool="compose",
    parameters=ArtworkParameters,
    takes=frozenset({"cutout", "source"}),
    makes="picture",
    ground="own",
    banned_by=frozenset({"scene", "text", "overlay", "artwork", "rendering"}),  # the product itself is rendered
    required={**FILE, "effective_dpi": "product", "print_ssim": "product"},
)
