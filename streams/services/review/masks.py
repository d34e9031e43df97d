"""Masks that were drawn elsewhere, for strokes to begin from: whose each of them is.

Blobs lie together by their content, and strokes name a mask by its digest. So it is noted who sent one, and a tenant's
strokes begin from no other: whoever knows the digest of another tenant's picture does not get to see its grey.
"""

from schemas import retouching as strokes
from schemas.identity import content_id
from schemas.records import CutoutRetouched
from schemas.retouching import BadRetouch, Retouch
from streams.blobs import Blobs
from streams.blobs.content import filed
from streams.runtime.errors import Refused

NOTED = "masks/"


def note(blobs: Blobs, tenant: str, digest: str) -> None:
    """Notes that a tenant has sent the mask with this digest."""
    blobs.store.put(_key(tenant, digest), digest.encode())


def check(blobs: Blobs, tenant: str, retouch: Retouch, known: CutoutRetouched | None) -> None:
    """Raises Refused where the strokes begin from a mask that the tenant did not send.

    `known` is the newest word on the photograph, whose own mask may stay: it was sent before masks were noted.
    """
    mask = retouch.mask
    if mask is None or blobs.store.exists(_key(tenant, mask)) or mask == _mask_of(known, blobs):
        return
    raise Refused(BadRetouch.code, f"{tenant} has sent no mask {mask}", field="retouch.mask")


def _mask_of(known: CutoutRetouched | None, blobs: Blobs) -> str | None:
    if known is None or known.strokes is None:
        return None
    try:
        return strokes.read(blobs.get(known.strokes)).mask
    except (LookupError, ValueError):  # they are gone, or none
        return None


def _key(tenant: str, digest: str) -> str:
    return NOTED + filed(content_id("mask", tenant, digest))
