"""The parameters of a packshot, and of a transparent cut-out, which has no ground."""

from typing import Annotated, Literal

from msgspec import Meta, field

from schemas.channels import Hex, ShadowMode
from schemas.operations.base import ALPHA, CUT, FILE, KEPT, TEXT, Operation, Required, SizedParameters, described

Room = Annotated[float, Meta(ge=0.0, le=0.45)]
Turn = Annotated[float, Meta(ge=-45.0, le=45.0)]  # degrees: beyond, another side would be up


class PackshotParameters(SizedParameters, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a merchant may ask for in place of the channel's rules. Room is a share of the canvas on that axis.

    `background.color`: #RRGGBB. `shadow.mode`: none, contact, soft, hard, floating, reflection, or own, the supplier's.
    `padding`: the room left on either side of the product. `margin`, `margin.top` and so on: room besides, at every or
    at one side. `outputSize`: WIDTHxHEIGHT in pixels. `scaling`: fit, or fill, which lets the canvas cut the product.
    `horizontalAlignment`, `verticalAlignment`: where the product stands in its room. `straighten`: auto turns a product
    that was photographed a little tilted; in its place `straighten.angle`: degrees clockwise. `lighting.mode`: auto
    takes a colour cast off that the background shows. `export.dpi`: what the file says of its size in print.
    """

    background_color: Annotated[
        Hex | None, described("Background", "behind the product; a channel may want its own", "a colour as #FFFFFF")
    ] = field(default=None, name="background.color")
    shadow_mode: Annotated[
        ShadowMode | None, described("Shadow", "under the product; own is the one that the photograph came with")
    ] = field(default=None, name="shadow.mode")
    padding: Annotated[
        Room | None, described("Room about the product", "left on either side of it", "share of the canvas")
    ] = None
    margin: Annotated[Room | None, described("Margin", "room besides, at every side", "share of the canvas")] = None
    margin_top: Annotated[
        Room | None, described("Margin above", "in place of the margin at every side", "share of the height")
    ] = field(default=None, name="margin.top")
    margin_right: Annotated[
        Room | None, described("Margin on the right", "in place of the margin at every side", "share of the width")
    ] = field(default=None, name="margin.right")
    margin_bottom: Annotated[
        Room | None, described("Margin below", "in place of the margin at every side", "share of the height")
    ] = field(default=None, name="margin.bottom")
    margin_left: Annotated[
        Room | None, described("Margin on the left", "in place of the margin at every side", "share of the width")
    ] = field(default=None, name="margin.left")
    scaling: Annotated[
        Literal["fit", "fill"], described("Fitting", "fit shows all of the product, fill lets the canvas cut it")
    ] = "fit"
    horizontal_alignment: Annotated[
        Literal["left", "center", "right"], described("Place across", "where the product stands in its room")
    ] = field(default="center", name="horizontalAlignment")
    vertical_alignment: Annotated[
        Literal["top", "center", "bottom"], described("Place up and down", "where the product stands in its room")
    ] = field(default="center", name="verticalAlignment")
    straighten: Annotated[
        Literal["none", "auto"], described("Straighten", "auto turns a product that was photographed a little tilted")
    ] = "none"
    straighten_angle: Annotated[
        Turn | None, described("Turn by", "clockwise, in place of straightening by itself", "degrees")
    ] = field(default=None, name="straighten.angle")
    lighting_mode: Annotated[
        Literal["none", "auto"], described("Colour cast", "auto takes off a cast that the background shows")
    ] = field(default="none", name="lighting.mode")
    export_dpi: Annotated[
        Annotated[int, Meta(ge=1, le=4800)] | None,
        described("Print resolution", "what the file says of its size in print", "dots per inch"),
    ] = field(default=None, name="export.dpi")

    @property
    def margins(self) -> tuple[float, float, float, float] | None:
        """Left, top, right and bottom; None when none was given."""
        sides = (self.margin_left, self.margin_top, self.margin_right, self.margin_bottom)
        if self.margin is None and all(side is None for side in sides):
            return None
        left, top, right, bottom = ((self.margin or 0.0) if side is None else side for side in sides)
        return left, top, right, bottom


REQUIRED: Required = {
    **FILE,
    **KEPT,
    **CUT,
    **TEXT,
    **ALPHA,
    "colour_difference_median": "colour",
    "colour_difference_p95": "colour",
    "fill": "channel",
    "scale": "channel",
}
OPERATION = Operation(
    name="packshot",
    summary="the product on a channel's canvas",
    pool="compose",
    parameters=PackshotParameters,
    takes=frozenset({"cutout"}),
    makes="picture",
    ground="asked",
    extent="fill",
    required=REQUIRED,
)
