"""A picture as a file, as a packshot's is or with something of it otherwise."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gpu_workers.imaging import metadata
from gpu_workers.imaging.encoding import srgb_profile


def jpeg(
    pixels: NDArray[np.uint8], quality: int = 95, subsampling: str = "4:4:4", icc: bytes | None = None, xmp: bool = True
) -> bytes:
    """A JPEG of sRGB (h, w, 3), with sRGB's profile unless another or none (b"") is named, and with `xmp`."""
    stream = io.BytesIO()
    fields = {"xmp": metadata.xmp(metadata.CAPTURED)} if xmp else {}
    profile = srgb_profile() if icc is None else icc
    Image.fromarray(pixels).save(
        stream,
        "JPEG",
        quality=quality,
        subsampling=subsampling,
        **({"icc_profile": profile} if profile else {}),
        **fields,
    )
    return stream.getvalue()
