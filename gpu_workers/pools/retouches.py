"""A person's strokes as a cutout's task names them: fetched from the blob store, with the mask that they begin from."""

from collections.abc import Mapping

import numpy as np

from gpu_workers.imaging.linear_light import eight_bit
from gpu_workers.operations.cutout.retouching import Retouching
from gpu_workers.sources.decoding import decode
from schemas.retouching import read
from streams.blobs import BlobCorrupt, Blobs, NotFound
from streams.runtime.errors import Refused

FIELD = "retouch"


def retouching_of(parameters: Mapping[str, str], photograph: str, blobs: Blobs) -> Retouching | None:
    """The strokes that a step's parameters name, unless they were made on another photograph than this one.

    `photograph` is the digest of its file. Raises Refused for a blob that is gone, BadRetouch and SourceError for one
    that is none.
    """
    digest = parameters.get(FIELD)
    if digest is None:
        return None
    retouch = read(_blob(digest, blobs))
    if retouch.source not in (None, photograph):
        return None
    if retouch.mask is None:
        return Retouching(retouch)
    grey = eight_bit(decode(_blob(retouch.mask, blobs)).pixels)[..., 0]
    return Retouching(retouch, grey.astype(np.float32) / np.float32(255))


def _blob(digest: str, blobs: Blobs) -> bytes:
    try:
        return blobs.get(digest)
    except (NotFound, BlobCorrupt) as error:
        raise Refused("input_lost", str(error), field=FIELD) from error
