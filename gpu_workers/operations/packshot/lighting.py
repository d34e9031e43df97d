"""Lighting: what the ground of a photograph says of its light, and how the product would look in white light."""

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.colour_difference import ciede2000, light_to_lab
from gpu_workers.imaging.linear_light import to_linear
from gpu_workers.imaging.types import LUMINANCE, Codes

Light = tuple[float, float, float]

CHANGE_MAX = 1.3  # median ΔE00 of the product; the gates let 1.8 pass, and JPEG takes some of it
NO_CHANGE: Light = (1.0, 1.0, 1.0)

# Set by hand, none is fitted, but where a line says so.
_RING_SHARE = 0.12  # of the picture's longer side: so far about the product its ground says what the light is
_RING_LEAST = 500  # pixels of ground, fewer of which say nothing
_COLOURED = 18.0  # chroma (a*b*) from which a ground is coloured paper and not white in coloured light
# of full light: from which a ground was meant to be white, and what white is brought to
_MEANT_WHITE, _WHITE = 0.5, 0.95
_SOLID = 250  # of an alpha of 255, above which a pixel is unmixed
_SAMPLES = 20_000  # pixels, enough for a median
_HALVINGS = 10  # of the interval: a thousandth of the change that is searched for


def background_of(pixels: Codes, alpha: NDArray[np.uint8]) -> Light | None:
    """Linear light of the ground round the product `alpha` (h, w) in its photograph (h, w, 3 or 4); None without one.

    The median of what is clear and close by: the light of a studio falls off towards the corners.
    """
    product = (alpha > 0).astype(np.uint8)
    reach = max(round(_RING_SHARE * max(alpha.shape)), 1)
    near = cv2.dilate(product, np.ones((2 * reach + 1, 1), np.uint8))
    near = cv2.dilate(near, np.ones((1, 2 * reach + 1), np.uint8))
    ring = pixels[..., :3][(near > 0) & (product == 0)]
    if len(ring) < _RING_LEAST:
        return None
    red, green, blue = np.median(to_linear(ring[:: max(len(ring) // _SAMPLES, 1)]), axis=0)
    return float(red), float(green), float(blue)


def correction(product: Codes, background: Light) -> Light:
    """The gain (3,) in linear light that makes a ground of this light neutral, and white if it was meant to be.

    Short of that where it would change the `product` (h, w, 4) by more than a median ΔE00 of 1.3, or burn out its
    highlights. A ground that is plainly coloured was chosen so, and says nothing.
    """
    ground = np.array(background, np.float32)
    luminance = float(ground @ LUMINANCE)
    if luminance <= 0 or ground.min() <= 0 or np.hypot(*light_to_lab(ground / luminance)[1:]) > _COLOURED:
        return NO_CHANGE
    solid = product[..., :3][product[..., 3] >= _solid(product)]
    if not len(solid):
        return NO_CHANGE
    light = to_linear(solid[:: max(len(solid) // _SAMPLES, 1)])
    wanted = luminance / ground * _exposure(luminance)
    before, after = (float(np.percentile(lit, 99.9)) for lit in (light, light * wanted))
    red, green, blue = _capped(light, wanted / max(after / max(before, 1.0), 1.0))
    return float(red), float(green), float(blue)


def _solid(product: Codes) -> int:
    return _SOLID if product.dtype == np.uint8 else _SOLID * 257


def _exposure(luminance: float) -> float:
    return max(_WHITE / luminance, 1.0) if luminance >= _MEANT_WHITE else 1.0


def _capped(light: NDArray[np.float32], gain: NDArray[np.float32]) -> NDArray[np.float32]:
    """`gain` (3,), or as much of it as changes the colours (n, 3) by no more than may be."""
    before = light_to_lab(light)

    def changed(share: float) -> float:
        return float(np.median(ciede2000(before, light_to_lab(light * gain**share))))

    low, high = 0.0, 1.0
    if changed(high) <= CHANGE_MAX:
        return gain
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if changed(middle) <= CHANGE_MAX else (low, middle)
    return np.asarray(gain**low, np.float32)
