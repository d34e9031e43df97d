"""The samples of pictures that are cut out: of 8 or 16 bits, with or without alpha."""

import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging import linear_light
from gpu_workers.imaging.types import Codes
from gpu_workers.operations.cutout.errors import BadImage

Rgba = NDArray[np.uint8]


def checked(image: Codes) -> Codes:
    """The picture as the kernels take it. Raises BadImage."""
    if image.ndim != 3 or image.shape[2] not in (3, 4) or not image.size:
        raise BadImage(f"the picture has shape {image.shape}, not (height, width, 3 or 4)")
    if image.dtype not in (np.uint8, np.uint16):
        raise BadImage(f"the picture is {image.dtype}, not uint8 or uint16")
    return image if image.flags.c_contiguous and image.flags.writeable else image.copy()


def on_white(picture: Codes) -> Codes:
    """The picture (h, w, 3) on white where it is clear."""
    if picture.shape[2] == 3:
        return picture
    white = full(picture)
    opaque = np.empty_like(picture[..., :3], order="C")
    for rows in linear_light.strips(picture):
        alpha = picture[rows, :, 3:].astype(np.uint32)
        opaque[rows] = (picture[rows, :, :3] * alpha + white * (white - alpha) + white // 2) // white
    return opaque


def full(picture: Codes) -> int:
    """The highest sample that a picture of this type can have."""
    return 65535 if picture.dtype == np.uint16 else 255


def eight_bit(picture: Codes) -> Rgba:
    """uint8 or uint16 samples (any shape) as the nearest of 8 bits, of the same gamut."""
    if picture.dtype == np.uint8:
        return np.asarray(picture, np.uint8)
    codes = np.empty(picture.shape, np.uint8)
    for rows in linear_light.strips(picture):
        codes[rows] = (picture[rows].astype(np.uint32) + 128) // 257
    return codes
