"""The parameters of a cutout."""

from typing import Annotated, ClassVar, Literal

from msgspec import field
from msgspec.structs import replace

from schemas.categories import is_worn
from schemas.operations.base import Operation, Parameters, described
from schemas.records import ModelRef, Sha256


class CutoutParameters(Parameters, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a recipe may set.

    `keep_own_alpha`: a source that is cut out already keeps its alpha, bit for bit. `shadow.own`: whether the shadow
    that such a source has in its alpha stays. `speckle_share`: islands and pinholes under this share of the subject's
    area go. `retouch`: the strokes of a person, by the digest of their blob, see schemas.retouching; only a case of
    their tenant sets it, for whoever names a digest may not be who sent what has it. `subject`: the
    product alone, so that people make it uncertain; everything that stands out, people included; auto is everything for
    what people wear, by the product's category, and the product alone otherwise. `model`: the network NAME@VERSION
    that is asked in place of the one that works; a recalled one is not.
    """

    of_ours: ClassVar[frozenset[str]] = frozenset({"retouch"})

    keep_own_alpha: Annotated[
        bool, described("Keep its own cutout", "a photograph that is cut out already stays as it is")
    ] = True
    own_shadow: Annotated[
        Literal["keep", "drop"], described("Its own shadow", "of a photograph that is cut out already")
    ] = field(default="keep", name="shadow.own")
    speckle_share: Annotated[
        float,
        described("Smallest piece kept", "islands and pinholes that are smaller go", "share of the product's area"),
    ] = 0.001
    subject: Annotated[
        Literal["auto", "product", "everything"],
        described(
            "What is cut out", "product: it alone; everything: all that stands out, people too; auto: by its category"
        ),
    ] = "auto"
    retouch: Annotated[Sha256 | None, described("Marks", "the strokes of a person, by the digest of their file")] = None
    model: Annotated[ModelRef | None, described("Network", "as NAME@VERSION, in place of the one that works")] = None

    def of(self, category: str) -> "CutoutParameters":
        """These for a product of `category`: `subject` is not auto any more."""
        if self.subject != "auto":
            return self
        return replace(self, subject="everything" if is_worn(category) else "product")


OPERATION = Operation(
    name="cutout",
    summary="the product alone, alpha straight",
    pool="cutout",
    parameters=CutoutParameters,
    makes="cutout",
    network=True,
)
