"""The parameters of a cutout."""

from typing import Literal

from msgspec import field

from schemas.parameters.base import Parameters


class CutoutParameters(Parameters, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a recipe may set.

    `keep_own_alpha`: a source that is cut out already keeps its alpha, bit for bit. `shadow.own`: whether the shadow
    that such a source has in its alpha stays. `speckle_share`: islands and pinholes under this share of the subject's
    area go. `subject`: the product alone, so that people are doubt, or everything that stands out, people included.
    """

    keep_own_alpha: bool = True
    own_shadow: Literal["keep", "drop"] = field(default="keep", name="shadow.own")
    speckle_share: float = 0.001
    subject: Literal["product", "everything"] = "product"
