"""The parameters of a packshot, and of a transparent cut-out, which has no ground."""

from typing import Annotated

from msgspec import Meta, field

from schemas.channels import Hex, ShadowMode, Size
from schemas.parameters.base import Parameters


class PackshotParameters(Parameters, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a merchant may ask for in place of the channel's rules.

    `background.color`: #RRGGBB. `shadow.mode`: none, contact, soft. `padding`: the room left on either side of the
    product, as a share of the canvas. `outputSize`: WIDTHxHEIGHT in pixels.
    """

    background_color: Hex | None = field(default=None, name="background.color")
    shadow_mode: ShadowMode | None = field(default=None, name="shadow.mode")
    padding: Annotated[float, Meta(ge=0.0, le=0.45)] | None = None
    output_size: Annotated[str, Meta(pattern=r"^[1-9]\d{1,4}x[1-9]\d{1,4}$")] | None = field(
        default=None, name="outputSize"
    )

    @property
    def size(self) -> Size | None:
        """`outputSize`, if it was given."""
        if self.output_size is None:
            return None
        width, height = self.output_size.split("x")
        return Size(int(width), int(height))
