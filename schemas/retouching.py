"""What a person marks on a photograph so that its cutout comes out otherwise: the strokes of a retouch, as its blob.

Marks only say what is product and what is not; the pixels stay the photograph's own. Places are shares of the
photograph's width and height (0..1, upright, from the left and the top), radii of its longer side.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from schemas.decoding import prepare
from schemas.errors import InputError
from schemas.records import Sha256
from schemas.text import explained

MEDIA_TYPE = "application/vnd.packshot.retouch+json"
SIZE_BYTES_MAX = 1024 * 1024
MARKS_MAX = 500
Place = Annotated[float, Meta(ge=0, le=1)]
Radius = Annotated[float, Meta(gt=0, le=0.5)]
Points = Annotated[list[tuple[Place, Place]], Meta(min_length=1, max_length=5000)]


class BadRetouch(InputError, ValueError):
    """A retouch that cannot be read; the message names the field."""

    code = "bad_retouch"
    field = "retouch"


class Scribble(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="scribble"):
    """What lies under the stroke is product when `keep`, else it is not; the matting solves what is about it."""

    points: Points
    radius: Radius
    keep: bool


class Brush(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="brush"):
    """Exactly what lies under the stroke is product when `keep`, else it is not: nothing about it is solved anew."""

    points: Points
    radius: Radius
    keep: bool


class Box(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="box"):
    """The product is in the box when `keep`: nothing outside is. Else nothing in the box is product."""

    left: Place
    top: Place
    right: Place
    bottom: Place
    keep: bool

    def __post_init__(self) -> None:
        if self.left >= self.right or self.top >= self.bottom:
            raise ValueError("a box must have `left` < `right` and `top` < `bottom`")


class Click(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="click"):
    """What is there is the product when `keep`, else it is not: the whole of what hangs together about it."""

    x: Place
    y: Place
    keep: bool


class Alike(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="alike"):
    """Whatever looks like what lies under the stroke is product when `keep`, as far as it is taken for it, else it is
    not. Strokes of both kinds are compared; nothing is said of a stroke's own place."""

    points: Points
    radius: Radius
    keep: bool


Mark = Scribble | Brush | Box | Click | Alike


class Retouch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Marks in the order in which they were made, a later one over an earlier one.

    `mask` is the digest of a picture, as large as the photograph or smaller, whose grey is the alpha that they begin
    from in place of what the network sees. `source` is the digest of the photograph that they were made on: they are
    for no other.
    """

    marks: Annotated[list[Mark], Meta(max_length=MARKS_MAX)] = msgspec.field(default_factory=list)
    mask: Sha256 | None = None
    source: Sha256 | None = None

    def __post_init__(self) -> None:
        if not self.marks and self.mask is None:
            raise ValueError("a retouch must have `marks` or a `mask`")


def read(data: bytes) -> Retouch:
    """The retouch in a blob. Raises BadRetouch."""
    if len(data) > SIZE_BYTES_MAX:
        raise BadRetouch(f"{len(data):,} bytes where {SIZE_BYTES_MAX:,} may be")
    try:
        return msgspec.json.decode(data, type=Retouch)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadRetouch(explained(str(error))) from error


def written(retouch: Retouch) -> bytes:
    """A retouch as its blob: equal retouches are equal bytes."""
    return msgspec.json.encode(retouch, order="sorted")


prepare(Retouch)
