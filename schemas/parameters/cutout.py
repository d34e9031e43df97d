"""The parameters of a cutout."""

from schemas.parameters.base import Parameters


class CutoutParameters(Parameters, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a recipe may set.

    `keep_own_alpha`: a source that is cut out already keeps its alpha, bit for bit. `speckle_share`: islands and
    pinholes under this share of the subject's area go.
    """

    keep_own_alpha: bool = True
    speckle_share: float = 0.001
