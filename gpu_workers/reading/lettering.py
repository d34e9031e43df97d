"""What of text is measured of an operation's asset: how its product's writing came out, and what lies beside it."""

import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.linear_light import eight_bit
from gpu_workers.imaging.types import Code
from gpu_workers.quality.files import read
from gpu_workers.reading.comparing import Shown, compared, overlaid
from gpu_workers.reading.photograph import on_white
from gpu_workers.reading.reader import Reader
from gpu_workers.sources.decoding import Picture
from schemas.channels import Channel

BANS = frozenset({"text", "overlay", "watermark"})  # the words of channels that mean text beside the product
NO_TEXT = {"text_edit_distance": 0.0, "text_lost": 0.0, "text_compared": 0.0, "codes_lost": 0.0}


def measures(
    file: bytes,
    source: Picture,
    mask: Code | None,
    transform: NDArray[np.float64],
    channel: Channel,
    reader: Reader,
    is_own_ground: bool,
) -> dict[str, float]:
    """Of a written `file`; `transform` (3, 3) takes points (x, y, 1) of the product's `source`, in px, to the file's.

    `mask` (h, w; 0..255) is where the product is in the file; None where the file's own transparency says so.

    What was not looked for in the photograph is not measured here. Beside the product text is looked for where a ground
    of the operation's own may have brought it in, and the channel bans it. Raises EngineError.
    """
    writing = source.metadata.writing
    looks_beside = is_own_ground and not BANS.isdisjoint(channel.bans)
    found = {} if writing is None else dict(NO_TEXT)
    is_silent = writing is None or not (writing.lines or writing.codes)
    if is_silent and not looks_beside:
        return found
    pixels = eight_bit(read(file).pixels)
    shown = Shown(on_white(pixels), mask_of(pixels, mask), transform)
    if writing is not None and not is_silent:
        found |= compared(writing, on_white(eight_bit(source.pixels)), shown, reader)
    return found | (overlaid(shown, reader) if looks_beside else {})


def mask_of(pixels: Code, mask: Code | None) -> Code:
    """Where the product is: as the operation says, or what the picture is not see-through at."""
    if mask is not None:
        return mask
    return np.full(pixels.shape[:2], 255, np.uint8) if pixels.shape[2] == 3 else pixels[..., 3]
