"""What can be measured of a picture as a shop shows it today, whoever made it, with a mask of the product in it.

| measure | says |
|---|---|
| `ground_exact_share` | of the pixels well away from the product, those that are their median colour |
| `ground_near_share` | of the same pixels, those within 2 of it |
| `ground_red`, `ground_green`, `ground_blue` | that colour, 0..255 |
| `fill` | the larger of the product box' shares of the picture's width and height |
| `cropped_edges` | how many of the picture's edges the product runs into |
| `detail_scale` | the scale down to which the product loses nothing that is seen: 1 when it is sharp |
| `jpeg_quality` | what its quantisation tables say, 1..100; 100 for other formats |

A product's shadow is no part of it, and no plain ground either.
"""

import io

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gpu_workers.imaging.types import LUMINANCE_WEIGHTS, Flags, Plane
from gpu_workers.quality.kept import furthest

Pixels = NDArray[np.uint8]

# Set by hand, none is fitted, but where a line says so.
_PRODUCT = 0.5  # of the mask, which is sure of what is above it
_SURELY_GROUND = 0.02  # of the mask
_MARGIN_SHARE = 0.02  # of the longer side, about the product, which a network's mask does not tell apart
_NEAR = 2  # of 255 in each channel: JPEG's rounding of a plain ground
_EDGE_SHARE = 0.02  # of an edge's length that the product must take to run into it
_LOOKED_AT_PX = 1600  # of the longer side, in which detail is measured as it is; more is looked at in its middle
_SCALES = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.33, 0.25)
_ROUND_PX = 16  # about the product: the filter's reach, so that its own outline is resampled whole
_STEEP_SHARE = 0.02  # of the product's pixels: the steepest, where a loss of detail shows first
_LOST_MAX = 0.06  # of the contrast there
# ITU-T T.81, table K.1, of which the IJG's encoders scale every luminance table.
_TABLE = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29,
    51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120,
    101, 72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
_JPEG = b"\xff\xd8"
_HASH_SIDE, _HASH_OF = 8, 32


def found_measures(rgb: Pixels, mask: Plane, file: bytes) -> dict[str, float]:
    """The measures of a picture, sRGB (h, w, 3), written as `file`; `mask` (h, w), 0..1, says where the product is."""
    product = mask > _PRODUCT
    return {
        **_ground(rgb, mask),
        "fill": _fill(product),
        "cropped_edges": float(_cropped_edges(product)),
        "detail_scale": detail_scale(rgb, product),
        "jpeg_quality": jpeg_quality(file),
    }


def _ground(rgb: Pixels, mask: Plane) -> dict[str, float]:
    reach = 2 * round(_MARGIN_SHARE * max(mask.shape)) + 1
    near = cv2.dilate((mask > _SURELY_GROUND).astype(np.uint8), np.ones((reach, reach), np.uint8))
    bare = (near == 0).astype(np.uint8)
    if not bare.any():
        return {}
    colour = _median(rgb, bare)
    away = furthest(rgb, colour.astype(np.uint8))[bare > 0]
    return {
        "ground_exact_share": float((away == 0).mean()),
        "ground_near_share": float((away <= _NEAR).mean()),
        **{f"ground_{name}": float(value) for name, value in zip(("red", "green", "blue"), colour, strict=True)},
    }


def _median(rgb: Pixels, where: Pixels) -> NDArray[np.float64]:
    """The median (3,) of each channel of a picture (h, w, 3) where `where` (h, w) is not 0, rounded.

    By counting: a picture shown has millions of pixels, and to pick and sort them takes ten times as long.
    """
    total = int(np.count_nonzero(where))
    middle = np.array([(total - 1) // 2, total // 2])
    counts = (cv2.calcHist([rgb], [channel], where, [256], [0, 256]).ravel() for channel in range(3))
    upto = (each.astype(np.int64).cumsum() for each in counts)
    return np.array([np.searchsorted(each, middle, side="right").mean().round() for each in upto])


def _fill(product: Flags) -> float:
    if not product.any():
        return 0.0
    sides = (np.flatnonzero(product.any(axis=axis)) for axis in (0, 1))
    return float(
        max((side[-1] + 1 - side[0]) / length for side, length in zip(sides, product.shape[::-1], strict=True))
    )


def _cropped_edges(product: Flags) -> int:
    edges = (product[0], product[-1], product[:, 0], product[:, -1])
    return sum(bool(edge.mean() > _EDGE_SHARE) for edge in edges)


def detail_scale(rgb: Pixels, product: Flags) -> float:
    """The smallest of some scales from which the picture's steepest edges within the product come back as they were.

    A picture that was enlarged, or is out of focus, holds no more detail than a smaller one of it.
    """
    luminance, within = _looked_at(rgb, product)
    steep = np.abs(cv2.Laplacian(luminance, cv2.CV_32F, ksize=3)) * within
    if not within.any():
        return 1.0
    limit = np.quantile(steep[within > 0], 1 - _STEEP_SHARE)
    where = (steep >= max(float(limit), 1.0)) & (within > 0)
    if not where.any():  # nothing in it is steep at all: plain cloth, or no picture
        return 1.0
    spread = np.ones((5, 5), np.uint8)
    contrast = (cv2.dilate(luminance, spread) - cv2.erode(luminance, spread))[where].mean()
    kept = 1.0
    for scale in _SCALES:
        if np.abs(luminance - _through(luminance, scale))[where].mean() / contrast > _LOST_MAX:
            return kept
        kept = scale
    return kept


def _looked_at(rgb: Pixels, product: Flags) -> tuple[Plane, Plane]:
    """The luminance, 0..255, and the product's inside and outline, 0 or 1, in the middle of the product."""
    rows, columns = (_middle(np.flatnonzero(product.any(axis=axis)), product.shape[1 - axis]) for axis in (1, 0))
    part = rgb[rows, columns].astype(np.float32)
    luminance = part @ np.array(LUMINANCE_WEIGHTS, np.float32)
    near = cv2.dilate(product[rows, columns].astype(np.uint8), np.ones((5, 5), np.uint8))
    return np.asarray(luminance, np.float32), near.astype(np.float32)


def _middle(lines: NDArray[np.intp], length: int) -> slice:
    first, last = (int(lines[0]), int(lines[-1]) + 1) if len(lines) else (0, length)
    spare = max(0, last - first - _LOOKED_AT_PX) // 2
    return slice(max(0, first + spare - _ROUND_PX), min(length, last - spare + _ROUND_PX))


def _through(plane: Plane, scale: float) -> Plane:
    """A plane made smaller and as large again."""
    size = (max(1, round(plane.shape[1] * scale)), max(1, round(plane.shape[0] * scale)))
    small = Image.fromarray(plane).resize(size, Image.Resampling.LANCZOS)  # which keeps what a smaller one can hold
    return np.asarray(small.resize(plane.shape[::-1], Image.Resampling.LANCZOS), np.float32)


def jpeg_quality(file: bytes) -> float:
    """The quality, 1..100, of the IJG's scale whose luminance table is most like a JPEG's; 100 for other formats."""
    if not file.startswith(_JPEG):
        return 100.0
    with Image.open(io.BytesIO(file)) as image:
        tables = getattr(image, "quantization", None)
    if not tables:
        return 100.0
    scale = float(np.mean(np.array(tables[0], float)) / np.mean(_TABLE)) * 100
    quality = (200 - scale) / 2 if scale <= 100 else 5000 / scale
    return float(np.clip(round(quality), 1, 100))


def picture_hash(rgb: Pixels) -> int:
    """64 bits that are nearly the same for the same picture in another size or file.

    C. Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions, 2010: the signs of the lowest
    frequencies of a discrete cosine transform.
    """
    grey = cv2.cvtColor(cv2.resize(rgb, (_HASH_OF, _HASH_OF), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    low = cv2.dct(grey.astype(np.float32))[:_HASH_SIDE, :_HASH_SIDE].ravel()
    above = low > np.median(low[1:])
    return int("".join("1" if bit else "0" for bit in above), 2)


def bits_apart(one: int, other: int) -> int:
    """In how many bits two hashes differ."""
    return (one ^ other).bit_count()
